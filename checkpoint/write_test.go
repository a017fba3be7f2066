package checkpoint

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/fovea-ml/fovea/internal/test/oracle"
)

// entries returns the tensors of written() in testdata/gen/checkpoint.py.
func entries() []Entry {
	weight := make([]float32, 12)
	for i := range weight {
		weight[i] = float32(i)/4 - 1
	}
	return []Entry{
		{Name: "layer.weight", Shape: []int{3, 4}, Floats: weight},
		{Name: "layer.bias", Shape: []int{3}, Floats: []float32{0.5, -0.5, 1024}},
		{Name: "ids", Shape: []int{3}, Ints: []int64{1, -1 << 62, 3}},
		{Name: "scalar", Floats: []float32{2.5}},
		{Name: "empty", Shape: []int{0, 3}, Floats: []float32{}},
		{Name: `odd "name" <&> é`, Shape: []int{1}, Floats: []float32{1}},
	}
}

func TestRoundTrip(t *testing.T) {
	for _, d := range []DType{Invalid, F32, F16, BF16} {
		f := encoded(t, entries(), WriteOptions{DType: d, Metadata: map[string]string{"who": "fovea"}})
		if f.Len() != len(entries()) {
			t.Errorf("%s: found %q", d, slices.Collect(f.Names()))
		}
		for _, e := range entries() {
			x, ok := f.Tensor(e.Name)
			if !ok || !slices.Equal(x.Shape, append([]int{}, e.Shape...)) {
				t.Errorf("%s: %s: found %v %v", d, e.Name, ok, x.Shape)
				continue
			}
			if e.Ints != nil {
				got := make([]int64, x.Len())
				if err := x.Ints(got); err != nil || !slices.Equal(got, e.Ints) {
					t.Errorf("%s: %s: found %v, %v", d, e.Name, got, err)
				}
				continue
			}
			if want := max(d, F16); x.DType != want && !(d == Invalid && x.DType == F32) {
				t.Errorf("%s: %s: found type %s", d, e.Name, x.DType)
			}
			if got := floatsOf(t, f, e.Name); !slices.Equal(got, e.Floats) {
				t.Errorf("%s: %s: expected %v, found %v", d, e.Name, e.Floats, got)
			}
			if x.begin%x.DType.Size() != 0 {
				t.Errorf("%s: %s is not aligned", d, e.Name)
			}
		}
		if who, _ := f.Metadata("who"); who != "fovea" {
			t.Error("metadata is lost")
		}
		if format, _ := f.Metadata("format"); format != "pt" {
			t.Error(`no "format"`)
		}
	}
}

func TestDeterministic(t *testing.T) {
	var want []byte
	for range 20 {
		e := entries()
		slices.Reverse(e)
		var b bytes.Buffer
		if err := Encode(&b, e, WriteOptions{Metadata: map[string]string{"a": "1", "b": "2", "c": "3"}}); err != nil {
			t.Fatal(err)
		}
		if want == nil {
			want = b.Bytes()
		}
		if !bytes.Equal(b.Bytes(), want) {
			t.Fatal("the same tensors made other bytes")
		}
	}
	if n := binary.LittleEndian.Uint64(want); n%8 != 0 {
		t.Errorf("header of %d bytes: data is not aligned", n)
	}
}

