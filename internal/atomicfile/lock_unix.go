//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package atomicfile

import (
	"os"

	"golang.org/x/sys/unix"
)

// locks reports whether temporary files can be locked, and renamed while they are open.
const locks = true

// lock takes the lock of a file and waits until it is free. On file systems without locks it does nothing.
func lock(f *os.File) {
	for unix.Flock(int(f.Fd()), unix.LOCK_EX) == unix.EINTR {
	}
}

// locked tries to take the lock of a file. It returns false when another has it or the file system has no locks.
func locked(f *os.File) bool { return unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil }
