//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package filelock

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// Open opens or creates a lock file, never through a symbolic link. The folder's group may write to it, so that its users can take
// the lock.
func Open(name string) (*os.File, error) {
	return os.OpenFile(name, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o664)
}

// Try takes the same lock as Python's filelock: flock on the whole file. It excludes other processes, and other opens
// of the file in this one. It returns false for a file that was removed, and ErrNoLocks on a file system without
// locks.
func Try(f *os.File) (bool, error) {
	for {
		switch err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); {
		case err == nil:
			var st unix.Stat_t
			err := unix.Fstat(int(f.Fd()), &st)
			return err == nil && st.Nlink > 0, err // a file without a name guards nothing
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.EWOULDBLOCK), errors.Is(err, unix.EACCES):
			return false, nil
		case errors.Is(err, unix.ENOSYS), errors.Is(err, unix.EOPNOTSUPP), errors.Is(err, unix.ENOTSUP), errors.Is(err, unix.ENOLCK):
			return false, ErrNoLocks
		default:
			return false, err
		}
	}
}