// TestRounding compares with PyTorch's rounding of the same numbers.
func TestRounding(t *testing.T) {
	f := mustOpen(t, "testdata/half.safetensors")
	x := floatsOf(t, f, "x")
	for d, name := range map[DType]string{F16: "x.f16", BF16: "x.bf16"} {
		got, _ := encoded(t, []Entry{{Name: "x", Shape: []int{len(x)}, Floats: x}}, WriteOptions{DType: d}).Tensor("x")
		want, _ := f.Tensor(name)
		if want.DType != d || !bytes.Equal(got.Bytes(), want.Bytes()) {
			for i := range x {
				if g, w := got.Bytes()[2*i:][:2], want.Bytes()[2*i:][:2]; !bytes.Equal(g, w) {
					t.Errorf("%s: %v: expected %x, found %x", d, x[i], w, g)
					break
				}
			}
		}
	}
	nan, inf := float32(math.NaN()), float32(math.Inf(-1))
	for _, d := range []DType{F16, BF16} {
		special := []float32{nan, inf, 0, float32(math.Copysign(0, -1)), math.Float32frombits(0x7f800001)}
		if got := floatsOf(t, encoded(t, []Entry{{Name: "x", Shape: []int{5}, Floats: special}}, WriteOptions{DType: d}), "x"); !sameBits(got, special) {
			t.Errorf("%s: %v became %v", d, special, got)
		}
	}
}

func TestEncodeErrors(t *testing.T) {
	none := func() []float32 { return nil }
	for _, c := range []struct {
		name    string
		entries []Entry
		opts    WriteOptions
		want    string
	}{
		{"type", nil, WriteOptions{DType: I8}, "expected F32, F16 or BF16, found I8"},
		{"twice", []Entry{{Name: "x", Floats: []float32{1}}, {Name: "x", Floats: []float32{1}}}, WriteOptions{}, `"x": the name is given twice`},
		{"reserved", []Entry{{Name: "__metadata__", Floats: []float32{1}}}, WriteOptions{}, "reserved"},
		{"length", []Entry{{Name: "x", Shape: []int{2}, Floats: []float32{1}}}, WriteOptions{}, "expected 2 values for shape [2], found 1"},
		{"ints length", []Entry{{Name: "x", Shape: []int{2}, Ints: []int64{1}}}, WriteOptions{}, "found 1"},
		{"nothing", []Entry{{Name: "x", Shape: []int{2}}}, WriteOptions{}, "found 0"},
		{"negative", []Entry{{Name: "x", Shape: []int{-1, -1}, Floats: []float32{1}}}, WriteOptions{}, "overflows"},
		{"overflow", []Entry{{Name: "x", Shape: []int{1 << 31, 1 << 31}, Floats: []float32{1}}}, WriteOptions{}, "overflows"},
		{"beyond F16", []Entry{{Name: "x", Shape: []int{2}, Floats: []float32{65519, 65520}}}, WriteOptions{DType: F16}, "value 65520 at index 1 is beyond the range of F16"},
		{"beyond BF16", []Entry{{Name: "x", Shape: []int{1}, Floats: []float32{math.MaxFloat32}}}, WriteOptions{DType: BF16}, "beyond the range of BF16"},
		{"bytes overflow", []Entry{{Name: "w", Shape: []int{1 << 59}, lazy: none}, {Name: "x", Shape: []int{1 << 59}, lazy: none}, {Name: "y", Shape: []int{1 << 59}, lazy: none}, {Name: "z", Shape: []int{1 << 59}, lazy: none}}, WriteOptions{}, `"z": the size of the file overflows`},
		{"name", []Entry{{Name: "a\xff", Floats: []float32{1}}}, WriteOptions{}, "not valid UTF-8"},
		{"floats as ints", []Entry{{Name: "x", Floats: []float32{1}, DType: I32}}, WriteOptions{}, "expected F64, F32, F16 or BF16 for floats, found I32"},
		{"ints as floats", []Entry{{Name: "x", Ints: []int64{1}, DType: F32}}, WriteOptions{}, "expected an integer type for integers, found F32"},
		{"no such type", []Entry{{Name: "x", Ints: []int64{1}, DType: 99}}, WriteOptions{}, "found DType(99)"},
		{"beyond U8", []Entry{{Name: "x", Shape: []int{2}, Ints: []int64{255, 256}, DType: U8}}, WriteOptions{}, "value 256 at index 1 is beyond the range of U8"},
		{"below I16", []Entry{{Name: "x", Shape: []int{1}, Ints: []int64{-32769}, DType: I16}}, WriteOptions{}, "beyond the range of I16"},
		{"negative U64", []Entry{{Name: "x", Ints: []int64{-1}, DType: U64}}, WriteOptions{}, "beyond the range of U64"},
		{"two is no truth", []Entry{{Name: "x", Ints: []int64{2}, DType: Bool}}, WriteOptions{}, "beyond the range of BOOL"},
		{"rank", []Entry{{Name: "x", Shape: slices.Repeat([]int{1}, 65), Floats: []float32{1}}}, WriteOptions{}, "expected at most 64 dimensions, found 65"},
		{"zero hides overflow", []Entry{{Name: "x", Shape: []int{0, 1 << 31, 1 << 31}}}, WriteOptions{}, "overflows"},
		{"metadata", nil, WriteOptions{Metadata: map[string]string{"a\xff": "1", "a\xfe": "2"}}, "is not valid UTF-8"},
		{"lazy length", []Entry{{Name: "x", Shape: []int{2}, lazy: func() []float32 { return nil }}}, WriteOptions{}, "found 0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := Encode(&bytes.Buffer{}, c.entries, c.opts)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("expected %q, found %v", c.want, err)
			}
		})
	}
}

