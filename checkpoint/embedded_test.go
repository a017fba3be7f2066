package checkpoint

import (
	"bytes"
	"embed"
	"errors"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"
	"unsafe"

	"github.com/fovea-ml/fovea/autograd"
)

// A file of some size, which the compiler puts into read-only memory: a write to it ends the program.
//
//go:embed testdata/half.safetensors
var embedded string

//go:embed testdata/half.safetensors testdata/sharded
var embeddedFS embed.FS

// within reports whether values lie in the memory of s.
func within(values []float32, s string) bool {
	p, begin := uintptr(unsafe.Pointer(unsafe.SliceData(values))), uintptr(unsafe.Pointer(unsafe.StringData(s)))
	return p >= begin && p+4*uintptr(len(values)) <= begin+uintptr(len(s))
}

// TestEmbeddedInPlace reads an embedded file in place, in each way, and then writes to parameters.
func TestEmbeddedInPlace(t *testing.T) {
	for name, open := range map[string]func() (*File, error){
		"string": func() (*File, error) { return ParseString("half", embedded, OpenOptions{}) },
		"file":   func() (*File, error) { return OpenFS(Embedded{"half": embedded}, "half", OpenOptions{}) },
		"folder": func() (*File, error) { return OpenFolder(Embedded{SafetensorsName: embedded}, OpenOptions{}) },
		"read": func() (*File, error) {
			return OpenFolder(Embedded{SafetensorsName: embedded}, OpenOptions{Unmapped: true})
		},
	} {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			f, err := open()
			if err != nil {
				t.Fatal(err)
			}
			x, _ := f.Tensor("x")
			view, ok := x.View()
			if !ok || !within(view, embedded) {
				t.Fatalf("view %v, in the string %v", ok, within(view, embedded))
			}
			p := autograd.NewParameter(x.Shape...)
			names := &Names{Ignore: []string{"x.*"}}
			params := maps.All(map[string]*autograd.Parameter{"x": p})
			if _, err := Load(f, names, params, LoadOptions{Map: true}); err != nil {
				t.Fatal(err)
			}
			runtime.ReadMemStats(&after)
			if took := after.TotalAlloc - before.TotalAlloc; took > uint64(len(embedded)) {
				t.Errorf("took %d bytes for a file of %d", took, len(embedded))
			}
			if !within(p.Values(), embedded) {
				t.Error("the parameter has a copy")
			}
			was := p.Values()[1]
			p.Update(func(v []float32) { v[1]++ })
			if within(p.Values(), embedded) || p.Values()[1] == was || view[1] != was {
				t.Errorf("after a write: in the string %v, %v became %v, the file has %v", within(p.Values(), embedded), was, p.Values()[1], view[1])
			}
			if err := f.Close(); err != nil || view[1] != was {
				t.Errorf("after Close: %v, %v", err, view[1])
			}
		})
	}
}

// TestEmbeddedUnaligned moves a file to each address modulo four: values are the same, in place or copied.
func TestEmbeddedUnaligned(t *testing.T) {
	want := floatsOf(t, mustOpen(t, "testdata/half.safetensors"), "x")
	inPlace := 0
	for shift := range 4 {
		moved := (strings.Repeat(" ", shift) + embedded)[shift:]
		f, err := ParseString("half", moved, OpenOptions{})
		if err != nil {
			t.Fatal(err)
		}
		p := autograd.NewParameter(len(want))
		if _, err := Load(f, &Names{Ignore: []string{"x.*"}}, maps.All(map[string]*autograd.Parameter{"x": p}), LoadOptions{Map: true}); err != nil {
			t.Fatal(err)
		}
		if !sameBits(p.Values(), want) {
			t.Errorf("shifted by %d: other values", shift)
		}
		if within(p.Values(), moved) {
			inPlace++
		}
	}
	if inPlace != 1 {
		t.Errorf("in place at %d of 4 addresses, expected 1", inPlace)
	}
}

