package probe

import "github.com/fovea-ml/fovea/simd"

// Both products of a fit read each feature once for two classes. Four samples at a time and two classes at a time fill
// the sixteen floating-point registers of amd64. Sums are float64, and each has one order, which does not depend on how
// the work is divided.

const (
	samples = 4 // at a time
	lanes   = 2 // classes at a time

	sampleBlock  = 64 // samples of a task of dots
	featureBlock = 64 // features of a task of gather; its sums stay in the first-level cache
)

// padded rounds n up to a multiple of m.
func padded(n, m int) int { return (n + m - 1) / m * m }

// matrix is the features of n samples, row-major.
type matrix struct {
	x    []float32
	n, d int
}

// row returns features lo to hi of sample i. Samples past the end are the last one.
func (m matrix) row(i, lo, hi int) []float32 {
	i = min(i, m.n-1) * m.d
	return m.x[i+lo : i+hi]
}

// dots sets z [padded(n, samples), k] to the products of samples and the rows of w [k, d]: each a sum over the features
// in ascending order. k is a multiple of lanes. done is called for each range of samples after its products.
func (m matrix) dots(w *simd.Workers, z, weight []float64, k int, done func(lo, hi int)) {
	d := m.d
	w.For((m.n+sampleBlock-1)/sampleBlock, func(task int) {
		first, last := task*sampleBlock, min((task+1)*sampleBlock, m.n)
		for i := first; i < last; i += samples {
			x0, x1, x2, x3 := m.row(i, 0, d), m.row(i+1, 0, d), m.row(i+2, 0, d), m.row(i+3, 0, d)
			for c := 0; c < k; c += lanes {
				a0, a1, a2, a3, b0, b1, b2, b3 := dots4x2(x0, x1, x2, x3, weight[c*d:(c+1)*d], weight[(c+1)*d:(c+2)*d])
				z := z[i*k+c : (i+samples-1)*k+c+lanes]
				z[0], z[1] = a0, b0
				z[k], z[k+1] = a1, b1
				z[2*k], z[2*k+1] = a2, b2
				z[3*k], z[3*k+1] = a3, b3
			}
		}
		done(first, last)
	})
}

// gather sets g [k, d] to the sum over samples of r[i, c] times the features of i, four samples at a time. r is
// [padded(n, samples), k], with zeros past sample n; k is a multiple of lanes.
func (m matrix) gather(w *simd.Workers, g, r []float64, k int) {
	d := m.d
	w.For((d+featureBlock-1)/featureBlock, func(task int) {
		lo, hi := task*featureBlock, min((task+1)*featureBlock, d)
		for c := range k {
			clear(g[c*d+lo : c*d+hi])
		}
		for i := 0; i < m.n; i += samples {
			x0, x1, x2, x3 := m.row(i, lo, hi), m.row(i+1, lo, hi), m.row(i+2, lo, hi), m.row(i+3, lo, hi)
			for c := 0; c < k; c += lanes {
				r := r[i*k+c : (i+samples-1)*k+c+lanes]
				gather4x2(g[c*d+lo:c*d+hi], g[(c+1)*d+lo:(c+1)*d+hi], x0, x1, x2, x3,
					r[0], r[k], r[2*k], r[3*k], r[1], r[k+1], r[2*k+1], r[3*k+1])
			}
		}
	})
}

// dots4x2 returns the products of four samples with two classes.
func dots4x2(x0, x1, x2, x3 []float32, u, v []float64) (a0, a1, a2, a3, b0, b1, b2, b3 float64) {
	x1, x2, x3, u, v = x1[:len(x0)], x2[:len(x0)], x3[:len(x0)], u[:len(x0)], v[:len(x0)]
	for j := range x0 {
		p, q := u[j], v[j]
		x := float64(x0[j])
		a0 += float64(x * p)
		b0 += float64(x * q)
		x = float64(x1[j])
		a1 += float64(x * p)
		b1 += float64(x * q)
		x = float64(x2[j])
		a2 += float64(x * p)
		b2 += float64(x * q)
		x = float64(x3[j])
		a3 += float64(x * p)
		b3 += float64(x * q)
	}
	return
}

// gather4x2 adds four samples to the sums of two classes.
func gather4x2(g, h []float64, x0, x1, x2, x3 []float32, a0, a1, a2, a3, b0, b1, b2, b3 float64) {
	g, h, x1, x2, x3 = g[:len(x0)], h[:len(x0)], x1[:len(x0)], x2[:len(x0)], x3[:len(x0)]
	for j := range x0 {
		p, q, r, s := float64(x0[j]), float64(x1[j]), float64(x2[j]), float64(x3[j])
		g[j] += (float64(p*a0) + float64(q*a1)) + (float64(r*a2) + float64(s*a3))
		h[j] += (float64(p*b0) + float64(q*b1)) + (float64(r*b2) + float64(s*b3))
	}
}

// dot returns Σ a[i]·b[i] in four partial sums.
func dot(a, b []float64) float64 {
	b = b[:len(a)]
	var s [4]float64
	i := 0
	for ; i+4 <= len(a); i += 4 {
		s[0] += float64(a[i] * b[i])
		s[1] += float64(a[i+1] * b[i+1])
		s[2] += float64(a[i+2] * b[i+2])
		s[3] += float64(a[i+3] * b[i+3])
	}
	for ; i < len(a); i++ {
		s[0] += float64(a[i] * b[i])
	}
	return (s[0] + s[1]) + (s[2] + s[3])
}

// axpy adds t·x to y.
func axpy(y []float64, t float64, x []float64) {
	y = y[:len(x)]
	for i, v := range x {
		y[i] += float64(t * v)
	}
}
