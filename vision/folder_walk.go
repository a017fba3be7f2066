package vision

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"

	"github.com/fovea-ml/fovea/internal/printable"
)

// folderWalk visits the folders of a data set, following links, and finds out what it meets twice.
type folderWalk struct {
	fsys    fs.FS
	folders sameFiles       // visited so far
	linked  map[string]bool // files that links lead to
}

func newFolderWalk(fsys fs.FS) *folderWalk {
	return &folderWalk{fsys: fsys, folders: sameFiles{}, linked: map[string]bool{}}
}

// maxFolderDepth ends a walk in file systems that cannot tell a folder from another one.
const maxFolderDepth = 255

// kind returns the mode of an entry, or of the file that it links to. A link that leads nowhere is a regular file:
// opening it reports the error.
func (w *folderWalk) kind(name string, e fs.DirEntry) (mode fs.FileMode, linked bool, err error) {
	if e.Type()&fs.ModeSymlink == 0 {
		return e.Type(), false, nil
	}
	st, err := lookUp(w.fsys, name)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, true, nil
	}
	if err != nil {
		return 0, true, fmt.Errorf("%s: %w", printable.Name(name), nameless(err))
	}
	return st.Mode(), true, nil
}

// images calls found with each image file below dir, which belongs to a class, sorted by name.
func (w *folderWalk) images(dir string, class int, found func(file string)) error {
	if strings.Count(dir, "/") > maxFolderDepth {
		return fmt.Errorf("%s: folders nested more than %d deep, perhaps by a link to a folder above it", printable.Name(dir[:80]), maxFolderDepth)
	}
	unread := func(err error) error { return fmt.Errorf("%s: %w", printable.Name(dir), nameless(err)) }
	st, err := lookUp(w.fsys, dir)
	if err != nil {
		return unread(err)
	}
	switch first, ok := w.folders.add(st, seen{dir, class}); {
	case ok && first.class == class:
		return nil
	case ok:
		return fmt.Errorf("%s and %s are one folder, in two classes", printable.Name(first.name), printable.Name(dir))
	}
	entries, err := fs.ReadDir(w.fsys, dir)
	if err != nil {
		return unread(err)
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") {
			continue
		}
		name := path.Join(dir, e.Name())
		mode, linked, err := w.kind(name, e)
		switch {
		case err != nil:
			return err
		case mode.IsDir():
			if err := w.images(name, class, found); err != nil {
				return err
			}
		case mode.IsRegular() && isImageName(name):
			if linked {
				w.linked[name] = true
			}
			found(name)
		}
	}
	return nil
}

// once leaves one name of each file in the data set. Without links to files there is nothing to do.
func (w *folderWalk) once(d *Folder) error {
	if len(w.linked) == 0 {
		return nil
	}
	files := sameFiles{}
	n := 0
	for i, name := range d.files {
		st, err := lookUp(w.fsys, name)
		if err == nil {
			first, again := files.add(st, seen{name, d.labels[i]})
			// A file with several names of its own, without a link to it, is several files to every other program.
			if again && (w.linked[name] || w.linked[first.name]) {
				if first.class != d.labels[i] {
					return fmt.Errorf("vision: %s: %s and %s are one file, in two classes", d.where, printable.Name(first.name), printable.Name(name))
				}
				continue
			}
		}
		d.files[n], d.labels[n] = name, d.labels[i]
		n++
	}
	d.files, d.labels = d.files[:n], d.labels[:n]
	return nil
}

// sameFiles finds a file that was seen before under another name. Files that can be the same have the same size and
// time, so few need to be compared.
type sameFiles map[sizeAndTime][]seenFile

type sizeAndTime struct {
	size int64
	time int64 // Unix time, in nanoseconds
}

// seen is a name, and the class in which it was seen.
type seen struct {
	name  string
	class int
}

type seenFile struct {
	info fs.FileInfo
	seen
}

// add returns what was added for the same file before; ok is false, and the file is added, when there is nothing.
func (s sameFiles) add(info fs.FileInfo, as seen) (first seen, ok bool) {
	key := sizeAndTime{info.Size(), info.ModTime().UnixNano()}
	for _, f := range s[key] {
		if os.SameFile(f.info, info) {
			return f.seen, true
		}
	}
	s[key] = append(s[key], seenFile{info, as})
	return seen{}, false
}
