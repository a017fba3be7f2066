//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package checkpoint

import "golang.org/x/sys/unix"

func mkfifo(path string) error { return unix.Mkfifo(path, 0o666) }
