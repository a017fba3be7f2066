package smallfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
)

func Example() {
	data, err := Read(fstest.MapFS{"config.json": {Data: []byte("{}")}}, "config.json")
	fmt.Println(string(data), err)
	// Output: {} <nil>
}

func TestRead(t *testing.T) {
	full := make([]byte, Limit+1)
	fsys := fstest.MapFS{"full": {Data: full[:Limit]}, "more": {Data: full}}
	if data, err := Read(fsys, "full"); err != nil || len(data) != Limit {
		t.Errorf("read %d bytes, %v", len(data), err)
	}
	if _, err := Read(fsys, "more"); err == nil || !strings.Contains(err.Error(), "found more") {
		t.Errorf("expected an error, found %v", err)
	}
	if _, err := Read(fsys, "none"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("expected fs.ErrNotExist, found %v", err)
	}
	if _, err := Read(os.DirFS(t.TempDir()), "."); err == nil {
		t.Error("a folder was read")
	}
}

// TestEndless follows a link to a device that has no end.
func TestEndless(t *testing.T) {
	const device = "/dev/zero"
	if _, err := os.Stat(device); err != nil {
		t.Skip("no " + device)
	}
	dir := t.TempDir()
	if err := os.Symlink(device, filepath.Join(dir, "config.json")); err != nil {
		t.Skip(err)
	}
	if _, err := Read(os.DirFS(dir), "config.json"); err == nil || !strings.Contains(err.Error(), "found a folder, a device or a pipe") {
		t.Errorf("expected an error, found %v", err)
	}
}
