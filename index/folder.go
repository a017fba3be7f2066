package index

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"

	"github.com/fovea-ml/fovea/checkpoint"
	"github.com/fovea-ml/fovea/internal/atomicfile"
	"github.com/fovea-ml/fovea/internal/filelock"
)

// Create makes an empty index in a folder, and the folder where it does not exist. A folder that holds an index, or
// files of one that lost its manifest, gives an error in which errors.Is finds fs.ErrExist.
func Create(dir string, o Options) (*Index, error) {
	x, err := create(dir, o)
	if err != nil {
		return nil, fmt.Errorf("index: create %s: %w", dir, err)
	}
	return x, nil
}

func create(dir string, o Options) (*Index, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, err
	}
	f := &folder{dir: dir}
	if err := f.lock(); err != nil {
		return nil, err
	}
	if err := f.checkEmpty(); err != nil {
		f.unlock()
		return nil, err
	}
	if err := f.manifest(o, nil).write(f.path(manifestName)); err != nil {
		f.unlock()
		return nil, err
	}
	return newIndex(o, nil, f), nil
}

// checkEmpty returns an error when the folder holds a manifest or vectors. Vectors without a manifest are an index that
// was damaged; a new index would remove them.
func (f *folder) checkEmpty() error {
	entries, err := os.ReadDir(f.dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Name() == manifestName {
			return fmt.Errorf("%s: %w", manifestName, fs.ErrExist)
		}
		if _, rows := fileNumber(e.Name(), rowsPrefix); rows {
			return fmt.Errorf("%s: %w, without %s: the folder holds a damaged index", e.Name(), fs.ErrExist, manifestName)
		}
	}
	return nil
}

// OpenOptions change how Open works. The zero value opens for reading and writing.
type OpenOptions struct {
	// ReadOnly leaves the folder as it is, for any number of readers beside one writer. The Index stays as it is opened,
	// whatever the writer does.
	ReadOnly bool
}

// Open opens the index in a folder. Vectors are mapped into memory where the system can do that, so they are read when
// a search first needs them. Ids are checked at once.
//
// One Index at a time may have a folder open for writing; others get ErrLocked. A folder without an index gives an
// error in which errors.Is finds fs.ErrNotExist. Open removes what a writer that was killed left behind.
func Open(dir string, o OpenOptions) (*Index, error) {
	x, err := open(dir, o)
	if err != nil {
		return nil, fmt.Errorf("index: open %s: %w", dir, err)
	}
	return x, nil
}

func open(dir string, o OpenOptions) (*Index, error) {
	f := &folder{dir: dir}
	if _, err := os.Stat(f.path(manifestName)); err != nil {
		return nil, err // no lock file for a folder without an index
	}
	if !o.ReadOnly {
		if err := f.lock(); err != nil {
			return nil, err
		}
	}
	x, m, err := f.read()
	for o.ReadOnly && errors.Is(err, fs.ErrNotExist) {
		// A writer may have replaced a file after the manifest was read. Then there is another manifest.
		last := m
		if x, m, err = f.read(); reflect.DeepEqual(m, last) {
			break
		}
	}
	if err != nil {
		f.unlock()
		return nil, err
	}
	if o.ReadOnly {
		x.failed = ErrReadOnly
	} else {
		f.removeOthers(x.state.Load().segments)
	}
	return x, nil
}

// A folder is where an index is kept: immutable files of segments and of deleted rows, and a manifest that lists them.
// A change writes new files and then replaces the manifest.
type folder struct {
	dir  string
	next int // the number of the next file
	held *os.File
}

func (f *folder) path(name string) string { return filepath.Join(f.dir, name) }

// lock makes this the only writer, on systems that have locks.
func (f *folder) lock() error {
	held, err := filelock.Open(f.path("index.lock"))
	if errors.Is(err, errors.ErrUnsupported) {
		return nil
	} else if err != nil {
		return err
	}
	locked, err := filelock.Try(held)
	switch {
	case errors.Is(err, filelock.ErrNoLocks):
		return held.Close()
	case err == nil && !locked:
		err = ErrLocked
	}
	if err != nil {
		held.Close()
		return err
	}
	f.held = held
	return nil
}

func (f *folder) unlock() error {
	if f.held == nil {
		return nil
	}
	held := f.held
	f.held = nil
	return held.Close()
}

// read opens what the manifest lists. It returns the manifest with an error too.
func (f *folder) read() (*Index, manifest, error) {
	m, o, err := readManifest(f.dir)
	if err != nil {
		return nil, m, fmt.Errorf("%s: %w", manifestName, err)
	}
	f.next = m.Next
	var segments []*segment
	for _, s := range m.Segments {
		g, err := f.readSegment(o, s.File, s.Rows)
		if err != nil {
			return nil, m, err
		}
		if s.Deleted != "" {
			deleted, err := f.readDeleted(s.Deleted, s.Rows)
			if err != nil {
				return nil, m, err
			}
			g = g.without(deleted)
			g.deletedFile = s.Deleted
		}
		segments = append(segments, g)
	}
	if id, twice := repeated(segments); twice {
		return nil, m, fmt.Errorf("id %d is in two segments", id)
	}
	return newIndex(o, segments, f), m, nil
}

