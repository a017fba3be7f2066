package photo

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/fovea-ml/fovea/vision"
)

// TestFiles lists folders by vision's rules: all of its extensions, and nothing hidden.
func TestFiles(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"b.HEIC", "a.jpg", "deep/er/c.png", ".hidden/d.jpg", ".e.png", "notes.txt"} {
		path := filepath.Join(dir, name)
		err := os.MkdirAll(filepath.Dir(path), 0o777)
		if err == nil {
			err = os.WriteFile(path, nil, 0o666)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	got, err := Files([]string{"missing.png", dir, "notes.txt"})
	want := []string{"missing.png", filepath.Join(dir, "a.jpg"), filepath.Join(dir, "b.HEIC"), filepath.Join(dir, "deep", "er", "c.png"), "notes.txt"}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("found %q, %v, expected %q", got, err, want)
	}
	if _, err := Files([]string{t.TempDir()}); !errors.Is(err, vision.ErrNoImages) {
		t.Errorf("an empty folder: found %v", err)
	}
}
