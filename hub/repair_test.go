package hub

import (
	"bytes"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/fovea-ml/fovea/internal/test/hubtest"
)

// TestRepair fetches a blob again that was cut short.
func TestRepair(t *testing.T) {
	t.Parallel()
	h, cache := newHub(t), t.TempDir()
	h.Add("a/b", vit())
	dir, err := options(h, cache).get(t.Context(), "a/b")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(filepath.Join(dir, "model.safetensors"), 1000); err != nil {
		t.Fatal(err)
	}
	os.Remove(filepath.Join(dir, "config.json"))
	os.Symlink("../../blobs/nothing", filepath.Join(dir, "config.json"))
	if dir, err = options(h, cache).get(t.Context(), "a/b"); err != nil {
		t.Fatal(err)
	}
	expectFiles(t, dir, pick(vit(), "config.json", "preprocessor_config.json", "model.safetensors"))
}

// TestForeignPart begins anew where another user left a part that may be renamed but not written to.
func TestForeignPart(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" || os.Geteuid() == 0 {
		t.Skip("needs a user whom permissions hold back")
	}
	h, cache := newHub(t), t.TempDir()
	h.Add("a/b", vit())
	blobs := filepath.Join(cache, "models--a--b", "blobs")
	if err := os.MkdirAll(blobs, 0o777); err != nil {
		t.Fatal(err)
	}
	name := hubtest.Hash("model.safetensors", vit()["model.safetensors"]) + "." + strings.Repeat("0", idDigits) + suffix
	if err := os.WriteFile(filepath.Join(blobs, name), make([]byte, 1000), 0o444); err != nil {
		t.Fatal(err)
	}
	dir, err := options(h, cache).get(t.Context(), "a/b")
	if err != nil {
		t.Fatal(err)
	}
	expectFiles(t, dir, pick(vit(), "config.json", "preprocessor_config.json", "model.safetensors"))
}

// TestTruncated cuts files of a commit. They are fetched again when that commit is asked for, and are an error offline.
func TestTruncated(t *testing.T) {
	t.Parallel()
	for name, files := range map[string]map[string][]byte{"a/b": vit(), "a/sharded": sharded()} {
		for _, cut := range slices.Sorted(maps.Keys(files)) {
			for _, old := range []bool{false, true} { // a cache that knows no sizes: Python's
				h, cache := newHub(t), t.TempDir()
				commit := h.Add(name, files)
				dir, err := options(h, cache).get(t.Context(), name+"@"+commit)
				if err != nil {
					t.Fatal(err)
				}
				info, err := os.Stat(filepath.Join(dir, cut))
				if err != nil || info.Size() == 0 {
					continue // not fetched
				}
				if err := os.Truncate(filepath.Join(dir, cut), info.Size()-1); err != nil {
					t.Fatal(err)
				}
				sizes := filepath.Join(filepath.Dir(filepath.Dir(dir)), ".sizes")
				if old {
					os.RemoveAll(sizes)
				} else if _, err := options(h, cache, offline).get(t.Context(), name+"@"+commit); !errors.Is(err, ErrOffline) || !strings.Contains(err.Error(), " bytes, found ") {
					t.Errorf("%s of %s, offline: %v", cut, name, err)
				}
				if _, err := options(h, cache).get(t.Context(), name+"@"+commit); err != nil {
					t.Errorf("%s of %s: %v", cut, name, err)
				}
				if data, err := os.ReadFile(filepath.Join(dir, cut)); !bytes.Equal(data, files[cut]) {
					t.Errorf("%s of %s has %d bytes (%v), expected %d", cut, name, len(data), err, len(files[cut]))
				}
				h.Requests()
				if _, err := options(h, cache).get(t.Context(), name+"@"+commit); err != nil || len(h.Requests()) > 0 {
					t.Errorf("%s: the whole commit is asked for again (%v)", name, err)
				}
			}
		}
	}
}