func (f *folder) readSegment(o Options, name string, n int) (*segment, error) {
	file, err := checkpoint.Open(f.path(name), checkpoint.OpenOptions{})
	if err != nil {
		return nil, err
	}
	r, err := readRows(file, o, n)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return &segment{rows: r, file: name}, nil
}

// deletedTensor is the tensor in a file of deleted rows: U32 [n], ascending.
const deletedTensor = "rows"

func (f *folder) readDeleted(name string, rows int) ([]int, error) {
	file, err := checkpoint.Open(f.path(name), checkpoint.OpenOptions{Unmapped: true})
	if err != nil {
		return nil, err
	}
	t, ok := file.Tensor(deletedTensor)
	if !ok || file.Len() != 1 || t.DType != checkpoint.U32 || len(t.Shape) != 1 || t.Len() > rows {
		return nil, fmt.Errorf("%s: expected one tensor %q, U32 and of at most %d elements", name, deletedTensor, rows)
	}
	list := make([]int64, t.Len())
	if err := t.Ints(list); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	deleted := make([]int, len(list))
	for i, row := range list {
		if row >= int64(rows) || i > 0 && row <= list[i-1] {
			return nil, fmt.Errorf("%s: expected ascending rows below %d, found %d at %d", name, rows, row, i)
		}
		deleted[i] = int(row)
	}
	return deleted, nil
}

// repeated finds an id that two segments have. Segments whose ids lie apart are not searched.
func repeated(segments []*segment) (id int64, twice bool) {
	apart := slices.Clone(segments)
	slices.SortFunc(apart, func(a, b *segment) int { return cmp.Compare(a.ids[0], b.ids[0]) })
	overlap := false
	for i, g := range apart {
		overlap = overlap || i > 0 && g.ids[0] <= apart[i-1].ids[len(apart[i-1].ids)-1]
	}
	if !overlap {
		return 0, false
	}
	var ids []int64
	for _, g := range segments {
		for row, id := range g.ids {
			if !g.isDeleted(row) {
				ids = append(ids, id)
			}
		}
	}
	slices.Sort(ids)
	for i := 1; i < len(ids); i++ {
		if ids[i] == ids[i-1] {
			return ids[i], true
		}
	}
	return 0, false
}

// write writes n joined rows as a new segment, the rows that were deleted from others, and the manifest. An error
// before the manifest changes nothing. After one in writing it, the folder may hold either state, so failed is set.
func (f *folder) write(o Options, segments []*segment, runs []run, n int, failed *error) (_ []*segment, err error) {
	if f.next > maxFiles-1-len(segments) {
		return nil, fmt.Errorf("the numbers of files, up to %d, are used up", maxFiles)
	}
	from := f.next
	defer func() {
		if err != nil && *failed == nil {
			for i := from; i < f.next; i++ {
				os.Remove(f.path(fileName(rowsPrefix, i)))
				os.Remove(f.path(fileName(deletedPrefix, i)))
			}
		}
	}()
	name := func(prefix string) string {
		f.next++
		return fileName(prefix, f.next-1)
	}
	for i, g := range segments {
		if g.gone == 0 || g.deletedFile != "" {
			continue
		}
		d := *g
		d.deletedFile = name(deletedPrefix)
		e := checkpoint.Entry{Name: deletedTensor, Shape: []int{g.gone}, Ints: g.deletedRows(), DType: checkpoint.U32}
		if err := checkpoint.Write(f.path(d.deletedFile), []checkpoint.Entry{e}, checkpoint.WriteOptions{}); err != nil {
			return nil, err
		}
		segments[i] = &d
	}
	if n > 0 {
		file := name(rowsPrefix)
		if err := checkpoint.Write(f.path(file), entries(o, runs, n), checkpoint.WriteOptions{}); err != nil {
			return nil, err
		}
		g, err := f.readSegment(o, file, n)
		if err != nil {
			return nil, err
		}
		segments = append(segments, g)
	}
	if err := f.manifest(o, segments).write(f.path(manifestName)); err != nil {
		*failed = fmt.Errorf("the manifest may or may not be written (%w): open the folder again", err)
		return nil, *failed
	}
	return segments, nil
}

func (f *folder) manifest(o Options, segments []*segment) manifest {
	m := manifest{Version: manifestVersion, Dim: o.Dim, Type: o.Type.String(), Metric: o.Metric.String(), Next: f.next, Segments: []manifestSegment{}}
	for _, g := range segments {
		m.Segments = append(m.Segments, manifestSegment{File: g.file, Rows: len(g.ids), Deleted: g.deletedFile})
	}
	return m
}

// removeOthers removes the index's files that are not those of segments. What cannot be removed does no harm.
func (f *folder) removeOthers(segments []*segment) {
	used := map[string]bool{}
	for _, g := range segments {
		used[g.file], used[g.deletedFile] = true, true
	}
	names, err := os.ReadDir(f.dir)
	if err != nil {
		return
	}
	for _, entry := range names {
		name := entry.Name()
		target, temporary := atomicfile.Target(name)
		if !temporary {
			target = name
		}
		_, isRows := fileNumber(target, rowsPrefix)
		_, isDeleted := fileNumber(target, deletedPrefix)
		if (isRows || isDeleted || temporary && target == manifestName) && !used[name] {
			os.Remove(f.path(name))
		}
	}
}
