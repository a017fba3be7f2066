package checkpoint

import (
	"bytes"
	"fmt"
	"io"
	"iter"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestOwnTypes writes a file of every type anew: each tensor keeps its type, its shape and its bytes, whatever
// WriteOptions.DType is.
func TestOwnTypes(t *testing.T) {
	const original = "testdata/types.safetensors"
	f := mustOpen(t, original)
	var entries []Entry
	kinds := map[DType]bool{}
	for x := range f.Tensors() {
		entries = append(entries, x.Entry())
		kinds[x.DType] = true
	}
	if len(kinds) < 15 {
		t.Fatalf("the file has only %d types", len(kinds))
	}
	path := filepath.Join(t.TempDir(), "types.safetensors")
	if err := Write(path, entries, WriteOptions{DType: F16}); err != nil {
		t.Fatal(err)
	}
	g := mustOpen(t, path)
	if g.Len() != f.Len() {
		t.Errorf("%d tensors became %d", f.Len(), g.Len())
	}
	for x := range f.Tensors() {
		y, _ := g.Tensor(x.Name)
		if y.DType != x.DType || !slices.Equal(y.Shape, x.Shape) || !bytes.Equal(x.Bytes(), y.Bytes()) {
			t.Errorf("%s: %s %v became %s %v, or has other bytes", x.Name, x.DType, x.Shape, y.DType, y.Shape)
		}
	}
	if out := python(t, "same", original, path); out != "equal" {
		t.Error(out)
	}
}

// TestRaw writes bytes in pieces, and refuses too few, too many and those without a type.
func TestRaw(t *testing.T) {
	want := []byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}
	pieces := func(b []byte, n int) iter.Seq[[]byte] { return slices.Chunk(b, n) }
	for _, d := range []DType{I8, F16, F32, F8E4M3} {
		f := encoded(t, []Entry{{Name: "x", Shape: []int{len(want) / d.Size()}, Raw: pieces(want, 5), DType: d}}, WriteOptions{})
		if x, _ := f.Tensor("x"); x.DType != d || !bytes.Equal(x.Bytes(), want) {
			t.Errorf("%s: found %s %v", d, x.DType, x.Bytes())
		}
	}
	for message, e := range map[string]Entry{
		"expected 12 raw bytes for shape [6] of F16, found 11": {Shape: []int{6}, Raw: pieces(want[:11], 4), DType: F16},
		"expected 8 raw bytes for shape [4] of F16, found 12":  {Shape: []int{4}, Raw: pieces(want, 12), DType: F16},
		"expected a type for raw bytes, found":                 {Shape: []int{12}, Raw: pieces(want, 5)},
	} {
		if err := Encode(io.Discard, []Entry{e}, WriteOptions{}); err == nil || !strings.Contains(err.Error(), message) {
			t.Errorf("found error %v, expected %q", err, message)
		}
	}
}

// TestTypedEntries writes numbers in every type that an entry may ask for.
func TestTypedEntries(t *testing.T) {
	var entries []Entry
	ints, floats := map[string][]int64{}, map[string][]float32{}
	for d := Bool; d <= C64; d++ {
		switch {
		case d.IsInt():
			least, most := intRange(d)
			v := []int64{0, 1, least, most, most / 2}
			ints[d.String()] = v
			entries = append(entries, Entry{Name: d.String(), Shape: []int{5, 1}, Ints: v, DType: d})
		case d.IsFloat():
			v := []float32{0, float32(math.Copysign(0, -1)), 1.5, -1024, float32(math.Inf(1)), float32(math.NaN())}
			floats[d.String()] = v
			entries = append(entries, Entry{Name: d.String(), Shape: []int{2, 3}, Floats: v, DType: d})
		}
	}
	f := encoded(t, entries, WriteOptions{DType: BF16})
	for name, want := range ints {
		x, _ := f.Tensor(name)
		got := make([]int64, x.Len())
		if err := x.Ints(got); err != nil || x.DType.String() != name || !slices.Equal(got, want) {
			t.Errorf("%s: found %s %v, expected %v, %v", name, x.DType, got, want, err)
		}
	}
	for name, want := range floats {
		if x, _ := f.Tensor(name); x.DType.String() != name || !sameBits(floatsOf(t, f, name), want) {
			t.Errorf("%s: found %s %v, expected %v", name, x.DType, floatsOf(t, f, name), want)
		}
	}
	if len(ints)+len(floats) != 13 {
		t.Errorf("%d types", len(ints)+len(floats))
	}
}

