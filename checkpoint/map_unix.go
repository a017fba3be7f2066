//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package checkpoint

import (
	"math"
	"os"

	"golang.org/x/sys/unix"
)

func mapFile(f *os.File, size int64) ([]byte, error) {
	if size > math.MaxInt {
		return nil, errNoMapping
	}
	return unix.Mmap(int(f.Fd()), 0, int(size), unix.PROT_READ, unix.MAP_SHARED)
}

func unmapErr(data []byte) error { return unix.Munmap(data) }

// dropPages drops clean pages of a read-only mapping. A later read loads them again.
func dropPages(data []byte) { _ = unix.Madvise(data, unix.MADV_DONTNEED) }
