package filelock

import (
	"errors"
	"path/filepath"
	"testing"
)

// TestTry locks a file twice.
func TestTry(t *testing.T) {
	name := filepath.Join(t.TempDir(), "lock")
	a, err := Open(name)
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip(err)
	} else if err != nil {
		t.Fatal(err)
	}
	b, err := Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	locked, err := Try(a)
	if errors.Is(err, ErrNoLocks) {
		t.Skip(err)
	}
	if !locked || err != nil {
		t.Fatalf("the first: %v, %v", locked, err)
	}
	if locked, err := Try(b); locked || err != nil {
		t.Errorf("while it is locked: %v, %v", locked, err)
	}
	a.Close()
	if locked, err := Try(b); !locked || err != nil {
		t.Errorf("after its end: %v, %v", locked, err)
	}
}