// TestEmbedFS reads from an embed.FS, which hands out copies: one copy of the file is made and used in place.
func TestEmbedFS(t *testing.T) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f, err := OpenFS(embeddedFS, "testdata/half.safetensors", OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if took := after.TotalAlloc - before.TotalAlloc; took > uint64(len(embedded))*3/2 {
		t.Errorf("took %d bytes for a file of %d", took, len(embedded))
	}
	if !sameBits(floatsOf(t, f, "x"), floatsOf(t, mustOpen(t, "testdata/half.safetensors"), "x")) {
		t.Error("other values")
	}
	x, _ := f.Tensor("x")
	p := autograd.NewParameter(x.Len())
	if _, err := Load(f, &Names{Ignore: []string{"x.*"}}, maps.All(map[string]*autograd.Parameter{"x": p}), LoadOptions{Map: true}); err != nil {
		t.Fatal(err)
	}
	if view, ok := x.View(); !ok || &view[0] != &p.Values()[0] {
		t.Error("what was read is copied once more")
	}
	sub, err := fs.Sub(embeddedFS, "testdata/sharded")
	if err != nil {
		t.Fatal(err)
	}
	if f, err := OpenFolder(sub, OpenOptions{}); err != nil || f.Len() != mustOpen(t, "testdata/hub.safetensors").Len() {
		t.Errorf("shards: %v", err)
	}
}

func TestEmbeddedFolder(t *testing.T) {
	e := Embedded{"a": "first", "b": "", "model.safetensors": embedded}
	if err := fstest.TestFS(e, "a", "b", "model.safetensors"); err != nil {
		t.Error(err)
	}
	if err := fstest.TestFS(Embedded{}); err != nil {
		t.Error(err)
	}
	for _, name := range []string{"none", "", "/a", "../a", "a/b", "."} {
		if data, err := fs.ReadFile(Embedded{"a": "", "a/b": "unreachable"}, name); err == nil {
			t.Errorf("%q: found %q", name, data)
		}
	}
}

// liar is a file system of one file that announces a false size.
type liar struct {
	says int64
	has  int
	at   bool // can be read anywhere
}

func (l liar) Open(string) (fs.File, error) {
	f := liarFile{liar: l, Reader: bytes.NewReader(make([]byte, l.has))}
	if l.at {
		return f, nil
	}
	return struct{ fs.File }{f}, nil
}

type liarFile struct {
	liar
	*bytes.Reader
}

func (f liarFile) Stat() (fs.FileInfo, error) { return f.liar, nil }
func (f liarFile) Size() int64                { return f.says }
func (f liarFile) Close() error               { return nil }
func (l liar) Name() string                   { return "liar" }
func (l liar) Size() int64                    { return l.says }
func (l liar) Mode() fs.FileMode              { return 0o444 }
func (l liar) ModTime() time.Time             { return time.Time{} }
func (l liar) IsDir() bool                    { return false }
func (l liar) Sys() any                       { return nil }

func TestReadWhole(t *testing.T) {
	for _, c := range []struct {
		says int64
		has  int
		want string
	}{
		{0, 0, ""}, {5, 5, ""}, {readStep - 1, readStep - 1, ""}, {readStep, readStep, ""}, {readStep + 1, readStep + 1, ""}, {5*readStep + 3, 5*readStep + 3, ""},
		{0, 1, "has more"}, {10, 11, "has more"}, {readStep + 1, readStep + 2, "has more"},
		{10, 9, "ends after 9"}, {1 << 60, 100, "ends after 100"}, {1 << 40, 3*readStep + 1, "ends after"}, {3 * readStep, 3*readStep - 1, "ends after"},
	} {
		for _, at := range []bool{false, true} {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			fsys := liar{c.says, c.has, at}
			f, _ := fsys.Open("x")
			data, err := readWhole(f, c.says)
			runtime.ReadMemStats(&after)
			if c.want == "" && (err != nil || len(data) != c.has) || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("%+v: found %d bytes, %v", fsys, len(data), err)
			}
			if took, limit := after.TotalAlloc-before.TotalAlloc, uint64(6*c.has+2*readStep); took > limit {
				t.Errorf("%+v: took %d bytes", fsys, took)
			}
		}
	}
}

