package autograd

import (
	"math"

	"github.com/fovea-ml/fovea/simd"
)

// maxPool saves where in its window each result is, if windows follow the rule and are not far apart. Otherwise the
// backward step looks for each result.
func maxPool(name string, x Operand, ys, xs []span, rule tapRule) *Tensor {
	if rows := spanTotal(ys[:min(1, len(ys))]); rule.step < 1 || rule.step > 4 || len(xs) == 0 || rows*x.Shape()[3] >= 1<<20 {
		return maxPoolSearched(name, x, ys, xs)
	}
	f := begin(name, x)
	s := x.Shape()
	m := maxPooling{tapPooling: tapPooling{tapRule: rule, join: simd.Max, outside: float32(math.Inf(-1)),
		x: f.values(x), planes: s[0] * s[1], w: s[3], size: s[2] * s[3], ys: ys, xs: xs}}
	y := f.out(s[0], s[1], len(ys), len(xs))
	if f.grad {
		m.at = f.save(len(y.data))
	}
	m.forward(f.Tape, y.data)
	return f.done(y, func(b *back) {
		if b.wants(x) {
			dx, beta := b.into(x)
			m.backward(b, dx, beta)
		}
	})
}

// maxPooling is a maxPool whose windows follow a rule.
type maxPooling struct {
	tapPooling
	at []float32 // by result: the place from the window's corner, padding included; nil if not wanted
}

// nowhere is larger than any place.
const nowhere = 1 << 24

// forward stores the results and, if they are wanted, their places.
func (m *maxPooling) forward(t *Tape, y []float32) {
	if m.at == nil {
		m.values(t, y)
		return
	}
	n, wide, inner := m.sizes()
	slots := t.slots(m.planes, m.cost())
	scratch := t.scratch(slots * 2 * (wide + n))
	t.eachSlot(slots, m.planes, func(slot, i int) {
		buf := scratch[slot*2*(wide+n):][:2*(wide+n)]
		tall, tallAt, top, at := buf[:wide], buf[wide:2*wide], buf[2*wide:][:n], buf[2*wide+n:][:n]
		simd.Fill(tall, m.outside)
		simd.Fill(tallAt, nowhere)
		mid, midAt := tall[m.pad:m.pad+inner], tallAt[m.pad:m.pad+inner]
		src := m.x[i*m.size:][:m.size]
		for r, v := range m.ys {
			out := y[(i*len(m.ys)+r)*len(m.xs):][:len(m.xs)]
			copy(mid, src[v.lo*m.w:])
			clear(midAt)
			for q := v.lo + 1; q < v.hi; q++ {
				simd.MaxRow(mid, midAt, src[q*m.w:], float32((q-v.lo)*m.w))
			}
			copy(top, tall)
			copy(at, tallAt)
			for k := 1; k < m.taps; k++ {
				simd.MaxShifted(top, at, tall[k:], tallAt[k:], float32(k))
			}
			places := m.at[(i*len(m.ys)+r)*len(m.xs):][:len(m.xs)]
			for c, j := 0, 0; c < len(out) && c < len(places) && j < n; c, j = c+1, j+m.step {
				t := top[j]
				out[c], places[c] = t, at[j]
				if t != t {
					places[c] = float32(winner(src, m.w, v, m.xs[c], t) - m.corner(v, c))
				}
			}
		}
	})
	t.recycle(scratch)
}

// corner is the place in a plane from which those of window c of row v count.
func (m *maxPooling) corner(v span, c int) int { return v.lo*m.w + c*m.step - m.pad }

func (m *maxPooling) backward(b *back, dx []float32, beta float32) {
	b.each(m.planes, m.size+2*len(m.ys)*len(m.xs), func(lo, hi int) {
		for i := lo; i < hi; i++ {
			dst := dx[i*m.size:][:m.size]
			if beta == 0 {
				clear(dst)
			}
			for r, v := range m.ys {
				k := (i*len(m.ys) + r) * len(m.xs)
				dy, corner := b.dy[k:][:len(m.xs)], m.corner(v, 0)
				for c, place := range m.at[k:][:len(m.xs)] {
					dst[corner+c*m.step+int(place)] += dy[c]
				}
			}
		}
	})
}

// maxPoolSearched saves nothing.
func maxPoolSearched(name string, x Operand, ys, xs []span) *Tensor {
	f, y, p := pool(name, x, ys, xs, simd.Max, func(dst, row []float32, _ span) { maxWindows(dst, row, xs) })
	size := p.h * p.w
	return f.done(y, func(b *back) {
		if !b.wants(x) {
			return
		}
		dx := b.sum(x)
		b.each(p.planes, 2*spanTotal(ys)*spanTotal(xs), func(from, to int) {
			for i := from; i < to; i++ {
				src, dst := p.x[i*size:][:size], dx[i*size:][:size]
				for r, v := range ys {
					at := (i*len(ys) + r) * len(xs)
					top, dy := y.data[at:][:len(xs)], b.dy[at:][:len(xs)]
					for c, u := range xs {
						dst[winner(src, p.w, v, u, top[c])] += dy[c]
					}
				}
			}
		})
	})
}

// maxWindows stores the largest of each window of one row.
func maxWindows(dst, row []float32, xs []span) {
	for c, u := range xs {
		best := row[u.lo]
		for _, v := range row[u.lo+1 : u.hi] {
			best = max(best, v)
		}
		dst[c] = best
	}
}

// winner returns where a window's largest value first is.
func winner(src []float32, w int, v, u span, top float32) int {
	for r := v.lo; r < v.hi; r++ {
		for c, x := range src[r*w+u.lo : r*w+u.hi] {
			if x == top || x != x {
				return r*w + u.lo + c
			}
		}
	}
	return v.lo*w + u.lo
}
