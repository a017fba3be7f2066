package hub

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestFullDisk makes the disk full after some bytes of the weights.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	for name, full := range map[string]func(f *os.File, p []byte, at int64) (int, error){
		"nothing is written": func(f *os.File, p []byte, at int64) (int, error) { return 0, syscall.ENOSPC },
		"some is written": func(f *os.File, p []byte, at int64) (int, error) {
			n, _ := f.WriteAt(p[:len(p)/2], at)
			return n, &os.PathError{Op: "write", Path: f.Name(), Err: syscall.ENOSPC}
		},
		"less is written": func(f *os.File, p []byte, at int64) (int, error) { return f.WriteAt(p[:len(p)/2], at) },
	} {
		t.Run(name, func(t *testing.T) {
			h, cache := newHub(t), t.TempDir()
			h.Add("a/b", vit())
			breaks := func(s *setup) {
				s.write = func(f *os.File, p []byte, at int64) (int, error) {
					if at+int64(len(p)) > 100_000 {
						return full(f, p, at)
					}
					return f.WriteAt(p, at)
				}
			}
			_, err := options(h, cache, breaks).get(t.Context(), "a/b")
			short := name == "less is written"
			if err == nil || !short && !errors.Is(err, ErrNoSpace) {
				t.Fatalf("expected ErrNoSpace, found %v", err)
			}
			parts := 0
			if short {
				parts = 1
			}
			expectClean(t, cache, parts)
			dir, err := options(h, cache).get(t.Context(), "a/b")
			if err != nil {
				t.Fatal(err)
			}
			expectFiles(t, dir, pick(vit(), "config.json", "preprocessor_config.json", "model.safetensors"))
		})
	}
}

// TestNoRoom refuses a download that the disk cannot hold, and counts partial downloads as present.
func TestNoRoom(t *testing.T) {
	t.Parallel()
	h, cache := newHub(t), t.TempDir()
	h.Add("a/b", vit())
	room := func(free int64) change {
		return func(s *setup) { s.free = func(string) (int64, error) { return free, nil } }
	}
	_, err := options(h, cache, room(300_010)).get(t.Context(), "a/b")
	if !errors.Is(err, ErrNoSpace) || !strings.Contains(err.Error(), cache) {
		t.Errorf("expected ErrNoSpace that names the cache, found %v", err)
	}
	for _, r := range h.Requests() {
		if r.CDN {
			t.Errorf("%+v: fetched all the same", r)
		}
	}
	expectClean(t, cache, 0)
	part := filepath.Join(cache, "models--a--b", "blobs", hashOfWeights+".0123456789abcdef"+suffix)
	if err := os.WriteFile(part, weights[:200_000], 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := options(h, cache, room(100_100)).get(t.Context(), "a/b"); err != nil {
		t.Error(err)
	}
	unknown := func(s *setup) { s.free = func(string) (int64, error) { return 0, errors.ErrUnsupported } }
	if _, err := options(h, t.TempDir(), unknown).get(t.Context(), "a/b"); err != nil {
		t.Errorf("where free space is not known: %v", err)
	}
	if free, err := freeSpace(t.TempDir()); !errors.Is(err, errors.ErrUnsupported) && (err != nil || free <= 0) {
		t.Errorf("free space: %d, %v", free, err)
	}
}
