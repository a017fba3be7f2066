package autograd

import (
	"slices"
	"testing"

	"github.com/fovea-ml/fovea/simd"
)

func TestState(t *testing.T) {
	s := NewState(2, 3, 2, StateOptions{})
	tape := NewTape(Options{Debug: true})
	next := float32(0)
	add := func(n int) { // rows (k, -k) of the first sequence, (k+100, …) of the second
		v := make([]float32, 0, 2*n*2)
		for b := range 2 {
			for i := range n {
				k := next + float32(i) + 100*float32(b)
				v = append(v, k, -k)
			}
		}
		next += float32(n)
		s.Append(tape.Input(v, 2, n, 2))
	}
	expect := func(first, second []float32) {
		t.Helper()
		x := s.Tensor(tape)
		if s.Len() != len(first) || !equalShape(x.Shape(), []int{2, len(first), 2}) {
			t.Fatalf("%d rows of shape %v, expected %d", s.Len(), x.Shape(), len(first))
		}
		var want []float32
		for _, k := range append(append([]float32{}, first...), second...) {
			want = append(want, k, -k)
		}
		sameBits(t, "state", x.Floats(nil), want)
	}
	expect(nil, nil)
	add(1)
	expect([]float32{0}, []float32{100})
	add(2)
	expect([]float32{0, 1, 2}, []float32{100, 101, 102})
	add(1) // pushes the oldest out
	expect([]float32{1, 2, 3}, []float32{101, 102, 103})
	add(5) // more than fit
	expect([]float32{6, 7, 8}, []float32{106, 107, 108})
	add(0)
	expect([]float32{6, 7, 8}, []float32{106, 107, 108})
	s.Reorder([]int{1, 1})
	expect([]float32{106, 107, 108}, []float32{106, 107, 108})
	s.Clear()
	add(2)
	s.Reorder([]int{1, 0})
	expect([]float32{109, 110}, []float32{9, 10})

	expectShapePanic(t, "state append", func() { s.Append(tape.Full(1, 2, 1, 3)) })
	expectShapePanic(t, "state append", func() { s.Append(tape.Full(1, 1, 1, 2)) })
	expectShapePanic(t, "state reorder", func() { s.Reorder([]int{0, 2}) })
	expectShapePanic(t, "state reorder", func() { s.Reorder([]int{-1}) })
	expectShapePanic(t, "state", func() { NewState(2, -1, 2, StateOptions{}) })
}

// One prompt becomes three beams, which grow, are exchanged, and end.
func TestStateBeams(t *testing.T) {
	tape := NewTape(Options{Debug: true})
	s := NewState(1, 4, 1, StateOptions{})
	s.Append(tape.Input([]float32{1, 2}, 1, 2, 1))
	expect := func(beams int, want ...float32) {
		t.Helper()
		x := s.Tensor(tape)
		if x.Dim(0) != beams || x.Dim(1) != s.Len() {
			t.Fatalf("shape %v, expected %d sequences of %d", x.Shape(), beams, s.Len())
		}
		sameBits(t, "state", x.Floats(nil), want)
	}
	expect(1, 1, 2)
	s.Reorder([]int{0, 0, 0})
	expect(3, 1, 2, 1, 2, 1, 2)
	s.Append(tape.Input([]float32{3, 4, 5}, 3, 1, 1))
	s.Reorder([]int{2, 0, 0})
	expect(3, 1, 2, 5, 1, 2, 3, 1, 2, 3)
	s.Reorder([]int{0, 2})
	s.Append(tape.Input([]float32{6, 7}, 2, 1, 1))
	expect(2, 1, 2, 5, 6, 1, 2, 3, 7)
	s.Reorder(nil)
	expect(0)
}

// Half precision rounds when rows are appended, and takes part in everything else unchanged.
func TestStateHalf(t *testing.T) {
	for _, dtype := range []DType{Float16, BFloat16} {
		tape := NewTape(Options{Debug: true})
		half, full := NewState(2, 4, 3, StateOptions{DType: dtype}), NewState(2, 4, 3, StateOptions{})
		round := func(v []float32) []float32 {
			h := make([]uint16, len(v))
			out := make([]float32, len(v))
			if dtype == Float16 {
				simd.F32ToF16(h, v)
				simd.F16ToF32(out, h)
			} else {
				simd.F32ToBF16(h, v)
				simd.BF16ToF32(out, h)
			}
			return out
		}
		for i, n := range []int{1, 2, 3} { // the last ones push the first out
			v := normal(uint64(100+i), 2*n*3)
			half.Append(tape.Input(v, 2, n, 3))
			full.Append(tape.Input(round(v), 2, n, 3))
			half.Reorder([]int{1, 0})
			full.Reorder([]int{1, 0})
			sameBits(t, "rounded", half.Tensor(tape).Floats(nil), full.Tensor(tape).Floats(nil))
		}
		if half.Seen() != 6 || half.Len() != 4 || half.Batch() != 2 {
			t.Errorf("seen %d, length %d, batch %d", half.Seen(), half.Len(), half.Batch())
		}
		one := NewState(1, 2, 1, StateOptions{DType: dtype})
		one.Append(tape.Input([]float32{1.00001}, 1, 1, 1))
		sameBits(t, "one sequence", one.Tensor(tape).Floats(nil), []float32{1})
	}
}

