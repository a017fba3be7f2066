package checkpoint

import (
	"bufio"
	"os"
	"strconv"
	"strings"
	"unsafe"
)

// inFile reports whether memory belongs to a read-only mapping of a file, as an embedded file belongs to the mapping of
// the program. Its pages may be dropped: the system reads them again when they are used. Memory of the heap must not be
// dropped. The kernel's list of mappings decides; without that list the answer is no.
func inFile(data []byte) bool {
	if len(data) < os.Getpagesize() {
		return false
	}
	f, err := os.Open("/proc/self/maps")
	if err != nil {
		return false
	}
	defer f.Close()
	at := uint64(uintptr(unsafe.Pointer(unsafe.SliceData(data))))
	end := at + uint64(len(data))
	for lines := bufio.NewScanner(f); lines.Scan(); {
		// 00400000-00492000 r-xp 00000000 fe:00 13107   /path: range, permissions, offset, device, inode
		fields := strings.Fields(lines.Text())
		if len(fields) < 5 {
			return false
		}
		from, to, _ := strings.Cut(fields[0], "-")
		first, err1 := strconv.ParseUint(from, 16, 64)
		past, err2 := strconv.ParseUint(to, 16, 64)
		if err1 != nil || err2 != nil {
			return false
		}
		if at < first || at >= past {
			continue // the list is in order
		}
		if strings.Contains(fields[1], "w") || fields[4] == "0" {
			return false
		}
		if at = past; at >= end {
			return true
		}
	}
	return false
}
