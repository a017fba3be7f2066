package checkpoint_test

import (
	"bytes"
	"errors"
	"iter"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/checkpoint"
)

// quantized is a file with a weight in three parts, as Names joins them: two in integers, and one of zeros.
func quantized(t *testing.T, change func(e []checkpoint.Entry) []checkpoint.Entry) *checkpoint.File {
	t.Helper()
	entries := []checkpoint.Entry{
		{Name: "a.query.weight", Shape: []int{2, 3}, Ints: []int64{1, -2, 3, 127, -128, 0}, DType: checkpoint.I8},
		{Name: "a.query.weight_scale", Shape: []int{2, 1}, Floats: []float32{0.5, 2}},
		{Name: "a.value.weight", Shape: []int{2, 3}, Ints: []int64{4, 5, 6, 7, 8, 9}, DType: checkpoint.I8},
		{Name: "a.value.weight_scale", Shape: []int{2}, Floats: []float32{1, 0.25}, DType: checkpoint.BF16},
	}
	var b bytes.Buffer
	if err := checkpoint.Encode(&b, change(entries), checkpoint.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	f, err := checkpoint.Parse("q.safetensors", b.Bytes(), checkpoint.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

var joined = &checkpoint.Names{Rules: []checkpoint.Rule{{"QKV", "a.{query,0,value}"}}}

func one(p *autograd.Parameter) iter.Seq2[string, checkpoint.Value] {
	return func(yield func(string, checkpoint.Value) bool) { yield("QKV.Weight", p) }
}

// TestInt8 reads joined integers in place and as copies, writes them again, and reads a part of integers beside one of
// floats.
func TestInt8(t *testing.T) {
	f := quantized(t, func(e []checkpoint.Entry) []checkpoint.Entry { return e })
	want := []float32{.5, -1, 1.5, 254, -256, 0, 0, 0, 0, 0, 0, 0, 4, 5, 6, 1.75, 2, 2.25}
	for _, inPlace := range []bool{false, true} {
		p := autograd.NewParameter(6, 3)
		if _, err := checkpoint.Load(f, joined, one(p), checkpoint.LoadOptions{Int8: true, Map: inPlace}); err != nil {
			t.Fatal(err)
		}
		if p.DType() != autograd.Int8 || !slices.Equal(p.Values(), want) {
			t.Errorf("in place %t: found %v %v, expected integers of %v", inPlace, p.DType(), p.Values(), want)
		}
		var b bytes.Buffer
		if err := checkpoint.Encode(&b, checkpoint.Entries(joined, one(p)), checkpoint.WriteOptions{}); err != nil {
			t.Fatal(err)
		}
		again, err := checkpoint.Parse("again.safetensors", b.Bytes(), checkpoint.OpenOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"a.query.weight", "a.value.weight"} {
			x, _ := f.Tensor(name)
			y, _ := again.Tensor(name)
			s, _ := again.Tensor(name + "_scale")
			if y.DType != checkpoint.I8 || !bytes.Equal(x.Bytes(), y.Bytes()) || s.DType != checkpoint.F32 || !slices.Equal(s.Shape, []int{2, 1}) {
				t.Errorf("%s: wrote %+v with %+v", name, y, s)
			}
		}
		if again.Len() != 4 {
			t.Errorf("wrote %d tensors, expected 4", again.Len())
		}
		q := autograd.NewParameter(6, 3)
		if _, err := checkpoint.Load(again, joined, one(q), checkpoint.LoadOptions{Int8: true}); err != nil || !slices.Equal(q.Values(), want) {
			t.Errorf("read again: %v, %v", q.Values(), err)
		}
	}
	mixed := quantized(t, func(e []checkpoint.Entry) []checkpoint.Entry {
		return append(e[:2:2], checkpoint.Entry{Name: "a.value.weight", Shape: []int{2, 3}, Floats: want[12:]})
	})
	p := autograd.NewParameter(6, 3)
	if _, err := checkpoint.Load(mixed, joined, one(p), checkpoint.LoadOptions{Int8: true, Map: true}); err != nil || p.DType() != autograd.Float32 || !slices.Equal(p.Values(), want) {
		t.Errorf("beside floats: %v %v, %v", p.DType(), p.Values(), err)
	}
}

// TestInt8Refused expects the name of the tensor that does not fit.
func TestInt8Refused(t *testing.T) {
	same := func(e []checkpoint.Entry) []checkpoint.Entry { return e }
	for name, c := range map[string]struct {
		change func(e []checkpoint.Entry) []checkpoint.Entry
		names  *checkpoint.Names
		off    bool
		want   string
	}{
		"not asked for": {same, joined, true, `QKV.Weight: expected a floating-point type, found I8 in "a.query.weight"`},
		"no scales":     {func(e []checkpoint.Entry) []checkpoint.Entry { return slices.Delete(e, 1, 2) }, joined, false, `QKV.Weight: expected floats "a.query.weight_scale" of shape [2] or [2 1] beside "a.query.weight", found none`},
		"too few scales": {func(e []checkpoint.Entry) []checkpoint.Entry {
			e[3].Shape, e[3].Floats = []int{1}, []float32{1}
			return e
		}, joined, false, `beside "a.value.weight", found BF16 [1]`},
		"rows of scales": {func(e []checkpoint.Entry) []checkpoint.Entry { e[1].Shape = []int{1, 2}; return e }, joined, false, `beside "a.query.weight", found F32 [1 2]`},
		"integer scales": {func(e []checkpoint.Entry) []checkpoint.Entry { e[1].Floats, e[1].Ints = nil, []int64{1, 2}; return e }, joined, false, `beside "a.query.weight", found I64 [2 1]`},
		"zero points": {func(e []checkpoint.Entry) []checkpoint.Entry {
			return append(e, checkpoint.Entry{Name: "a.query.weight_zero_point", Shape: []int{2, 1}, Ints: []int64{1, 1}, DType: checkpoint.I8})
		}, joined, false, "a.query.weight_zero_point"},
		"another integer": {func(e []checkpoint.Entry) []checkpoint.Entry { e[0].DType = checkpoint.I16; return e }, joined, false, `found I16 in "a.query.weight"`},
		"transposed":      {same, &checkpoint.Names{Rules: []checkpoint.Rule{{"QKV", "a.query T"}}}, false, "a.query.weight"},
	} {
		p := autograd.NewParameter(6, 3)
		_, err := checkpoint.Load(quantized(t, c.change), c.names, one(p), checkpoint.LoadOptions{Int8: !c.off, Map: true})
		if mismatch := (*checkpoint.MismatchError)(nil); !errors.As(err, &mismatch) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: found %v, expected %s", name, err, c.want)
		}
		if slices.ContainsFunc(p.Values(), func(v float32) bool { return v != 0 }) {
			t.Errorf("%s: the parameter changed", name)
		}
	}
}

// FuzzInt8 loads tensors of integers with scales of any shape and type.
func FuzzInt8(f *testing.F) {
	f.Add(2, 3, 2, 1, byte(checkpoint.I8), byte(checkpoint.F32))
	f.Add(0, 3, 0, 1, byte(checkpoint.I8), byte(checkpoint.BF16))
	f.Add(2, 0, 2, 0, byte(checkpoint.U8), byte(checkpoint.F64))
	f.Fuzz(func(t *testing.T, rows, width, scales, columns int, kind, of byte) {
		for _, n := range []int{rows, width, scales, columns} {
			if n < 0 || n > 32 {
				return
			}
		}
		raw := func(name string, d checkpoint.DType, shape ...int) checkpoint.Entry {
			return checkpoint.Entry{Name: name, Shape: shape, DType: d, Raw: func(yield func([]byte) bool) {
				yield(bytes.Repeat([]byte{0x7f}, shape[0]*shape[1]*d.Size()))
			}}
		}
		var b bytes.Buffer
		if err := checkpoint.Encode(&b, []checkpoint.Entry{raw("x", checkpoint.DType(kind), rows, width), raw("x_scale", checkpoint.DType(of), scales, columns)}, checkpoint.WriteOptions{}); err != nil {
			return
		}
		file, err := checkpoint.Parse("x", b.Bytes(), checkpoint.OpenOptions{})
		if err != nil {
			t.Fatal(err)
		}
		p := autograd.NewParameter(rows, width)
		all := maps.All(map[string]checkpoint.Value{"x": p})
		if _, err := checkpoint.Load(file, nil, all, checkpoint.LoadOptions{Int8: true, Map: true}); err == nil {
			for _, v := range p.Values() {
				if checkpoint.DType(of) == checkpoint.F32 && !math.IsInf(float64(v), 1) { // 127·0x7f7f7f7f
					t.Errorf("found %v, expected infinity", v)
				}
			}
		}
	})
}
