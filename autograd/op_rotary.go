package autograd

import (
	"fmt"
	"slices"

	"github.com/fovea-ml/fovea/simd"
)

// RotaryTable holds the cosines and sines of the angles by which [Rotary] turns channels: a row for each position
// and in it a value for each of Dim channels. Package nn computes tables of sequences and of grids.
type RotaryTable struct {
	Cos, Sin []float32 // [positions, Dim]
	Dim      int       // even
	// Interleaved says that channels 2i and 2i+1 are a pair, as in GPT-J and EVA-02. Otherwise i and i + Dim/2 are,
	// as in LLaMA and GPT-NeoX.
	Interleaved bool
}

// RotaryOptions configure [Rotary]; the zero value is one head as wide as the table.
type RotaryOptions struct {
	// Heads is the number of heads, side by side in the columns; 0 means 1.
	Heads int
	// HeadDim is the width of a head; 0 means the table's. The first Dim channels of a head turn, the others stay.
	HeadDim int
	// From lists the columns at which heads begin; nil means {0}. For queries and keys of one projection
	// [queries, keys, values] it is {0, Heads·HeadDim}.
	From []int
	// First is the position of the first token, such as the number of tokens before it in a cache.
	First int
	// Positions, when not nil, are the positions of the tokens instead: T of them, or B·T.
	Positions []int
}

// Rotary turns pairs of channels by angles that grow with the position (Su et al., "RoFormer", arXiv 2104.09864). x
// is [B, T, C], or [T, C] of packed sequences. The result has the same shape: the columns of heads turned, the others
// copied. A pair (a, b) becomes (a·cos - b·sin, b·cos + a·sin), with the cosine and sine of each one's channel. It panics
// with a [ShapeError] when a position is not in the table, or heads do not fit in the columns.
func Rotary(x Operand, table *RotaryTable, o RotaryOptions) *Tensor {
	const name = "rotary"
	f := begin(name, x)
	s := x.Shape()
	if len(s) != 2 && len(s) != 3 {
		shapePanic(name, "expected [B, T, C] or [T, C]", s)
	}
	heads, dim, from := max(o.Heads, 1), o.HeadDim, slices.Clone(o.From) // backward reads it
	if dim == 0 {
		dim = table.Dim
	}
	if from == nil {
		from = []int{0}
	}
	tokens, width := s[len(s)-2], s[len(s)-1]
	if table.Dim <= 0 || table.Dim%2 != 0 || dim < table.Dim || len(table.Cos) != len(table.Sin) {
		shapePanic(name, fmt.Sprintf("expected a table whose Dim is even and at most %d, the width of a head, found %d, and as many sines as cosines", dim, table.Dim),
			s, []int{len(table.Cos)}, []int{len(table.Sin)})
	}
	for i, c := range from {
		if dim > width/heads || c < 0 || c > width-heads*dim {
			shapePanic(name, fmt.Sprintf("%d heads of %d columns from column %d do not fit", heads, dim, c), s)
		}
		for _, e := range from[:i] {
			if max(c-e, e-c) < heads*dim {
				shapePanic(name, "columns overlap", s, []int{e, c, heads * dim})
			}
		}
	}
	n := elements(name, s[:len(s)-1])
	positions := rotaryPositions(name, o, tokens, n, len(table.Cos)/table.Dim)

	// turn writes the rows lo to hi of x to y, turned forward or back.
	turn := func(y, x, tmp []float32, lo, hi int, back bool) {
		copy(y[lo*width:hi*width], x[lo*width:])
		for row := lo; row < hi; row++ {
			at := positions(row) * table.Dim
			cos, sin := table.Cos[at:][:table.Dim], table.Sin[at:][:table.Dim]
			for _, c := range from {
				for h := range heads {
					i := row*width + c + h*dim
					table.turn(y[i:][:table.Dim], x[i:][:table.Dim], tmp, cos, sin, back)
				}
			}
		}
	}
	xv := f.values(x)
	y := f.out(s...)
	cost := width + 4*len(from)*heads*table.Dim
	f.eachRange(n, cost, table.Dim, func(tmp []float32, lo, hi int) { turn(y.data, xv, tmp, lo, hi, false) })
	return f.done(y, func(b *back) {
		b.add(x, func(dx []float32) {
			b.eachRange(n, cost, table.Dim, func(tmp []float32, lo, hi int) { turn(dx, b.dy, tmp, lo, hi, true) })
		})
	})
}

// rotaryPositions returns the position of each of n tokens, in sequences of the given length.
func rotaryPositions(name string, o RotaryOptions, tokens, n, limit int) func(row int) int {
	list := slices.Clone(o.Positions)
	if list == nil {
		if o.First < 0 || n > 0 && o.First > limit-tokens {
			shapePanic(name, fmt.Sprintf("%d tokens from position %d on exceed the table of %d positions", tokens, o.First, limit))
		}
		return func(row int) int { return o.First + row%tokens }
	}
	if len(list) != n && len(list) != tokens {
		shapePanic(name, fmt.Sprintf("expected %d or %d positions (T or B·T), found %d", tokens, n, len(list)))
	}
	for i, p := range list {
		if p < 0 || p >= limit {
			shapePanic(name, fmt.Sprintf("position %d of token %d is outside the table, 0 to %d", p, i, limit-1))
		}
	}
	return func(row int) int { return list[row%len(list)] }
}

// turn writes x∘cos + r(x)∘sin to y, where r takes a pair (a, b) to (-b, a). Back, it writes the transpose,
// x∘cos + rᵀ(x∘sin). All have the table's width.
func (t *RotaryTable) turn(y, x, tmp, cos, sin []float32, back bool) {
	half := t.Dim / 2
	simd.Mul(y, x, cos)
	if back {
		simd.Mul(tmp, x, sin)
		if !t.Interleaved {
			simd.Add(y[:half], y, tmp[half:])
			simd.Sub(y[half:], y[half:], tmp)
			return
		}
		for i := 0; i+1 < len(y); i += 2 {
			y[i] += tmp[i+1]
			y[i+1] -= tmp[i]
		}
		return
	}
	if t.Interleaved {
		for i := 0; i+1 < len(x); i += 2 {
			tmp[i], tmp[i+1] = -x[i+1], x[i]
		}
	} else {
		simd.Neg(tmp[:half], x[half:])
		copy(tmp[half:], x[:half])
	}
	simd.MulAdd(y, tmp, sin)
}