// TestPipe expects an immediate error for a pipe without a writer.
func TestPipe(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, SafetensorsName)
	if err := mkfifo(path); err != nil {
		t.Skipf("needs named pipes: %v", err)
	}
	if err := os.Symlink(SafetensorsName, filepath.Join(dir, "link.safetensors")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "i.json"), []byte(`{"weight_map":{"x":"model.safetensors"}}`), 0o666); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 4)
	go func() {
		_, err := OpenFolder(os.DirFS(dir), OpenOptions{})
		ended <- err
		for _, name := range []string{SafetensorsName, "link.safetensors", "i.json"} {
			_, err := Open(filepath.Join(dir, name), OpenOptions{Unmapped: true})
			ended <- err
		}
	}()
	for range cap(ended) {
		select {
		case err := <-ended:
			if err == nil || !strings.Contains(err.Error(), "found a pipe") {
				t.Errorf("found %v", err)
			}
		case <-time.After(10 * time.Second):
			w, _ := os.OpenFile(path, os.O_WRONLY, 0)
			w.Close()
			t.Fatal("waits for the pipe")
		}
	}
}

var _ io.ReaderAt = (*embeddedFile)(nil)

// TestEmbeddedInPieces lists a folder two files at a time.
func TestEmbeddedInPieces(t *testing.T) {
	f, _ := Embedded{"c": "", "a": "", "b": ""}.Open(".")
	var names []string
	for {
		list, err := f.(fs.ReadDirFile).ReadDir(2)
		for _, e := range list {
			names = append(names, e.Name())
		}
		if errors.Is(err, io.EOF) {
			break
		}
	}
	if !slices.Equal(names, []string{"a", "b", "c"}) {
		t.Errorf("found %q", names)
	}
}

//go:embed testdata/half.safetensors
var embeddedBytes []byte // which a program may write to

// TestInFile expects that pages of embedded files may be dropped, and no memory that could not be read again.
func TestInFile(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux tells")
	}
	if !inFile(bytesOf(embedded)) {
		t.Error("an embedded string is not in the program's file")
	}
	if inFile(bytesOf(strings.Clone(embedded))) || inFile(embeddedBytes) || inFile(make([]byte, 1<<20)) || inFile(nil) {
		t.Error("memory that can be written to is taken for a file's")
	}
	f, err := ParseString("half", embedded, OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	want := floatsOf(t, f, "x")
	for begin := range 100 {
		f.sources[0].forget(begin, len(embedded)-37*begin)
	}
	if !sameBits(floatsOf(t, f, "x"), want) || embedded != string(embeddedBytes) {
		t.Error("other values after pages were dropped")
	}
	heap, err := ParseString("half", strings.Clone(embedded), OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	heap.sources[0].forget(0, len(embedded))
	if !sameBits(floatsOf(t, heap, "x"), want) {
		t.Error("the heap was dropped")
	}
}

// TestEmbeddedHalf keeps half-precision weights of an embedded file in place until they are written to.
func TestEmbeddedHalf(t *testing.T) {
	f, err := ParseString("half", embedded, OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"x.f16", "x.bf16"} {
		x, _ := f.Tensor(name)
		p := autograd.NewParameter(x.Shape...)
		rest := &Names{Ignore: []string{"x", "x.*"}}
		if _, err := Load(f, rest, maps.All(map[string]*autograd.Parameter{name: p}), LoadOptions{Map: true, KeepHalf: true}); err != nil {
			t.Fatal(err)
		}
		if p.DType() == autograd.Float32 {
			t.Errorf("%s was widened", name)
		}
		p.Update(func(v []float32) { v[0]++ })
		want := floatsOf(t, f, name)
		want[0]++
		if !sameBits(p.Values(), want) {
			t.Errorf("%s: other values after a write", name)
		}
	}
}
