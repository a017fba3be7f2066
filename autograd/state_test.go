package autograd

import "testing"

func TestState(t *testing.T) {
	s := NewState(2, 3, 2)
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
	expectShapePanic(t, "state", func() { NewState(2, -1, 2) })
}

// One prompt becomes three beams, which grow, are exchanged, and end.
func TestStateBeams(t *testing.T) {
	tape := NewTape(Options{Debug: true})
	s := NewState(1, 4, 1)
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
