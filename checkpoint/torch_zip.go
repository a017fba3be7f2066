package checkpoint

import (
	"archive/zip"
	"bytes"
	"cmp"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
)

// torch.save writes a zip archive with one folder. It holds the pickle data.pkl, the storages data/KEY, byteorder, and
// entries that are not used here. Storages are not compressed, so that they can be used in place.
//
// An archive of TorchScript (torch.jit.save) has the same entries, and the program of the model in code/ and
// constants.pkl. Its pickle holds objects of classes __torch__.…, of which only the tensors are read.
const (
	zipMagic = "PK\x03\x04"

	// An archive that another program wrote may be compressed. Weights hardly shrink, so an archive that inflates to
	// more than this many times the file, and some room for small ones, is refused.
	inflateRate = 16
	inflateRoom = 1 << 20

	// deflateMost is a little more than the highest ratio of the deflate format.
	deflateMost = 1100
)

// parseTorchZip returns the weights in an archive of PyTorch or NumPy, and the sources that hold inflated data.
func parseTorchZip(src *source, root []string) (*torchContents, []*source, error) {
	fail := func(format string, args ...any) (*torchContents, []*source, error) {
		return nil, nil, formatErrorf(src.name, "", format, args...)
	}
	allowed := allowanceFor(len(src.data))
	a, err := openTorchArchive(src, allowed)
	if err != nil {
		return fail("zip archive: %w", err)
	}
	if a.folder == "" {
		if !a.holdsArrays() {
			return fail("zip archive: expected a folder with data.pkl among its %d entries, or arrays of NumPy: not a PyTorch file", len(a.entries))
		}
		if len(root) > 0 {
			return fail("expected a PyTorch file to look for the root %q in, found arrays of NumPy, which have no roots", root)
		}
		c, err := a.arrays()
		return c, a.sources, err
	}
	for _, name := range []string{"byteorder", "data.pkl"} {
		if e := a.entry(name); e != nil && e.Method != zip.Store && allowed.spend(int(min(e.UncompressedSize64, math.MaxInt32))) != nil {
			return fail("entry %q inflates to %d bytes: more than the file's length allows", a.folder+name, e.UncompressedSize64)
		}
	}
	if e := a.entry("byteorder"); e != nil {
		order, err := a.read(e)
		if err != nil {
			return fail("%w", err)
		}
		if string(order) != "little" {
			return fail("expected byteorder little, found %.16q", order)
		}
	}
	pkl, err := a.read(a.entry("data.pkl"))
	if err != nil {
		return fail("%w", err)
	}
	storages := torchStorageSet{allowed: allowed}
	m := &pickleMachine{b: pkl, allowed: allowed, storage: storages.named, script: a.entry("constants.pkl") != nil}
	value, err := m.unpickle()
	if err == nil && m.pos != len(pkl) {
		err = fmt.Errorf("the pickle ends after %d of its %d bytes", m.pos, len(pkl))
	}
	if err != nil {
		return fail("data.pkl: %w", err)
	}
	for _, s := range storages.order {
		a.place(s)
	}
	c, err := torchTensors(src.name, value, root, allowed)
	if err != nil {
		return nil, nil, err
	}
	if len(c.tensors) == 0 && a.entry("constants/0") != nil {
		return fail("expected the tensors of modules, found only constants, which have no names, as in a frozen TorchScript program: " +
			"save it before torch.jit.freeze")
	}
	for _, s := range storages.order {
		if s.err != nil { // its tensor is not among the weights
			return fail("storage %q: %w", s.key, s.err)
		}
	}
	return c, a.sources, nil
}

// A torchArchive is a zip archive whose entries do not overlap.
type torchArchive struct {
	src      *source
	folder   string // with a slash at its end
	entries  map[string]*zipEntry
	inflated uint64
	sources  []*source // of inflated data
}

type zipEntry struct {
	*zip.File
	begin, end int // of the stored or compressed bytes in the file
}

