package autograd

import "runtime"

// State is a sequence of rows that outlives a tape: the keys and values of a text decoder, the features of a
// stream. It belongs to the caller, who appends rows of Tensors to it and reads them from any later tape. A full
// State drops its oldest rows first, so it is also the window of a streaming model.
//
// A State holds batch sequences of equal length, each of rows of width values. One goroutine uses it at a time.
// A pass that was canceled, or that panicked, may have appended to some of a model's states and not to others:
// the caller then clears them all.
type State struct {
	batch, capacity, width int
	length                 int
	values                 []float32 // [batch, capacity, width]
	spare                  []float32 // what values was before the last Reorder, for the next
}

// NewState returns an empty state.
func NewState(batch, capacity, width int) *State {
	n := elements("state", []int{batch, capacity, width})
	return &State{batch: batch, capacity: capacity, width: width, values: make([]float32, n)}
}

// Len returns the number of rows each sequence holds.
func (s *State) Len() int { return s.length }

// Clear forgets all rows.
func (s *State) Clear() { s.length = 0 }

// Append copies the rows of x, [batch, rows, width], to the end. When they do not fit, the oldest rows are
// dropped.
func (s *State) Append(x *Tensor) {
	x.check("state append")
	sh := x.shape
	if len(sh) != 3 || sh[0] != s.batch || sh[2] != s.width {
		shapePanic("state append", "expected [batch, rows, width]", sh, []int{s.batch, s.capacity, s.width})
	}
	n := sh[1]
	take := min(n, s.capacity)
	stay := min(s.length, s.capacity-take)
	for b := range s.batch {
		seq := s.values[b*s.capacity*s.width : (b+1)*s.capacity*s.width]
		copy(seq, seq[(s.length-stay)*s.width:s.length*s.width])
		copy(seq[stay*s.width:], x.data[(b*n+n-take)*s.width:(b+1)*n*s.width])
	}
	runtime.KeepAlive(x)
	s.length = stay + take
}

// Reorder replaces sequence i by sequence from[i], as beam search does. Afterwards there are as many sequences
// as from has elements: one prompt can become many beams, and finished beams can be left out.
func (s *State) Reorder(from []int) {
	for _, j := range from {
		if j < 0 || j >= s.batch {
			shapePanic("state reorder", "no such sequence", []int{j}, []int{s.batch})
		}
	}
	size, used := s.capacity*s.width, s.length*s.width
	n := elements("state reorder", []int{len(from), s.capacity, s.width})
	if cap(s.spare) < n {
		s.spare = make([]float32, n)
	}
	next := s.spare[:n]
	for i, j := range from {
		copy(next[i*size:i*size+used], s.values[j*size:])
	}
	s.values, s.spare, s.batch = next, s.values, len(from)
}

// Tensor returns the rows held, [batch, length, width], on a tape. Gradients do not flow into a state. The
// Tensor may share the state's memory: use it before the state changes again.
func (s *State) Tensor(t *Tape) *Tensor {
	if s.batch == 1 || s.length == s.capacity {
		return t.Borrow(s.values[:s.batch*s.length*s.width], s.batch, s.length, s.width)
	}
	x := t.newTensor("state", []int{s.batch, s.length, s.width})
	n := s.length * s.width
	for b := range s.batch {
		copy(x.data[b*n:(b+1)*n], s.values[b*s.capacity*s.width:])
	}
	return x
}
