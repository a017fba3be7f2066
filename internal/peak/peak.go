// Package peak tells the most memory that this process has held, for tests and measurements that bound it.
package peak

import (
	"os"
	"strconv"
	"strings"
)

// Memory returns the highest that resident memory was, in bytes: VmHWM of /proc/self/status. It is 0 where the system
// does not tell.
func Memory() int64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			if err != nil {
				return 0
			}
			return kib << 10
		}
	}
	return 0
}