// openTorchArchive reads the directory of an archive and checks it.
func openTorchArchive(src *source, allowed *allowance) (*torchArchive, error) {
	r := &directoryReader{bytes.NewReader(src.data), allowed}
	z, err := zip.NewReader(r, int64(len(src.data)))
	if err != nil {
		return nil, err
	}
	r.allowed = nil
	a := &torchArchive{src: src, entries: make(map[string]*zipEntry, len(z.File))}
	list := make([]*zipEntry, 0, len(z.File))
	for _, f := range z.File {
		name := f.Name[:min(len(f.Name), maxName)]
		if a.entries[f.Name] != nil {
			return nil, fmt.Errorf("entry %q is given twice", name)
		}
		at, err := f.DataOffset()
		if err != nil {
			return nil, fmt.Errorf("entry %q: %w", name, err)
		}
		if at < 0 || at > int64(len(src.data)) || f.CompressedSize64 > uint64(len(src.data))-uint64(at) {
			return nil, fmt.Errorf("entry %q of %d bytes at offset %d goes past the end of the file", name, f.CompressedSize64, at)
		}
		e := &zipEntry{File: f, begin: int(at), end: int(at) + int(f.CompressedSize64)}
		a.entries[f.Name] = e
		list = append(list, e)
		if folder, ok := strings.CutSuffix(f.Name, "/data.pkl"); ok && !strings.Contains(folder, "/") {
			if a.folder != "" {
				return nil, fmt.Errorf("entry %q is a second data.pkl, after %q", name, a.folder+"data.pkl")
			}
			a.folder = folder + "/"
		}
	}
	slices.SortFunc(list, func(a, b *zipEntry) int { return cmp.Or(a.begin-b.begin, a.end-b.end) })
	for i := 1; i < len(list); i++ {
		if before, e := list[i-1], list[i]; e.begin < before.end {
			return nil, fmt.Errorf("entry %q overlaps entry %q", e.Name[:min(len(e.Name), maxName)], before.Name[:min(len(before.Name), maxName)])
		}
	}
	return a, nil
}

// A directoryReader spends the memory that the entries of an archive take, as their records are read. Without an
// allowance it only reads.
type directoryReader struct {
	file    *bytes.Reader
	allowed *allowance
}

const (
	zipRecord     = "PK\x01\x02" // begins the record of an entry
	zipRecordCost = 350          // of the library's description of an entry, and ours
)

func (r *directoryReader) ReadAt(p []byte, at int64) (int, error) {
	n, err := r.file.ReadAt(p, at)
	if r.allowed != nil {
		if err := r.allowed.spend(zipRecordCost * bytes.Count(p[:n], []byte(zipRecord))); err != nil {
			return 0, err
		}
	}
	return n, err
}

// entry returns the entry of the folder with the name, or nil.
func (a *torchArchive) entry(name string) *zipEntry { return a.entries[a.folder+name] }

// read returns the bytes of an entry: in place, or inflated.
func (a *torchArchive) read(e *zipEntry) ([]byte, error) {
	const encrypted = 1
	shown := e.Name[:min(len(e.Name), maxName)]
	switch {
	case e.Flags&encrypted != 0:
		return nil, fmt.Errorf("entry %q is encrypted", shown)
	case e.Method == zip.Store:
		if e.UncompressedSize64 != e.CompressedSize64 {
			return nil, fmt.Errorf("entry %q is stored in %d bytes and declares %d", shown, e.CompressedSize64, e.UncompressedSize64)
		}
		return a.src.data[e.begin:e.end:e.end], nil
	case e.Method != zip.Deflate:
		return nil, fmt.Errorf("entry %q is compressed by method %d: expected stored or deflated", shown, e.Method)
	}
	size := e.UncompressedSize64
	if size > deflateMost*(e.CompressedSize64+1) || size > math.MaxInt {
		return nil, fmt.Errorf("entry %q declares %d bytes, more than its %d compressed ones can hold", shown, size, e.CompressedSize64)
	}
	if a.inflated += size; a.inflated > inflateRoom+inflateRate*uint64(len(a.src.data)) {
		return nil, fmt.Errorf("entry %q inflates to %d bytes: more than %d times the file in all", shown, size, inflateRate)
	}
	r, err := e.Open()
	if err != nil {
		return nil, fmt.Errorf("entry %q: %w", shown, err)
	}
	defer r.Close()
	data := make([]byte, size)
	if _, err := io.ReadFull(r, data); err != nil {
		return nil, fmt.Errorf("entry %q: %w", shown, err)
	}
	// Reading to the end of the entry compares its checksum.
	switch n, err := r.Read(make([]byte, 1)); {
	case n != 0:
		return nil, fmt.Errorf("entry %q is longer than the %d bytes that it declares", shown, size)
	case err != io.EOF:
		return nil, fmt.Errorf("entry %q: %w", shown, err)
	}
	return data, nil
}

// place finds the data of a storage.
func (a *torchArchive) place(s *torchStorage) {
	e := a.entry("data/" + s.key)
	switch {
	case e == nil:
		s.err = fmt.Errorf("expected an entry %q in the archive, not found", a.folder+"data/"+s.key[:min(len(s.key), maxName)])
	case e.UncompressedSize64 != uint64(s.bytes()):
		s.err = fmt.Errorf("expected %d bytes, found %d", s.bytes(), e.UncompressedSize64)
	case e.Method == zip.Store:
		_, s.err = a.read(e)
		s.src, s.begin, s.end = a.src, e.begin, e.end
	default: // inflated on first use
		s.err = nil
		s.fetch = func() error {
			data, err := a.read(e)
			s.src, s.begin, s.end = &source{name: a.src.name, data: data}, 0, len(data)
			a.sources = append(a.sources, s.src)
			return err
		}
	}
}
