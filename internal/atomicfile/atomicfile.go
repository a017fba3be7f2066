// Package atomicfile replaces files whole. A reader, a crash or a full disk sees the old file or the new
// one, never a part: the new content goes to a temporary file in the same folder, reaches the disk, and
// only then takes the name.
package atomicfile

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
)

// bufferSize spares the system small writes; larger ones go straight through.
const bufferSize = 64 << 10

// Write calls write with a buffered writer and makes what it wrote the content of path. When write fails
// or panics, or a step of the way does, path is as it was and nothing is left beside it. What a killed process left
// there goes with the next Write of the name.
//
// A new file has the usual permissions, a replaced one keeps its own; a symbolic link is itself replaced,
// never what it points to.
func Write(path string, write func(io.Writer) error) (err error) {
	dir, base := filepath.Split(path)
	if base == "" {
		return fmt.Errorf("%q: expected the name of a file", path)
	}
	if dir == "" {
		dir = "."
	}
	info, err := os.Lstat(path)
	if err == nil && info.IsDir() {
		return fmt.Errorf("%s: expected a file, found a folder", path)
	}
	if len(base) > 100 {
		base = strings.ToValidUTF8(base[:100], "") // the temporary name must not be too long where the real one is not
	}
	removeLeftovers(dir, base)
	f, err := create(dir, base)
	if err != nil {
		return err
	}
	done := false
	defer func() {
		if !done {
			f.Close()
			os.Remove(f.Name())
		}
	}()
	if info != nil && info.Mode().IsRegular() {
		if err := f.Chmod(info.Mode().Perm()); err != nil && runtime.GOOS != "windows" {
			return err
		}
	}
	w := bufio.NewWriterSize(f, bufferSize)
	if err := write(w); err != nil {
		return err
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if locks {
		defer f.Close() // which ends the lock, after the file has its name; its content has reached the disk
	} else if err := f.Close(); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	done = true
	return syncFolder(dir)
}

// create opens a new file next to the one to be replaced, with the permissions that the process gives to
// new files, which os.CreateTemp does not.
func create(dir, base string) (*os.File, error) {
	for range 100 {
		name := filepath.Join(dir, fmt.Sprintf(".%s.%08x.tmp", base, rand.Uint32()))
		f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err == nil && locks {
			lock(f)
			if !named(f, name) {
				f.Close() // somebody took it for a leftover, before the lock
				continue
			}
		}
		return f, err
	}
	return nil, fmt.Errorf("%s: no free temporary name", dir)
}

// syncFolder makes the rename itself durable, where folders can be synced.
func syncFolder(dir string) error {
	if runtime.GOOS == "windows" || runtime.GOOS == "js" || runtime.GOOS == "wasip1" {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.Sync(); err != nil && !errors.Is(err, errors.ErrUnsupported) && !errors.Is(err, syscall.EINVAL) {
		return err
	}
	return nil
}
