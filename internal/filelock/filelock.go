// Package filelock keeps two processes from doing one thing at once:
//
//	f, err := filelock.Open("work.lock")
//	...
//	locked, err := filelock.Try(f) // false: another process has the lock
//
// A lock ends when its file is closed, also by the end of the process. It is the lock of Python's package filelock.
package filelock

import "errors"

// ErrNoLocks says that a file system has no locks.
var ErrNoLocks = errors.New("the file system has no locks")
