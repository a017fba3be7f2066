package checkpoint

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"
	"sync/atomic"
)

// A source is the bytes of one file, on the heap or mapped. Tensors hold on to it, so a mapping lives as
// long as the last tensor that was taken from it; a view handed out pins it until close, because the
// collector does not see that a []float32 points into it.
type source struct {
	name   string
	data   []byte
	mapped bool
	closed atomic.Bool
	undo   runtime.Cleanup
}

// readChunk is what is reserved before a byte has arrived, whatever size a file system announces.
const readChunk = 1 << 20

// openSource maps or reads the file name of fsys.
func openSource(fsys fs.FS, name, shown string, mapping bool) (*source, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, fmt.Errorf("checkpoint: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("checkpoint: %w", err)
	}
	if info.IsDir() {
		return nil, fmt.Errorf("checkpoint: %s: expected a file, found a folder", shown)
	}
	if info.Mode()&fs.ModeDevice != 0 { // reached by a link, and perhaps without an end
		return nil, fmt.Errorf("checkpoint: %s: expected a file, found a device", shown)
	}
	src := &source{name: shown}
	if osFile, ok := f.(*os.File); ok && mapping && info.Mode().IsRegular() && info.Size() > 0 {
		if data, err := mapFile(osFile, info.Size()); err == nil {
			src.data, src.mapped = data, true
			src.undo = runtime.AddCleanup(src, unmap, data)
			return src, nil
		}
		// What cannot be mapped is read.
	}
	var b bytes.Buffer
	if size := info.Size(); size > 0 && info.Mode().IsRegular() {
		if _, ok := f.(*os.File); ok {
			b.Grow(int(min(size, 1<<40)) + bytes.MinRead)
		} else {
			b.Grow(int(min(size, readChunk)))
		}
	}
	if _, err := io.Copy(&b, f); err != nil {
		return nil, fmt.Errorf("checkpoint: %s: %w", shown, err)
	}
	src.data = b.Bytes()
	return src, nil
}

// slice returns the bytes [begin, end). It panics after close: the pages may be gone.
func (s *source) slice(begin, end int) []byte {
	if s.closed.Load() {
		panic("checkpoint: " + s.name + ": tensor used after its file was closed")
	}
	return s.data[begin:end:end]
}

// pin keeps the mapping until close, even when nothing that the collector sees refers to it.
func (s *source) pin() {
	if s.mapped {
		s.undo.Stop()
	}
}

// forget tells the system that mapped pages wholly inside [begin, end) need not stay resident.
func (s *source) forget(begin, end int) {
	if s.mapped {
		page := os.Getpagesize()
		begin, end = (begin+page-1)/page*page, end/page*page
		if begin < end {
			dropPages(s.data[begin:end])
		}
	}
}

func (s *source) close() error {
	if s.closed.Swap(true) || !s.mapped {
		return nil
	}
	s.undo.Stop()
	return unmapErr(s.data)
}

func unmap(data []byte) { _ = unmapErr(data) }

var errNoMapping = errors.New("files are not mapped on this system")
