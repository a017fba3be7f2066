package vision

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// directory is a directory of the operating system as a file system. os.DirFS is one too, but it refuses names that are
// not UTF-8, which Unix allows. Links are followed, wherever they lead.
type directory string

// local returns the path of a name, which must stay in the directory.
func (d directory) local(op, name string) (string, error) {
	p := filepath.FromSlash(name)
	if d == "" || !filepath.IsLocal(p) || filepath.ToSlash(filepath.Clean(p)) != name || strings.ContainsRune(name, 0) {
		return "", &fs.PathError{Op: op, Path: name, Err: fs.ErrInvalid}
	}
	return filepath.Join(string(d), p), nil
}

// inside gives an error the name in the directory, as os.DirFS does.
func inside(err error, name string) error {
	var e *fs.PathError
	if errors.As(err, &e) {
		return &fs.PathError{Op: e.Op, Path: name, Err: e.Err}
	}
	return err
}

func (d directory) Open(name string) (fs.File, error) {
	p, err := d.local("open", name)
	if err != nil {
		return nil, err
	}
	f, err := os.Open(p)
	if err != nil {
		return nil, inside(err, name)
	}
	return f, nil
}

// Stat implements fs.StatFS.
func (d directory) Stat(name string) (fs.FileInfo, error) {
	p, err := d.local("stat", name)
	if err != nil {
		return nil, err
	}
	st, err := os.Stat(p)
	return st, inside(err, name)
}

// ReadDir implements fs.ReadDirFS.
func (d directory) ReadDir(name string) ([]fs.DirEntry, error) {
	p, err := d.local("open", name)
	if err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(p)
	return entries, inside(err, name)
}
