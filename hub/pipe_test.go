//go:build linux || darwin || freebsd

package hub

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestPipes puts pipes, at which a reader or a writer waits for another, where the cache keeps its notes.
func TestPipes(t *testing.T) {
	t.Parallel()
	h, cache := newHub(t), t.TempDir()
	commit := h.Add("a/b", vit())
	root := filepath.Join(cache, "models--a--b")
	for _, at := range []string{filepath.Join(root, "refs", "main"), filepath.Join(root, ".no_exist", commit, "vocab.txt")} {
		if err := os.MkdirAll(filepath.Dir(at), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := unix.Mkfifo(at, 0o666); err != nil {
			t.Skip("no pipes here: ", err)
		}
	}
	done := make(chan error, 1)
	go func() {
		dir, err := options(h, cache).get(t.Context(), "a/b")
		if err == nil {
			expectFiles(t, dir, pick(vit(), "config.json", "preprocessor_config.json", "model.safetensors"))
		}
		done <- err
	}()
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("waits at a pipe")
	}
}
