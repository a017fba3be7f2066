package autograd

import (
	"fmt"
	"runtime"

	"github.com/fovea-ml/fovea/simd"
)

// State is a sequence of rows that outlives a tape: the keys and values of a text decoder, the features of a
// stream. It belongs to the caller, who appends rows of Tensors to it and reads them from any later tape. A full
// State drops its oldest rows first, so it is also the window of a streaming model.
//
// A State holds a number of sequences of equal length, each of rows of width values. A cache for [CachedAttention] has
// rows of a key and a value of all heads, 2·Heads·HeadDim values. One goroutine uses a State at a time.
// A pass that was canceled, or that panicked, may have appended to some of a model's states and not to others:
// the caller then clears them all.
type State struct {
	capacity, width int
	length, seen    int
	dtype           DType
	pool            *StatePool
	rows            []stateRows // of each sequence, capacity·width values
	spare           []stateRows // the list that rows was before the last Reorder, for the next
	idle            []stateRows // memory of sequences that were left out
	last            []int       // scratch of Reorder
}

// StateOptions configure [NewState]; the zero value is float32 in memory of its own.
type StateOptions struct {
	// DType is the type in which values are held: half precision takes half the memory. Append rounds to the nearest
	// value, ties to even. Reading widens.
	DType DType
	// Pool, when not nil, lends memory, which Release gives back.
	Pool *StatePool
}

// NewState returns an empty state of batch sequences, each of at most capacity rows of width values. It holds memory for
// all of them from the start. The capacity of a decoder's cache is the longest text in tokens: beyond it the oldest
// tokens are forgotten without an error.
//
// It panics with a [UseError] when the type is not Float32, Float16 or BFloat16, and with a [ShapeError] when a size is
// negative.
func NewState(batch, capacity, width int, o StateOptions) *State {
	elements("state", []int{batch, capacity, width})
	switch o.DType {
	case Float32, Float16, BFloat16:
	default:
		usePanic("state", "expected float32, float16 or bfloat16, found "+o.DType.String())
	}
	s := &State{capacity: capacity, width: width, dtype: o.DType, pool: o.Pool, rows: make([]stateRows, batch)}
	for i := range s.rows {
		s.rows[i] = s.take()
	}
	return s
}

// Batch returns the number of sequences.
func (s *State) Batch() int { return len(s.rows) }

// Len returns the number of rows each sequence holds.
func (s *State) Len() int { return s.length }

// Seen returns the number of rows appended to each sequence since it was empty, those dropped included: the position
// of the next row.
func (s *State) Seen() int { return s.seen }

// Clear forgets all rows.
func (s *State) Clear() { s.length, s.seen = 0, 0 }

// Release gives the memory back to the pool. The state has no sequences then and takes no more rows: make another for
// the next text. Without Release the garbage collector frees the memory, and the pool allocates it again.
func (s *State) Release() {
	if s.pool != nil {
		s.pool.put(s.rows)
		s.pool.put(s.idle)
	}
	*s = State{capacity: s.capacity, width: s.width, dtype: s.dtype, pool: s.pool}
}

// Append copies the rows of x, [batch, rows, width], to the end. When they do not fit, the oldest rows are
// dropped. It panics with a [ShapeError] when x has another number of sequences or another width than the state.
func (s *State) Append(x *Tensor) {
	x.check("state append")
	sh := x.shape
	if len(sh) != 3 || sh[0] != len(s.rows) || sh[2] != s.width {
		shapePanic("state append", fmt.Sprintf("expected rows [%d, rows, %d] for a state of %d sequences", len(s.rows), s.width, len(s.rows)), sh)
	}
	n := sh[1]
	take := min(n, s.capacity)
	stay := min(s.length, s.capacity-take)
	for b, rows := range s.rows {
		rows.move((s.length-stay)*s.width, stay*s.width)
		rows.write(s.dtype, stay*s.width, x.data[(b*n+n-take)*s.width:(b+1)*n*s.width])
	}
	runtime.KeepAlive(x)
	s.length = stay + take
	s.seen += n
}

// Reorder replaces sequence i by sequence from[i], as beam search does. Afterwards there are as many sequences
// as from has elements: one prompt can become many beams, and finished beams can be left out. Only a sequence that
// is wanted more than once is copied. An element of from outside 0 … Batch-1 panics with a [ShapeError] that names it.
func (s *State) Reorder(from []int) {
	s.last = append(s.last[:0], make([]int, len(s.rows))...)
	last := s.last // one more than the last place that wants each sequence
	for i, j := range from {
		if j < 0 || j >= len(s.rows) {
			shapePanic("state reorder", fmt.Sprintf("sequence %d at position %d is outside 0 to %d", j, i, len(s.rows)-1), []int{len(s.rows)}, from)
		}
		last[j] = i + 1
	}
	for j, rows := range s.rows {
		if last[j] == 0 {
			s.idle = append(s.idle, rows)
		}
	}
	next := s.spare[:0]
	for i, j := range from {
		if last[j] == i+1 {
			next = append(next, s.rows[j])
			continue
		}
		rows := s.take()
		rows.copy(s.rows[j], s.length*s.width)
		next = append(next, rows)
	}
	s.rows, s.spare = next, s.rows
}

// Tensor returns the rows held, [batch, length, width], on a tape. Gradients do not flow into a state. The
// Tensor may share the state's memory: use it before the state changes again. [CachedAttention] reads a state
// without this copy.
func (s *State) Tensor(t *Tape) *Tensor {
	n := s.length * s.width
	if len(s.rows) == 1 && s.dtype == Float32 {
		return t.Borrow(s.rows[0].floats[:n], 1, s.length, s.width)
	}
	x := t.newTensor("state", []int{len(s.rows), s.length, s.width})
	for b, rows := range s.rows {
		rows.read(s.dtype, x.data[b*n:(b+1)*n], 0)
	}
	return x
}

// take returns memory for a sequence: left over, from the pool, or new.
func (s *State) take() stateRows {
	n := s.capacity * s.width
	if k := len(s.idle); k > 0 {
		rows := s.idle[k-1]
		s.idle = s.idle[:k-1]
		return rows
	}
	if s.pool != nil {
		if rows, ok := s.pool.take(s.dtype, n); ok {
			return rows
		}
	}
	if s.dtype == Float32 {
		return stateRows{floats: make([]float32, n)}
	}
	return stateRows{halves: make([]uint16, n)}
}

// stateRows is the memory of one sequence, in one of two types.
type stateRows struct {
	floats []float32
	halves []uint16
}

// move moves n values from index at to the beginning.
func (r stateRows) move(at, n int) {
	if r.halves != nil {
		copy(r.halves, r.halves[at:at+n])
		return
	}
	copy(r.floats, r.floats[at:at+n])
}

// copy copies the first n values of another sequence.
func (r stateRows) copy(from stateRows, n int) {
	copy(r.floats, from.floats[:min(n, len(from.floats))])
	copy(r.halves, from.halves[:min(n, len(from.halves))])
}

func (r stateRows) write(dtype DType, at int, x []float32) {
	switch dtype {
	case Float16:
		simd.F32ToF16(r.halves[at:][:len(x)], x)
	case BFloat16:
		simd.F32ToBF16(r.halves[at:][:len(x)], x)
	default:
		copy(r.floats[at:], x)
	}
}

func (r stateRows) read(dtype DType, dst []float32, at int) {
	switch dtype {
	case Float16:
		simd.F16ToF32(dst, r.halves[at:])
	case BFloat16:
		simd.BF16ToF32(dst, r.halves[at:])
	default:
		copy(dst, r.floats[at:])
	}
}
