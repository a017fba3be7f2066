package checkpoint

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"
	"sync/atomic"
	"unsafe"
)

// A source holds the bytes of one file: mapped, embedded, or on the heap. Tensors refer to it, so that a mapping lives as
// long as the last tensor taken from it. A view pins it until close, because the collector does not see that a
// []float32 points into it. Nothing in this package writes to the bytes: in an embedded file, a write would end the
// program.
type source struct {
	name   string
	data   []byte
	mapped bool
	paged  bool   // the system can read its pages again from a file
	format Format // of the file, once it was read
	closed atomic.Bool
	undo   runtime.Cleanup

	strided *strided // gathers bytes from another source, when data is nil
}

// openSource maps or reads the file name of fsys. Errors call it shown.
func openSource(fsys fs.FS, name, shown string, mapping bool) (*source, error) {
	// Stat comes before Open, because opening a pipe waits for a writer.
	info, err := fs.Stat(fsys, name)
	if err = regular(shown, info, err); err != nil {
		return nil, err
	}
	f, err := fsys.Open(name)
	if err != nil {
		return nil, fmt.Errorf("checkpoint: %w", err)
	}
	defer f.Close()
	// Another file may have taken the name since: the size of the open file counts.
	info, err = f.Stat()
	if err = regular(shown, info, err); err != nil {
		return nil, err
	}
	src := &source{name: shown}
	if e, ok := f.(*embeddedFile); ok {
		src.data = bytesOf(e.data)
		src.paged = inFile(src.data)
		return src, nil
	}
	if osFile, ok := f.(*os.File); ok && mapping && info.Size() > 0 {
		if data, err := mapFile(osFile, info.Size()); err == nil {
			src.data, src.mapped, src.paged = data, true, true
			src.undo = runtime.AddCleanup(src, unmap, data)
			return src, nil
		}
		// A file that cannot be mapped is read.
	}
	if at, ok := f.(io.ReaderAt); ok && info.Size() > readStep {
		// A sparse file can have any size at no cost: a file that cannot be a checkpoint is not read.
		var head [prefixSize + 1]byte
		if _, err := at.ReadAt(head[:], 0); err == nil && !plausible(head[:]) {
			return nil, formatErrorf(shown, "", "neither a safetensors nor a PyTorch file, nor an index of one")
		}
	}
	if src.data, err = readWhole(f, info.Size()); err != nil {
		return nil, fmt.Errorf("checkpoint: %s: %w", shown, err)
	}
	return src, nil
}

// plausible reports whether a file with this beginning may be a checkpoint or an index.
func plausible(head []byte) bool {
	return formatOf(head) != "" || head[0] == '{' || head[0] == ' ' || head[0] == '\n'
}

// regular returns an error unless a call of Stat found an ordinary file.
func regular(shown string, info fs.FileInfo, err error) error {
	if err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("checkpoint: %s: expected a file, found a %s", shown, kind(info.Mode()))
	}
	return nil
}

// kind names the kind of a file that is not an ordinary one.
func kind(m fs.FileMode) string {
	switch {
	case m.IsDir():
		return "folder"
	case m&fs.ModeDevice != 0:
		return "device"
	case m&fs.ModeNamedPipe != 0:
		return "pipe"
	case m&fs.ModeSocket != 0:
		return "socket"
	}
	return "file of an unusual kind"
}

// readStep is the number of bytes reserved before any has arrived, whatever size a file system announces.
const readStep = 1 << 20

// readWhole reads a file of the announced size, no more and no less. A file with random access, such as one of the
// operating system or of an embed.FS, proves its size by its last byte and gets its room at once. Room for other files
// grows as they are read.
func readWhole(f fs.File, size int64) ([]byte, error) {
	room := min(size, readStep)
	if at, ok := f.(io.ReaderAt); ok && size > room && size < 1<<46 {
		var last [1]byte
		if n, _ := at.ReadAt(last[:], size-1); n == 1 {
			room = size
		}
	}
	data := make([]byte, room)
	for done := int64(0); ; {
		n, err := io.ReadFull(f, data[done:])
		if done += int64(n); err == io.EOF || err == io.ErrUnexpectedEOF {
			return nil, fmt.Errorf("expected %d bytes, the file ends after %d", size, done)
		} else if err != nil {
			return nil, err
		}
		if done == size {
			break
		}
		data = append(data, make([]byte, min(done, size-done))...)
	}
	var more [1]byte
	if n, err := io.ReadFull(f, more[:]); n > 0 {
		return nil, fmt.Errorf("expected %d bytes, the file has more", size)
	} else if err != io.EOF {
		return nil, err
	}
	return data, nil
}

// bytesOf returns the bytes of a string without a copy. They must never be written.
func bytesOf(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }

// slice returns the bytes [begin, end). It panics after close: the pages may be gone.
func (s *source) slice(begin, end int) []byte {
	if s.closed.Load() {
		panic("checkpoint: " + s.name + ": tensor used after its file was closed")
	}
	if s.strided != nil {
		return s.strided.gather(begin, end)
	}
	return s.data[begin:end:end]
}

// pin keeps the mapping until close, even when the collector sees no reference to it.
func (s *source) pin() {
	if s.mapped {
		s.undo.Stop()
	}
}

// forget tells the system that pages wholly inside [begin, end) need not stay resident, if it can read them again.
func (s *source) forget(begin, end int) {
	if !s.paged || begin == end || s.closed.Load() { // other memory may lie where a closed mapping was
		return
	}
	page := os.Getpagesize()
	first := int(uintptr(unsafe.Pointer(unsafe.SliceData(s.data))) % uintptr(page)) // of an embedded file, in its page
	begin, end = (first+begin+page-1)/page*page-first, (first+end)/page*page-first
	if begin < end {
		dropPages(s.data[begin:end])
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
