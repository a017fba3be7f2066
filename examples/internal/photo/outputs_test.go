package photo

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestOutputs gives images of the same name, also in other letters, different files, and refuses the folder of an image.
func TestOutputs(t *testing.T) {
	dir := t.TempDir()
	out, photos := filepath.Join(dir, "new", "out"), filepath.Join(dir, "photos")
	if err := os.Mkdir(photos, 0o777); err != nil {
		t.Fatal(err)
	}
	images := []string{filepath.Join(photos, "a.jpg"), filepath.Join(photos, "A.JPG"), "a.png", "a-2.png", StandardInput}
	o, err := NewOutputs(out, images)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"a.png", "A-2.png", "a-3.png", "a-2-2.png", "standard-input.png"} {
		if got := o.Path(images[i]); got != filepath.Join(out, want) {
			t.Errorf("%s: found %s, expected %s", images[i], got, want)
		}
	}
	if err := os.Symlink(photos, filepath.Join(dir, "link")); err != nil {
		t.Skip(err)
	}
	for _, same := range []string{photos, filepath.Join(out, "..", "..", "photos"), filepath.Join(dir, "link")} {
		if _, err := NewOutputs(same, images); err == nil || !strings.Contains(err.Error(), "could be replaced") {
			t.Errorf("%s: found %v", same, err)
		}
	}
}
