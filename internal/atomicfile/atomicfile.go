// Package atomicfile replaces files whole:
//
//	err := atomicfile.Write("state.json", func(w io.Writer) error { return json.NewEncoder(w).Encode(state) })
//
// A reader, a crash or a full disk finds the old file or the new one, never a part. The new content goes to a temporary
// file in the same folder, reaches the disk, and only then takes the name.
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

// bufferSize spares the system small writes. Larger ones bypass the buffer.
const bufferSize = 64 << 10

// Write calls write with a buffered writer and makes the written bytes the content of path. If write panics or any step
// fails, path is unchanged and no other file is left. The next Write to the name removes a file that a killed process
// left.
//
// A new file has the usual permissions, and a replaced one keeps its own. A symbolic link is itself replaced, never its
// target.
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
		base = strings.ToValidUTF8(base[:100], "") // so that the temporary name is not too long
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
		defer f.Close() // ends the lock, once the file has its name; its content has reached the disk
	} else if err := f.Close(); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	done = true
	return syncFolder(dir)
}

// WriteFile is [Write] of data that is at hand.
func WriteFile(path string, data []byte) error {
	return Write(path, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
}

// create opens a new file next to the one to be replaced. Unlike os.CreateTemp, it uses the permissions that the process
// gives to new files.
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
				f.Close() // another process removed it as a leftover, before the lock
				continue
			}
		}
		return f, err
	}
	return nil, fmt.Errorf("%s: no free temporary name", dir)
}

// syncFolder makes the rename durable, where folders can be synced.
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