// failing is a Writer that fails after n bytes.
type failing struct{ n int }

var errFull = errors.New("disk full")

func (w *failing) Write(b []byte) (int, error) {
	if w.n -= len(b); w.n < 0 {
		return 0, errFull
	}
	return len(b), nil
}

func TestDiskFull(t *testing.T) {
	var b bytes.Buffer
	if err := Encode(&b, entries(), WriteOptions{DType: F16}); err != nil {
		t.Fatal(err)
	}
	for n := range b.Len() {
		if err := Encode(&failing{n}, entries(), WriteOptions{DType: F16}); !errors.Is(err, errFull) {
			t.Fatalf("after %d bytes: found %v", n, err)
		}
	}
}

func TestInterruptedSave(t *testing.T) {
	path := filepath.Join(t.TempDir(), "model.safetensors")
	if err := Write(path, entries(), WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	old, _ := os.ReadFile(path)
	bad := append(entries(), Entry{Name: "zz", Shape: []int{1}, Floats: []float32{1e9}})
	err := Write(path, bad, WriteOptions{DType: F16})
	if err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), `"zz"`) {
		t.Errorf("found %v", err)
	}
	if now, _ := os.ReadFile(path); !bytes.Equal(now, old) {
		t.Error("the old file is not whole")
	}
}

// TestNoSecondCopy writes a large tensor and expects few allocations.
func TestNoSecondCopy(t *testing.T) {
	big := make([]float32, 4<<20)
	for _, d := range []DType{F32, BF16} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if err := Write(filepath.Join(t.TempDir(), "x"), []Entry{{Name: "x", Shape: []int{len(big)}, Floats: big}}, WriteOptions{DType: d}); err != nil {
			t.Fatal(err)
		}
		runtime.ReadMemStats(&after)
		if total := after.TotalAlloc - before.TotalAlloc; total > 1<<20 {
			t.Errorf("%s: writing %d bytes took %d", d, 4*len(big), total)
		}
	}
}

// python runs testdata/gen/checkpoint.py and returns its output without the last line break.
func python(t *testing.T, args ...string) string {
	t.Helper()
	return strings.TrimSpace(string(oracle.Run(t, "torch, safetensors and huggingface_hub", "checkpoint.py", args...)))
}

// TestPythonReads compares with safetensors' own reader.
func TestPythonReads(t *testing.T) {
	path := filepath.Join(t.TempDir(), "written.safetensors")
	if err := Write(path, entries(), WriteOptions{Metadata: map[string]string{"who": "fovea"}}); err != nil {
		t.Fatal(err)
	}
	if out := python(t, "check", path); out != "equal" {
		t.Error(out)
	}
}
