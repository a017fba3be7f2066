//go:build !(linux || darwin || freebsd || netbsd || openbsd || dragonfly || windows)

package filelock

import (
	"errors"
	"fmt"
	"os"
	"runtime"
)

// Open returns an error: this system has no locks.
func Open(string) (*os.File, error) {
	return nil, fmt.Errorf("file locks are unsupported on %s/%s: %w", runtime.GOOS, runtime.GOARCH, errors.ErrUnsupported)
}

// Try returns ErrNoLocks.
func Try(*os.File) (bool, error) { return false, ErrNoLocks }
