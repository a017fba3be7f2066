//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package atomicfile

import (
	"os"

	"golang.org/x/sys/unix"
)

// locks says whether temporary files can be locked, and renamed while they are open.
const locks = true

// lock takes the lock of a file, and waits for another that has it. On file systems without locks nobody has one.
func lock(f *os.File) {
	for unix.Flock(int(f.Fd()), unix.LOCK_EX) == unix.EINTR {
	}
}

// locked takes the lock of a file, and says no when another has it or there are none here.
func locked(f *os.File) bool { return unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil }
