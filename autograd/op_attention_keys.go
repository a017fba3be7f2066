package autograd

import (
	"sort"

	"github.com/fovea-ml/fovea/simd"
)

// keySpan lists the n keys of one sequence that are not masked: side by side from first on, or at the places in
// index. The scores of a block have a column for each of these keys and none for the others.
type keySpan struct {
	first, n int
	index    []int32
}

// maskKeys turns a mask into spans.
func (a *attention) maskKeys(mask []bool) {
	a.spans = make([]keySpan, a.batch)
	for b := range a.spans {
		m := mask[b*a.tk:][:a.tk]
		first, last, n := 0, -1, 0
		for j, on := range m {
			if !on {
				continue
			}
			if n == 0 {
				first = j
			}
			last = j
			n++
		}
		s := &a.spans[b]
		s.first, s.n = first, n
		if n > 0 && last-first+1 != n {
			a.gathers = true
			s.index = make([]int32, 0, n)
			for j, on := range m {
				if on {
					s.index = append(s.index, int32(j))
				}
			}
		}
	}
}

// span returns the unmasked keys of sequence b.
func (a *attention) span(b int) keySpan {
	if a.spans == nil {
		return keySpan{n: a.tk}
	}
	return a.spans[b]
}

// limit returns how many keys of a span query i sees.
func (a *attention) limit(s keySpan, i int) int {
	if !a.causal {
		return s.n
	}
	end := i + a.tk - a.tq + 1 // of the keys seen, masked ones included
	if s.index != nil {
		return sort.Search(s.n, func(c int) bool { return int(s.index[c]) >= end })
	}
	return max(0, min(s.n, end-s.first))
}

// view returns the keys or values of a span, [n, d]: in place, or gathered into dst.
func (a *attention) view(c columns, dst []float32, s keySpan, b, h int) simd.Matrix {
	if s.n == 0 {
		return simd.Matrix{Stride: max(1, a.d)}
	}
	from, data := b*a.tk*c.stride+c.from+h*a.d, c.data
	if a.state != nil {
		from, data = c.from+h*a.d, a.state.rows[b].floats
		if data == nil {
			return a.widen(from, dst, s, b)
		}
	}
	if s.index == nil {
		return simd.Matrix{Data: data[from+s.first*c.stride:], Stride: c.stride}
	}
	for r, j := range s.index {
		copy(dst[r*a.d:][:a.d], data[from+int(j)*c.stride:])
	}
	return simd.Matrix{Data: dst, Stride: a.d}
}

// broadcastBias is a bias of shape [B, H, Tq, Tk] some of whose dimensions are one: the elements from
// one index to the next, zero where the dimension is one.
type broadcastBias struct {
	of                   Operand
	data                 []float32
	batch, head, query   int
	batches, heads, rows int
}

func (a *attention) broadcast(o Operand) broadcastBias {
	full := []int{a.batch, a.heads, a.tq, a.tk}
	s := o.Shape()
	if len(s) > 4 || len(s) == 0 {
		shapePanic("attention", "expected a bias of at most four dimensions", full, s)
	}
	sh := [4]int{1, 1, 1, 1}
	copy(sh[4-len(s):], s)
	for i, d := range sh {
		if d != full[i] && (d != 1 || i == 3) {
			shapePanic("attention", "expected a bias [B or 1, H or 1, Tq or 1, Tk]", full, s)
		}
	}
	p := broadcastBias{of: o, batches: sh[0], heads: sh[1], rows: sh[2]}
	if sh[2] > 1 {
		p.query = sh[3]
	}
	if sh[1] > 1 {
		p.head = sh[2] * sh[3]
	}
	if sh[0] > 1 {
		p.batch = sh[1] * sh[2] * sh[3]
	}
	return p
}

// at returns where the bias of a row of scores begins.
func (p *broadcastBias) at(b, h, i int) int { return b*p.batch + h*p.head + i*p.query }

// addBias makes a row of products a row of scores. It returns the factor by which the scores must still be
// multiplied: without a bias, the softmax does the scaling. tmp has room for a row.
func (a *attention) addBias(row, tmp []float32, s keySpan, b, h, i int) float32 {
	if a.bias.of == nil {
		return a.scale
	}
	bias := a.bias.data[a.bias.at(b, h, i):][:a.tk]
	if s.index == nil {
		bias = bias[s.first:][:len(row)]
	} else {
		for c := range row {
			tmp[c] = bias[s.index[c]]
		}
		bias = tmp[:len(row)]
	}
	simd.ScaleAdd(row, row, a.scale, bias)
	return 1
}
