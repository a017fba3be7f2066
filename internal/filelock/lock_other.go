//go:build !(linux || darwin || freebsd || netbsd || openbsd || dragonfly || windows)

package hub

import (
	"errors"
	"fmt"
	"os"
	"runtime"
)

func openLock(string) (*os.File, error) {
	return nil, fmt.Errorf("the cache needs file locks, which are unsupported on %s/%s: %w", runtime.GOOS, runtime.GOARCH, errors.ErrUnsupported)
}

func tryLock(*os.File) (bool, error) { return false, errNoLocks }
