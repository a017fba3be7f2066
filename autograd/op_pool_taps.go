package autograd

import "github.com/fovea-ml/fovea/simd"

// A tapRule gives the columns that windows see: window c sees taps columns from c·step - pad on, those inside the image.
// The zero value is no rule.
type tapRule struct{ taps, step, pad int }

// A tapPooling is a pooling whose windows follow a rule. A row of windows is joined over its rows first, then over shifted
// columns, for every column at once.
type tapPooling struct {
	tapRule
	join            rowFunc           // joins two rows
	outside         float32           // what the padding of columns holds; it changes no result
	end             func(y []float32) // the last step for the results of a plane, or nil
	x               []float32
	planes, w, size int
	ys, xs          []span
}

// poolRows is the number of rows of windows that are joined at a time. They stay in the first-level cache.
const poolRows = 8

// sizes returns the number of columns at which a window may begin, of those that windows see, padding included, and of
// those in the image.
func (m *tapPooling) sizes() (n, wide, inner int) {
	n = (len(m.xs)-1)*m.step + 1
	wide = n + m.taps - 1
	return n, wide, min(m.w, wide-m.pad)
}

// cost is the price of a plane.
func (m *tapPooling) cost() int {
	n, wide, _ := m.sizes()
	return spanTotal(m.ys)*wide/4 + len(m.ys)*m.taps*n/4
}

// values stores the results.
func (m *tapPooling) values(t *Tape, y []float32) {
	_, wide, _ := m.sizes()
	rows := min(poolRows, len(m.ys))
	t.eachRange(m.planes, m.cost(), 2*rows*wide, func(scratch []float32, lo, hi int) {
		tall, top := scratch[:len(scratch)/2], scratch[len(scratch)/2:]
		simd.Fill(tall, m.outside)
		for i := lo; i < hi; i++ {
			dst := y[i*len(m.ys)*len(m.xs):][:len(m.ys)*len(m.xs)]
			m.plane(dst, m.x[i*m.size:][:m.size], tall, top)
			if m.end != nil {
				m.end(dst)
			}
		}
	})
}

// plane stores the results of one plane. Several rows are as good as one for the steps along columns: values past the end
// of a row, which see the next one, are not used. tall has the padding of columns already.
func (m *tapPooling) plane(y, src, tall, top []float32) {
	_, wide, inner := m.sizes()
	for r0 := 0; r0 < len(m.ys); r0 += poolRows {
		rows := min(poolRows, len(m.ys)-r0)
		for r, v := range m.ys[r0 : r0+rows] {
			mid, above := tall[r*wide+m.pad:][:inner], src[v.lo*m.w:]
			for q := v.lo + 1; q < v.hi; q++ {
				m.join(mid, src[q*m.w:], above)
				above = mid
			}
			if v.hi-v.lo < 2 {
				copy(mid, above)
			}
		}
		left, n := tall, rows*wide-m.taps+1
		for k := 1; k < m.taps; k++ {
			m.join(top[:n], tall[k:], left)
			left = top
		}
		simd.CopyRows(y[r0*len(m.xs):], len(m.xs), left, wide, rows, len(m.xs), m.step)
	}
}
