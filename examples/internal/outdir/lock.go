package outdir

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/fovea-ml/fovea/internal/filelock"
)

// Lock makes the folder and locks it for this run. Two runs in one folder would mix their results.
func (f Folder) Lock() (unlock func(), err error) {
	if err := os.MkdirAll(f.Path, 0o777); err != nil {
		return nil, fmt.Errorf("-out: %w", err)
	}
	name := filepath.Join(f.Path, "."+f.Program+".lock")
	for range 100 {
		file, err := filelock.Open(name)
		if errors.Is(err, errors.ErrUnsupported) {
			return func() {}, nil // the system has no locks
		}
		if err != nil {
			return nil, fmt.Errorf("-out: %w", err)
		}
		locked, err := filelock.Try(file)
		if locked || errors.Is(err, filelock.ErrNoLocks) {
			return func() { release(file, name) }, nil
		}
		held := sameFile(file, name)
		file.Close()
		if err != nil {
			return nil, fmt.Errorf("-out: %w", err)
		}
		if held {
			break
		}
		// The run that had the lock has just removed the file.
	}
	return nil, fmt.Errorf("-out: another run writes to %s: wait for its end, or choose another folder", f.Path)
}

// release removes the lock file while it is locked, where the system allows it.
func release(f *os.File, name string) {
	info, err := f.Stat()
	if err != nil || info.Size() > 0 { // not ours
		f.Close()
		return
	}
	err = os.Remove(name)
	f.Close()
	if err != nil {
		os.Remove(name)
	}
}

func sameFile(f *os.File, name string) bool {
	a, err := f.Stat()
	if err != nil {
		return false
	}
	b, err := os.Lstat(name)
	return err == nil && os.SameFile(a, b)
}
