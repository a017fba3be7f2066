package hub

import (
	"errors"
	"testing"

	"golang.org/x/sys/unix"
)

// TestTmpfs fills a real file system.
func TestTmpfs(t *testing.T) {
	cache := t.TempDir()
	if err := unix.Mount("tmpfs", cache, "tmpfs", 0, "size=240k"); err != nil {
		t.Skipf("needs the right to mount: %v", err)
	}
	defer unix.Unmount(cache, unix.MNT_DETACH)
	h := newHub(t)
	h.Add("a/b", vit())
	if _, err := options(h, cache).get(t.Context(), "a/b"); !errors.Is(err, ErrNoSpace) {
		t.Errorf("before: expected ErrNoSpace, found %v", err)
	}
	if count(h.Requests(), "GET", "/blobs/") > 0 {
		t.Error("begun without room")
	}
	blind := func(s *setup) { s.free = func(string) (int64, error) { return 1 << 40, nil } }
	if _, err := options(h, cache, blind).get(t.Context(), "a/b"); !errors.Is(err, ErrNoSpace) || !errors.Is(err, unix.ENOSPC) {
		t.Errorf("on the way: expected ErrNoSpace, found %v", err)
	}
	expectClean(t, cache, 0)
	if err := unix.Mount("tmpfs", cache, "tmpfs", unix.MS_REMOUNT, "size=4m"); err != nil {
		t.Fatal(err)
	}
	dir, err := options(h, cache).get(t.Context(), "a/b")
	if err != nil {
		t.Fatal(err)
	}
	expectFiles(t, dir, pick(vit(), "config.json", "preprocessor_config.json", "model.safetensors"))
}
