//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package hub

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// openLock opens a lock file, never through a symbolic link. Whoever may write to the folder's group may wait too.
func openLock(name string) (*os.File, error) {
	return os.OpenFile(name, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o664)
}

// tryLock takes the lock that Python's filelock takes: flock on the whole file. It excludes other processes, and
// other opens of the file in this one. It reports errNoLocks for a file system that has none.
func tryLock(f *os.File) (bool, error) {
	for {
		switch err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); {
		case err == nil:
			var st unix.Stat_t
			err := unix.Fstat(int(f.Fd()), &st)
			return err == nil && st.Nlink > 0, err // a file that has lost its name guards nothing
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.EWOULDBLOCK), errors.Is(err, unix.EACCES):
			return false, nil
		case errors.Is(err, unix.ENOSYS), errors.Is(err, unix.EOPNOTSUPP), errors.Is(err, unix.ENOTSUP), errors.Is(err, unix.ENOLCK):
			return false, errNoLocks
		default:
			return false, err
		}
	}
}
