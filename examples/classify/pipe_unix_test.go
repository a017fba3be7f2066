//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package main

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestPipe names a pipe that has the name of an image, and does not wait for its writer.
func TestPipe(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe.png")
	if err := unix.Mkfifo(pipe, 0o666); err != nil {
		t.Skip(err)
	}
	var stdout, stderr bytes.Buffer
	status := command([]string{"-model", "testdata/models/hf", pipe}, nil, &stdout, &stderr)
	if status != 1 || !strings.Contains(stderr.String(), "pipe.png: not a regular file") {
		t.Errorf("status %d: %s", status, &stderr)
	}
}
