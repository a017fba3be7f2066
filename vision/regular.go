package vision

import (
	"errors"
	"fmt"
	"io/fs"
	"path"

	"github.com/fovea-ml/fovea/internal/printable"
)

// ErrNotRegular: a name that should be a file is a folder, a named pipe, a socket or a device.
var ErrNotRegular = errors.New("not a regular file")

// openRegular opens a regular file for reading. Opening a named pipe would wait for a writer, for ever if there is none,
// so the kind of file is looked up before. Errors do not hold the name, which may have to be quoted: the caller adds it.
func openRegular(fsys fs.FS, name string) (f fs.File, st fs.FileInfo, err error) {
	defer func() { err = nameless(err) }()
	if st, err = lookUp(fsys, name); err == nil {
		err = checkRegular(st.Mode())
	}
	if err != nil {
		return nil, nil, err
	}
	if f, err = fsys.Open(name); err != nil {
		return nil, nil, err
	}
	if st, err = f.Stat(); err == nil {
		err = checkRegular(st.Mode())
	}
	if err != nil {
		f.Close()
		return nil, nil, err
	}
	return f, st, nil
}

// nameless returns an error of a file system without the name of the file.
func nameless(err error) error {
	var e *fs.PathError
	if errors.As(err, &e) {
		return fmt.Errorf("%s: %w", e.Op, e.Err)
	}
	return err
}

// lookUp is fs.Stat, but opens the file only where fsys offers no other way. (One that fs.Sub makes of os.DirFS offers
// Lstat and ReadLink alone.)
func lookUp(fsys fs.FS, name string) (fs.FileInfo, error) {
	l, ok := fsys.(fs.ReadLinkFS)
	if _, stat := fsys.(fs.StatFS); stat || !ok {
		return fs.Stat(fsys, name)
	}
	for range 40 {
		st, err := l.Lstat(name)
		if err != nil || st.Mode()&fs.ModeSymlink == 0 {
			return st, err
		}
		to, err := l.ReadLink(name)
		if err != nil {
			return nil, err
		}
		if name = path.Join(path.Dir(name), to); path.IsAbs(to) || !fs.ValidPath(name) {
			return nil, fmt.Errorf("a link to %s, which this file system cannot look up", printable.Name(to))
		}
	}
	return nil, errors.New("more than 40 links lead to each other")
}

// checkRegular names the kind of a file that is not regular.
func checkRegular(m fs.FileMode) error {
	kind := ""
	switch {
	case m.IsRegular():
		return nil
	case m.IsDir():
		kind = "directory"
	case m&fs.ModeNamedPipe != 0:
		kind = "named pipe"
	case m&fs.ModeSocket != 0:
		kind = "socket"
	case m&fs.ModeDevice != 0:
		kind = "device"
	default:
		kind = m.Type().String()
	}
	return fmt.Errorf("is a %s, expected a file: %w", kind, ErrNotRegular)
}