func TestStateType(t *testing.T) {
	expectUsePanic(t, "found int8", func() { NewState(1, 1, 1, StateOptions{DType: Int8}) })
}

// A pool lends what was released, up to its bound, to states of the same type and a similar size.
func TestStatePool(t *testing.T) {
	pool := &StatePool{Keep: 4 * 100}
	tape := NewTape(Options{})
	s := NewState(2, 10, 5, StateOptions{Pool: pool})
	first := &s.rows[0].floats[0]
	s.Append(tape.Full(7, 2, 10, 5))
	s.Release()
	if s.Batch() != 0 || s.Len() != 0 || pool.bytes != 400 {
		t.Fatalf("released: %d sequences of %d rows, %d bytes idle", s.Batch(), s.Len(), pool.bytes)
	}
	if h := NewState(1, 10, 5, StateOptions{Pool: pool, DType: Float16}); pool.bytes != 400 || h.rows[0].halves == nil {
		t.Error("half precision took float32's memory")
	}
	NewState(1, 20, 3, StateOptions{Pool: pool}) // too large
	NewState(1, 2, 5, StateOptions{Pool: pool})  // too small for this memory
	if pool.bytes != 400 {
		t.Errorf("%d bytes idle", pool.bytes)
	}
	s = NewState(3, 25, 2, StateOptions{Pool: pool})
	if pool.bytes != 0 || &s.rows[0].floats[0] != first || len(s.rows[0].floats) != 50 {
		t.Error("the pool's memory was not used")
	}
	s.Append(tape.Full(1, 3, 1, 2))
	s.Reorder([]int{0, 0})
	s.Release()
	if pool.bytes != 400 { // one of three buffers is beyond the bound
		t.Errorf("%d bytes idle, expected 400", pool.bytes)
	}
	var none StatePool
	s = NewState(1, 1, 1, StateOptions{Pool: &none})
	s.Release()
	if none.bytes != 0 {
		t.Error("the zero value keeps memory")
	}
}

// Attention over a state has the bits of attention over its Tensor, in every option, on any number of threads.
func TestCachedAttention(t *testing.T) {
	const batch, tq, tk, heads, d = 3, 2, 9, 2, 8
	bias := normal(111, heads*tq*tk)
	mask := make([]bool, batch*tk)
	for i := range mask {
		mask[i] = i%4 != 1
	}
	for _, dtype := range []DType{Float32, Float16, BFloat16} {
		for _, workers := range []*simd.Workers{nil, simd.NewWorkers(2)} {
			tape := NewTape(Options{Debug: true, Workers: workers})
			s := NewState(batch, 12, 2*heads*d, StateOptions{DType: dtype})
			s.Append(tape.Input(normal(112, batch*tk*2*heads*d), batch, tk, 2*heads*d))
			s.Reorder([]int{2, 0, 0})
			q, kv := tape.Input(normal(113, batch*tq*heads*d), batch, tq, heads*d), s.Tensor(tape)
			for name, o := range map[string]AttentionOptions{
				"plain":  {},
				"causal": {Causal: true},
				"mask":   {KeyMask: mask},
				"suffix": {KeyMask: append(make([]bool, 3), slices.Repeat([]bool{true}, len(mask)-3)...)},
				"bias":   {Bias: tape.Input(bias, heads, tq, tk), KeyMask: mask, Causal: true},
			} {
				o.Heads = heads
				got := CachedAttention(Columns{q, 0}, s, o).Floats(nil)
				want := Attention(Columns{q, 0}, Columns{kv, 0}, Columns{kv, heads * d}, o).Floats(nil)
				sameBits(t, name, got, want)
			}
		}
	}
}

func TestCachedAttentionMisuse(t *testing.T) {
	tape := NewTape(Options{})
	s := NewState(1, 4, 16, StateOptions{})
	q := tape.Full(0, 1, 1, 8)
	for name, f := range map[string]func(){
		"dimensions": func() { CachedAttention(Columns{tape.Full(0, 1, 8), 0}, s, AttentionOptions{}) },
		"batch":      func() { CachedAttention(Columns{tape.Full(0, 2, 1, 8), 0}, s, AttentionOptions{}) },
		"heads":      func() { CachedAttention(Columns{q, 0}, s, AttentionOptions{Heads: 3}) },
		"width":      func() { CachedAttention(Columns{q, 1}, s, AttentionOptions{Heads: 2}) },
		"head":       func() { CachedAttention(Columns{q, 0}, s, AttentionOptions{HeadDim: 4}) },
	} {
		t.Run(name, func(t *testing.T) { expectShapeError(t, f) })
	}
	defer func() {
		if _, ok := recover().(*UseError); !ok {
			t.Error("expected a UseError")
		}
	}()
	grad := NewTape(Options{Gradients: true})
	CachedAttention(Columns{grad.Full(0, 1, 1, 8).WantGradient(), 0}, s, AttentionOptions{})
}
