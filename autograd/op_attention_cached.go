package autograd

import "github.com/fovea-ml/fovea/simd"

// CachedAttention is [Attention] over the keys and values of a state: the first and the second half of its rows, each
// Heads·HeadDim wide. Queries are [B, Tq, Heads·HeadDim] for a state of B sequences. It has the bits of Attention over
// [State.Tensor], but reads the rows where they are.
//
// It panics with a [UseError] on a tape that records a gradient of the queries or the bias: the state may change
// before backward.
func CachedAttention(q Columns, s *State, o AttentionOptions) *Tensor {
	const name = "cached attention"
	f := begin(name, q.Of, o.Bias)
	if f.needs {
		usePanic(name, "a gradient through a state")
	}
	qs, heads := q.Of.Shape(), max(o.Heads, 1)
	if len(qs) != 3 || qs[0] != len(s.rows) {
		shapePanic(name, "expected queries [B, Tq, _] for a state of B sequences", qs, []int{len(s.rows), s.length, s.width})
	}
	if o.HeadDim == 0 {
		o.HeadDim = s.width / 2 / heads
	}
	if 2*heads*o.HeadDim != s.width {
		shapePanic(name, "the halves of the state's rows do not divide into heads", []int{s.width}, []int{heads, o.HeadDim})
	}
	a := columnsOf(name, q, q, q, &o)
	a.k = columns{stride: s.width}
	a.v = columns{stride: s.width, from: s.width / 2}
	a.state, a.gathers = s, s.dtype != Float32
	a.begin(name, qs[0], qs[1], s.length, &o)
	return f.run(a, &o)
}

// widen writes the keys or values of a span of a half-precision state to dst, [n, d]. A head begins at column from.
func (a *attention) widen(from int, dst []float32, s keySpan, b int) simd.Matrix {
	for r := range s.n {
		j := s.first + r
		if s.index != nil {
			j = int(s.index[r])
		}
		a.state.rows[b].read(a.state.dtype, dst[r*a.d:][:a.d], from+j*a.state.width)
	}
	return simd.Matrix{Data: dst, Stride: a.d}
}
