package vision

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
)

// workspace is the memory in which one goroutine reads and prepares images, one after the other: what it handed out
// is written over by the next. The zero value is ready; one that is used once hands out memory of its own.
type workspace struct {
	file    []byte
	decoded *Image
	resized *Image
}

// keepBytes is how much memory of one kind a workspace keeps from one image to the next: photographs of 21
// megapixels. A single panorama in a folder should not stay for the rest of the run.
const keepBytes = 64 << 20

// trim lets go of what is too much to keep.
func (w *workspace) trim() {
	if cap(w.file) > keepBytes {
		w.file = nil
	}
	for _, m := range []**Image{&w.decoded, &w.resized} {
		if *m != nil && cap((*m).Pix) > keepBytes {
			*m = nil
		}
	}
}

// open opens image i of a data set, in the workspace where it is one of this package's that decodes.
func (w *workspace) open(d Dataset, i int) (*Image, error) {
	switch d := d.(type) {
	case *Subset:
		return w.open(d.Of, d.Indices[i])
	case *Folder:
		return w.decodeFile(d.fsys, d.files[i], d.options.Decode)
	}
	return d.Open(i)
}

// geometry is Preprocess.Geometry in the workspace.
func (w *workspace) geometry(p *Preprocess, m *Image) (*Image, error) {
	if w.resized == nil {
		w.resized = new(Image)
	}
	return p.geometry(w.resized, m, nil)
}

// decodeFile is DecodeFile in the workspace.
func (w *workspace) decodeFile(fsys fs.FS, name string, o DecodeOptions) (*Image, error) {
	o.Name = name
	f, err := fsys.Open(name)
	if err != nil {
		return nil, &DecodeError{Name: name, Err: err}
	}
	defer f.Close()
	size := int64(0)
	if st, err := f.Stat(); err == nil {
		if st.IsDir() {
			return nil, &DecodeError{Name: name, Err: errors.New("is a directory, expected an image file")}
		}
		size = st.Size()
	}
	return w.decode(f, size, o)
}

// decode is Decode in the workspace; size is how much r is expected to hold, 0 if that is not known.
func (w *workspace) decode(r io.Reader, size int64, o DecodeOptions) (*Image, error) {
	limit := o.MaxBytes
	if limit <= 0 {
		limit = DefaultMaxBytes
	}
	data, err := readAll(w.file, io.LimitReader(r, limit+1), min(size, limit))
	w.file = data
	if err != nil {
		return nil, &DecodeError{Name: o.Name, Err: err}
	}
	if int64(len(data)) > limit {
		return nil, &DecodeError{Name: o.Name, Kind: ErrTooLarge, Err: fmt.Errorf("more than %d bytes", limit)}
	}
	return w.decodeBytes(data, o)
}

// readAll reads r to the end into buf[:0], which grows as data arrives: a size that a file system only claims buys
// a mebibyte and no more.
func readAll(buf []byte, r io.Reader, size int64) ([]byte, error) {
	buf = buf[:0]
	if n := max(min(size, 1<<20)+1, 1<<15); int64(cap(buf)) < n {
		buf = make([]byte, 0, n)
	}
	for {
		n, err := r.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		switch {
		case err == io.EOF:
			return buf, nil
		case err != nil:
			return buf, err
		case len(buf) == cap(buf):
			grown := make([]byte, len(buf), max(2*int64(cap(buf)), min(size+1, 8*int64(cap(buf)))))
			copy(grown, buf)
			buf = grown
		}
	}
}