// TestConverted changes the type of a file's tensors as they are written.
func TestConverted(t *testing.T) {
	f := mustOpen(t, "testdata/types.safetensors")
	half := mustOpen(t, "testdata/half.safetensors")
	write := func(x Tensor, d DType) (Tensor, error) {
		e := x.Entry()
		e.DType = d
		var b bytes.Buffer
		if err := Encode(&b, []Entry{e}, WriteOptions{}); err != nil {
			return Tensor{}, err
		}
		g, err := Parse("x", b.Bytes(), OpenOptions{})
		if err != nil {
			t.Fatal(err)
		}
		y, _ := g.Tensor(x.Name)
		return y, nil
	}
	// Rounded as PyTorch rounds.
	for d, name := range map[DType]string{F16: "x.f16", BF16: "x.bf16"} {
		x, _ := half.Tensor("x")
		want, _ := half.Tensor(name)
		if got, err := write(x, d); err != nil || !bytes.Equal(got.Bytes(), want.Bytes()) {
			t.Errorf("to %s: other bytes than PyTorch's, %v", d, err)
		}
		// And widened, which loses nothing.
		for _, wide := range []DType{F32, F64} {
			got, err := write(want, wide)
			if err != nil {
				t.Fatal(err)
			}
			a, b := make([]float32, got.Len()), make([]float32, got.Len())
			if got.Floats(a); want.Floats(b) != nil || !sameBits(a, b) {
				t.Errorf("%s to %s: other values", d, wide)
			}
		}
	}
	x, _ := f.Tensor("int32")
	y, err := write(x, I64)
	if err != nil || y.DType != I64 {
		t.Errorf("int32 to I64: %v", err)
	}
	wide, _ := f.Tensor("int32.as_int64")
	if !bytes.Equal(y.Bytes(), wide.Bytes()) {
		t.Error("int32 to I64: other values")
	}
	for _, c := range []struct {
		name string
		to   DType
		want string
	}{
		{"float64", F32, "value 1.7976931348623157e+308 at index 4 is beyond the range of F32"},
		{"float64", F16, "is beyond the range of F16"},
		{"float32", F16, "value 3.4028235e+38 at index 4 is beyond the range of F16"},
		{"int64", I32, "is beyond the range of I32"},
		{"uint64.beyond", I64, "value 18446744073709551615 at index 0 is beyond int64"},
		{"int64", F32, "I64 cannot be stored as F32"},
		{"float32", I64, "F32 cannot be stored as I64"},
		{"complex64", F32, "C64 cannot be stored as F32"},
		{"float8_e4m3fn", F32, "F8_E4M3 cannot be stored as F32"},
		{"float32", Invalid, "F32 cannot be stored as invalid"},
		{"float32", DType(200), "cannot be stored"},
	} {
		x, _ := f.Tensor(c.name)
		if _, err := write(x, c.to); err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), fmt.Sprintf("%q", c.name)) {
			t.Errorf("%s to %s: found %v", c.name, c.to, err)
		}
	}
}

// TestPieces writes tensors of more than a piece.
func TestPieces(t *testing.T) {
	big := make([]float32, 2*piece+3)
	ids := make([]int64, piece+1)
	for i := range big {
		big[i] = float32(i % 2048)
	}
	for i := range ids {
		ids[i] = int64(i)
	}
	first := []Entry{{Name: "x", Shape: []int{len(big)}, Floats: big}, {Name: "i", Shape: []int{len(ids)}, Ints: ids, DType: I32}}
	path := filepath.Join(t.TempDir(), "big.safetensors")
	if err := Write(path, first, WriteOptions{DType: F16}); err != nil {
		t.Fatal(err)
	}
	var second []Entry
	for x := range mustOpen(t, path).Tensors() {
		e := x.Entry()
		if x.DType == F16 {
			e.DType = F64
		}
		second = append(second, e)
	}
	var told []int64
	total := int64(8*len(big) + 4*len(ids))
	opts := WriteOptions{Progress: func(done, of int64) error {
		if of != total {
			t.Fatalf("told a total of %d, expected %d", of, total)
		}
		told = append(told, done)
		return nil
	}}
	f := encoded(t, second, opts)
	if !slices.Equal(floatsOf(t, f, "x"), big) {
		t.Error("floats differ")
	}
	got := make([]int64, len(ids))
	if x, _ := f.Tensor("i"); x.Ints(got) != nil || !slices.Equal(got, ids) {
		t.Error("integers differ")
	}
	if !slices.IsSorted(told) || len(told) != 5 || told[4] != total {
		t.Errorf("told %d, expected 5 steps to %d", told, total)
	}
}
