//go:build !(linux || darwin || freebsd || netbsd || openbsd || dragonfly)

package checkpoint

import "errors"

func mkfifo(string) error { return errors.ErrUnsupported }
