package checkpoint

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

func mustOpen(t *testing.T, path string) *File {
	t.Helper()
	return openWith(t, path, OpenOptions{})
}

func openWith(t *testing.T, path string, opts OpenOptions) *File {
	t.Helper()
	f, err := Open(path, opts)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func floatsOf(t *testing.T, f *File, name string) []float32 {
	t.Helper()
	x, ok := f.Tensor(name)
	if !ok {
		t.Fatalf("no tensor %q", name)
	}
	v := make([]float32, x.Len())
	if err := x.Floats(v); err != nil {
		t.Fatal(err)
	}
	return v
}

// sameBits compares float32 values by their bits, but any NaN with any other.
func sameBits(a, b []float32) bool {
	return slices.EqualFunc(a, b, func(a, b float32) bool {
		return math.Float32bits(a) == math.Float32bits(b) || (a != a && b != b)
	})
}

// TestTypes reads every type as Python wrote it; the file holds the expected float32 and int64 values.
func TestTypes(t *testing.T) {
	f := mustOpen(t, "testdata/types.safetensors")
	compared := 0
	for x := range f.Tensors() {
		if want, ok := f.Tensor(x.Name + ".as_float32"); ok {
			compared++
			if !slices.Equal(x.Shape, []int{4, 8}) {
				t.Errorf("%s: found shape %v", x.Name, x.Shape)
			}
			if a, b := floatsOf(t, f, x.Name), floatsOf(t, f, want.Name); !sameBits(a, b) {
				t.Errorf("%s: expected %v, found %v", x.Name, b, a)
			}
		}
		if want, ok := f.Tensor(x.Name + ".as_int64"); ok {
			compared++
			a, b := make([]int64, x.Len()), make([]int64, x.Len())
			if err := errors.Join(x.Ints(a), want.Ints(b)); err != nil || !slices.Equal(a, b) {
				t.Errorf("%s: expected %v, found %v, %v", x.Name, b, a, err)
			}
		}
	}
	if compared != 12 {
		t.Errorf("expected to compare 12 types, compared %d", compared)
	}
	for _, c := range []struct {
		name  string
		dtype DType
		shape string
		err   string // of Floats
	}{
		{"scalar", F32, "[]", ""},
		{"scalar_int", I64, "[]", "expected F64, F32, F16 or BF16, found I64"},
		{"empty", F32, "[0]", ""},
		{"empty.2d", F32, "[3 0 5]", ""},
		{"bool", Bool, "[1 3]", "found BOOL"},
		{"float8_e4m3fn", F8E4M3, "[2]", "found F8_E4M3"},
		{"float8_e5m2", F8E5M2, "[2]", "found F8_E5M2"},
		{"complex64", C64, "[1]", "found C64"},
		{"näme \"with\" \\ and\n", F32, "[1]", ""},
	} {
		x, ok := f.Tensor(c.name)
		if !ok || x.DType != c.dtype || fmt.Sprint(x.Shape) != c.shape {
			t.Errorf("%q: expected %s %s, found %v %s %v", c.name, c.dtype, c.shape, ok, x.DType, x.Shape)
			continue
		}
		if err := x.Floats(make([]float32, x.Len())); (err == nil) != (c.err == "") || (err != nil && !strings.Contains(err.Error(), c.err)) {
			t.Errorf("%q: expected error %q, found %v", c.name, c.err, err)
		}
	}
	one := make([]int64, 1)
	x, _ := f.Tensor("uint64.beyond")
	if err := x.Ints(one); err == nil || !strings.Contains(err.Error(), "beyond int64") {
		t.Errorf("uint64.beyond: found %v", err)
	}
	x, _ = f.Tensor("scalar_int")
	if err := x.Ints(one); err != nil || one[0] != -7 {
		t.Errorf("scalar_int: found %d, %v", one[0], err)
	}
	if err := x.Ints(nil); err == nil {
		t.Error("Ints into too little room: expected an error")
	}
	if x, _ = f.Tensor("scalar"); x.Floats(nil) == nil || x.Floats(make([]float32, 2)) == nil {
		t.Error("Floats into the wrong room: expected an error")
	}
	if _, ok := f.Tensor("none"); ok {
		t.Error("found a tensor that is not there")
	}
	if v, ok := f.Metadata("script"); !ok || v != "checkpoint.py" {
		t.Errorf("metadata: found %q, %v", v, ok)
	}
	names := slices.Collect(f.Names())
	if len(names) != f.Len() || !slices.IsSorted(names) {
		t.Errorf("names: found %q", names)
	}
}

// TestHalfWidens compares all of binary16 with its definition.
func TestHalfWidens(t *testing.T) {
	for h := range 1 << 16 {
		sign, exp, frac := 1-2*float64(h>>15), h>>10&0x1f, float64(h&0x3ff)
		want := math.Inf(int(sign))
		switch {
		case exp == 0x1f && frac != 0:
			want = math.NaN()
		case exp == 0:
			want = math.Copysign(math.Ldexp(frac, -24), sign)
		case exp < 0x1f:
			want = sign * math.Ldexp(1024+frac, exp-25)
		}
		got := fromF16(uint16(h))
		if !sameBits([]float32{got}, []float32{float32(want)}) {
			t.Fatalf("%#04x: expected %v, found %v", h, want, got)
		}
		if back, ok := toF16(got); ok != true || (back != uint16(h) && want == want) {
			t.Fatalf("%#04x: comes back as %#04x", h, back)
		}
	}
}

func TestWaysToOpen(t *testing.T) {
	data, err := os.ReadFile("testdata/timm.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := Parse("memory", data, OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	want := floatsOf(t, parsed, "blocks.0.attn.qkv.weight")
	files := map[string]*File{
		"open":     mustOpen(t, "testdata/timm.safetensors"),
		"unmapped": openWith(t, "testdata/timm.safetensors", OpenOptions{Unmapped: true}),
	}
	for name, fsys := range map[string]fs.FS{
		"os.DirFS": os.DirFS("testdata"),
		"map":      fstest.MapFS{"timm.safetensors": {Data: data}},
	} {
		if files[name], err = OpenFS(fsys, "timm.safetensors", OpenOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	for name, f := range files {
		mapped := (name == "open" || name == "os.DirFS") && runtime.GOOS != "windows" && runtime.GOOS != "js"
		if f.sources[0].mapped != mapped {
			t.Errorf("%s: mapped is %v", name, f.sources[0].mapped)
		}
		if got := floatsOf(t, f, "blocks.0.attn.qkv.weight"); !slices.Equal(got, want) {
			t.Errorf("%s: found %v", name, got)
		}
		x, _ := f.Tensor("blocks.0.attn.qkv.weight")
		if v, ok := x.View(); mapped && (!ok || !slices.Equal(v, want)) {
			t.Errorf("%s: view %v %v", name, ok, v)
		}
		f.sources[0].forget(0, len(data))
		if got := floatsOf(t, f, "blocks.0.attn.qkv.weight"); !slices.Equal(got, want) {
			t.Errorf("%s: other values after the pages were given back", name)
		}
		if err := errors.Join(f.Close(), f.Close()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		func() {
			defer func() {
				if r := recover(); r == nil || !strings.Contains(fmt.Sprint(r), "after its file was closed") {
					t.Errorf("%s: reading after Close: %v", name, r)
				}
			}()
			x.Floats(make([]float32, x.Len()))
		}()
	}
}

// TestMappingLives drops the File and keeps a tensor, then a view, across collections.
func TestMappingLives(t *testing.T) {
	for range 20 {
		x, _ := mustOpen(t, "testdata/timm.safetensors").Tensor("head.weight")
		runtime.GC()
		v, ok := x.View()
		x = Tensor{}
		runtime.GC()
		runtime.GC()
		if ok && v[0] != v[0] {
			t.Error("NaN in view")
		}
	}
}

func TestViewNeedsAlignment(t *testing.T) {
	data := safetensors(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"b":{"dtype":"F32","shape":[1],"data_offsets":[1,5]}}`,
		[]byte{7, 0, 0, 0x80, 0x3f})
	f, err := Parse("x", data, OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	b, _ := f.Tensor("b")
	if v, ok := b.View(); ok && v[0] != 1 {
		t.Errorf("view found %v", v)
	}
	// One of four neighboring placements is aligned, the others are not.
	views := 0
	for shift := range 4 {
		moved := append(make([]byte, shift, shift+len(data)), data...)
		f, err := Parse("x", moved[shift:], OpenOptions{})
		if err != nil {
			t.Fatal(err)
		}
		b, _ := f.Tensor("b")
		if _, ok := b.View(); ok {
			views++
		}
		if v := floatsOf(t, f, "b"); v[0] != 1 {
			t.Errorf("shift %d: found %v", shift, v)
		}
	}
	if views != 1 {
		t.Errorf("expected a view at one of four placements, found %d", views)
	}
}

func TestSharded(t *testing.T) {
	whole := mustOpen(t, "testdata/hub.safetensors")
	byPath := mustOpen(t, "testdata/sharded/model.safetensors.index.json")
	byFolder, err := OpenFolder(os.DirFS("testdata/sharded"), OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range []*File{byPath, byFolder} {
		if f.Len() != whole.Len() {
			t.Errorf("expected %d tensors, found %d", whole.Len(), f.Len())
		}
		for x := range whole.Tensors() {
			y, ok := f.Tensor(x.Name)
			if !ok || !slices.Equal(x.Shape, y.Shape) || string(x.Bytes()) != string(y.Bytes()) {
				t.Errorf("%s differs", x.Name)
			}
		}
	}
}

func TestOpenFolder(t *testing.T) {
	data, _ := os.ReadFile("testdata/timm.safetensors")
	if f, err := OpenFolder(fstest.MapFS{SafetensorsName: {Data: data}}, OpenOptions{}); err != nil || f.Len() != 6 {
		t.Errorf("found %v", err)
	}
	_, err := OpenFolder(fstest.MapFS{"config.json": {}}, OpenOptions{})
	if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "neither") {
		t.Errorf("found %v", err)
	}
	_, err = OpenFolder(fstest.MapFS{IndexName: {Data: []byte(`{"weight_map":{"x":"gone.safetensors"}}`)}}, OpenOptions{})
	if !errors.Is(err, fs.ErrNotExist) || strings.Contains(err.Error(), "neither") || !strings.Contains(err.Error(), "gone") {
		t.Errorf("found %v", err)
	}
	for _, name := range []string{"testdata/none.safetensors", "testdata", "testdata/", ""} {
		if _, err := Open(name, OpenOptions{}); err == nil {
			t.Errorf("%q: expected an error", name)
		}
	}
}

// The Hugging Face cache lays a snapshot out as symbolic links into a folder of blobs.
func TestSymbolicLinks(t *testing.T) {
	dir := t.TempDir()
	data, _ := os.ReadFile("testdata/timm.safetensors")
	blobs, snapshot := filepath.Join(dir, "blobs"), filepath.Join(dir, "snapshots", "1")
	if err := errors.Join(os.MkdirAll(blobs, 0o755), os.MkdirAll(snapshot, 0o755), os.WriteFile(filepath.Join(blobs, "abc"), data, 0o644)); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join("..", "..", "blobs", "abc"), filepath.Join(snapshot, SafetensorsName)); err != nil {
		t.Skipf("needs symbolic links: %v", err)
	}
	if _, err := OpenFolder(os.DirFS(snapshot), OpenOptions{}); err != nil {
		t.Error(err)
	}
}

// TestLinkToDevice expects an error for a link to a device that has no end.
func TestLinkToDevice(t *testing.T) {
	const device = "/dev/zero"
	if _, err := os.Stat(device); err != nil {
		t.Skip("no " + device)
	}
	dir := t.TempDir()
	if err := os.Symlink(device, filepath.Join(dir, SafetensorsName)); err != nil {
		t.Skipf("needs symbolic links: %v", err)
	}
	if _, err := OpenFolder(os.DirFS(dir), OpenOptions{}); err == nil || !strings.Contains(err.Error(), "found a device") {
		t.Errorf("expected an error, found %v", err)
	}
}

// safetensors assembles a file from a header and data.
func safetensors(header string, data []byte) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	return append(append(b, header...), data...)
}
