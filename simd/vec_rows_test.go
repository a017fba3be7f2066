package simd

import (
	"fmt"
	"math"
	"testing"

	"github.com/fovea-ml/fovea/simd/internal/exact"
)

// The exact reference of the row functions follows the documented steps with exact lanes.

func exactSoftmax(dst, x []float32, scale float32) {
	exact.Scale(dst, dst, 1/exact.ExpSum(dst, x, scale, exact.MaxNumber(x)))
}

func exactLayerNorm(dst, x, gamma, beta []float32, eps float32) (mean, rstd float32) {
	n := float32(len(x))
	m := exact.Sum(x) / n
	sum, squares := exact.Moments(x, m)
	d := sum / n
	mean = m + d
	rstd = 1 / float32(math.Sqrt(float64(max(0, squares/n-float32(d*d))+eps)))
	exact.NormalizeAffine(dst, x, gamma, beta, mean, rstd)
	return mean, rstd
}

func exactLayerNormGrad(dx, dy, x, gamma []float32, mean, rstd float32, dgamma, dbeta []float32) {
	n := float32(len(x))
	exact.LayerNormDGamma(dgamma, dy, x, mean, rstd)
	exact.Add(dbeta, dbeta, dy)
	sum, dot := exact.LayerNormSumsScale(dy, x, gamma, mean, rstd)
	exact.LayerNormDXScale(dx, dy, x, gamma, mean, rstd, sum/n, dot/n)
}

func TestRowBits(t *testing.T) {
	onLevels(t, fusedLevels(), func(t *testing.T) {
		for _, n := range []int{1, 2, 15, 16, 17, 33, 197, 768, maxCall + 5} {
			x, y, dy := make([]float32, n), make([]float32, n), make([]float32, n)
			gamma, beta := make([]float32, n), make([]float32, n)
			for i, s := range [][]float32{x, dy, gamma, beta} {
				ordinary(s, uint64(n+i))
			}
			got, want := make([]float32, n), make([]float32, n)
			at := func(name string) string { return fmt.Sprintf("%s, n = %d", name, n) }

			Softmax(y, x, .125)
			exactSoftmax(want, x, .125)
			compareBits(t, at("Softmax"), y, want)

			SoftmaxGrad(got, y, dy, .125)
			exact.SoftmaxGrad(want, y, dy, .125, exact.Dot(y, dy))
			compareBits(t, at("SoftmaxGrad"), got, want)

			LogSoftmax(got, x, .7)
			top := exact.MaxNumber(x)
			lse := []float32{exact.ExpSumOnly(x, .7, top)}
			exact.Log(lse, lse)
			exact.LogSoftmax(want, x, .7, top, lse[0])
			compareBits(t, at("LogSoftmax"), got, want)

			if v := LogSumExp(x, .7); v != float32(.7*top)+lse[0] {
				t.Errorf("%s = %g, exact %g", at("LogSumExp"), v, float32(.7*top)+lse[0])
			}

			LogSoftmaxGrad(y, got, dy, .7)
			exact.LogSoftmaxGrad(want, got, dy, .7, exact.Sum(dy))
			compareBits(t, at("LogSoftmaxGrad"), y, want)

			mean, rstd := LayerNorm(got, x, gamma, beta, 1e-6)
			wantMean, wantRstd := exactLayerNorm(want, x, gamma, beta, 1e-6)
			compareBits(t, at("LayerNorm"), append(got, mean, rstd), append(want, wantMean, wantRstd))

			dg, db := append([]float32(nil), beta...), append([]float32(nil), gamma...)
			wantDG, wantDB := append([]float32(nil), beta...), append([]float32(nil), gamma...)
			LayerNormGrad(got, dy, x, gamma, mean, rstd, dg, db)
			exactLayerNormGrad(want, dy, x, gamma, mean, rstd, wantDG, wantDB)
			compareBits(t, at("LayerNormGrad: dx"), got, want)
			compareBits(t, at("LayerNormGrad: dgamma"), dg, wantDG)
			compareBits(t, at("LayerNormGrad: dbeta"), db, wantDB)
		}
	})
}

// close64 compares with float64; the tolerance is tol times the reference's largest element.
func close64(t *testing.T, what string, got []float32, want []float64, tol float64) {
	t.Helper()
	top := 1e-30
	for _, w := range want {
		top = max(top, math.Abs(w))
	}
	for i, w := range want {
		if d := math.Abs(float64(got[i]) - w); !(d <= tol*top) {
			t.Fatalf("%s: element %d of %d is %g, want %g", what, i, len(want), got[i], w)
		}
	}
}

// The row functions agree with float64 at every level, the portable one included.
func TestRowsAgainstFloat64(t *testing.T) {
	onLevels(t, Levels(), func(t *testing.T) {
		for _, n := range []int{1, 7, 64, 197, 768} {
			const rows, eps, scale = 3, 1e-5, .7
			stride := n + 3
			x, dy := make([]float32, rows*stride), make([]float32, rows*stride)
			gamma, beta := make([]float32, n), make([]float32, n)
			for i, s := range [][]float32{x, dy, gamma, beta} {
				ordinary(s, uint64(n+i))
			}
			y, dx := make([]float32, rows*stride), make([]float32, rows*stride)
			lsm := make([]float32, n)
			SoftmaxRows(y, x, rows, n, stride, stride, scale)
			for r := range rows {
				xr, yr, dyr := x[r*stride:][:n], y[r*stride:][:n], dy[r*stride:][:n]
				sum := 0.0
				for _, v := range xr {
					sum += math.Exp(scale * float64(v))
				}
				p, logp, dot, sumDY := make([]float64, n), make([]float64, n), 0.0, 0.0
				for i, v := range xr {
					p[i] = math.Exp(scale*float64(v)) / sum
					logp[i] = math.Log(p[i])
					dot += p[i] * float64(dyr[i])
					sumDY += float64(dyr[i])
				}
				close64(t, "Softmax", yr, p, 2e-6)
				want := make([]float64, n)
				for i := range want {
					want[i] = scale * p[i] * (float64(dyr[i]) - dot)
				}
				SoftmaxGrad(dx[r*stride:][:n], yr, dyr, scale)
				if n > 1 { // the gradient of a single element is 0 up to rounding
					close64(t, "SoftmaxGrad", dx[r*stride:][:n], want, 4e-6)
				}
				LogSoftmax(lsm, xr, scale)
				close64(t, "LogSoftmax", lsm, logp, 2e-6)
				for i := range want {
					want[i] = scale * (float64(dyr[i]) - p[i]*sumDY)
				}
				LogSoftmaxGrad(lsm, lsm, dyr, scale)
				if n > 1 {
					close64(t, "LogSoftmaxGrad", lsm, want, 4e-6)
				}
				close64(t, "LogSumExp", []float32{LogSumExp(xr, scale)}, []float64{math.Log(sum)}, 2e-6)
			}

			mean, rstd := make([]float32, rows), make([]float32, rows)
			dgamma, dbeta := make([]float32, n), make([]float32, n)
			wantDG, wantDB := make([]float64, n), make([]float64, n)
			LayerNormRows(y, x, gamma, beta, eps, rows, n, stride, stride, mean, rstd)
			LayerNormGradRows(dx, dy, x, gamma, rows, n, stride, mean, rstd, dgamma, dbeta)
			for r := range rows {
				xr, dyr := x[r*stride:][:n], dy[r*stride:][:n]
				m, v := 0.0, 0.0
				for _, e := range xr {
					m += float64(e) / float64(n)
				}
				for _, e := range xr {
					v += (float64(e) - m) * (float64(e) - m) / float64(n)
				}
				s := 1 / math.Sqrt(v+eps)
				close64(t, "mean", mean[r:r+1], []float64{m}, 1e-5)
				if n > 1 { // the deviation of one element is 0
					close64(t, "rstd", rstd[r:r+1], []float64{s}, 1e-5)
				}
				want, c1, c2 := make([]float64, n), 0.0, 0.0
				hat := make([]float64, n)
				for i := range want {
					hat[i] = (float64(xr[i]) - m) * s
					want[i] = hat[i]*float64(gamma[i]) + float64(beta[i])
					g := float64(dyr[i]) * float64(gamma[i])
					c1 += g / float64(n)
					c2 += g * hat[i] / float64(n)
					wantDG[i] += float64(dyr[i]) * hat[i]
					wantDB[i] += float64(dyr[i])
				}
				close64(t, "LayerNorm", y[r*stride:][:n], want, 1e-5)
				for i := range want {
					want[i] = s * (float64(dyr[i])*float64(gamma[i]) - c1 - hat[i]*c2)
				}
				if n > 1 {
					close64(t, "LayerNormGrad: dx", dx[r*stride:][:n], want, 1e-5)
				}
			}
			if n > 1 {
				close64(t, "LayerNormGrad: dgamma", dgamma, wantDG, 1e-5)
			}
			close64(t, "LayerNormGrad: dbeta", dbeta, wantDB, 1e-5)
		}
	})
}

// The functions over rows give the bits of the functions over one row, and leave the gaps between rows alone.
func TestRowsAreRows(t *testing.T) {
	onLevels(t, Levels(), func(t *testing.T) {
		const rows, n, xs, ds = 5, 37, 41, 39
		x, dst := make([]float32, rows*xs), make([]float32, rows*ds)
		ordinary(x, 3)
		Fill(dst, -7)
		SoftmaxRows(dst, x, rows, n, ds, xs, 2)
		row := make([]float32, n)
		for r := range rows {
			Softmax(row, x[r*xs:], 2)
			compareBits(t, "SoftmaxRows", dst[r*ds:][:n], row)
			for _, v := range dst[r*ds:][n:ds] {
				if v != -7 {
					t.Fatalf("SoftmaxRows wrote between rows %d and %d", r, r+1)
				}
			}
		}
		mean, rstd := make([]float32, rows), make([]float32, rows)
		Fill(dst, -7)
		LayerNormRows(dst, x, nil, nil, 1e-6, rows, n, ds, xs, mean, rstd)
		for r := range rows {
			m, s := LayerNorm(row, x[r*xs:], nil, nil, 1e-6)
			compareBits(t, "LayerNormRows", append(dst[r*ds:][:n:n], mean[r], rstd[r]), append(row[:n:n], m, s))
			if dst[r*ds+n] != -7 {
				t.Fatalf("LayerNormRows wrote after row %d", r)
			}
		}
	})
}

// A nil gamma means ones and a nil beta zeros; nil gradients are skipped.
func TestLayerNormNil(t *testing.T) {
	onLevels(t, Levels(), func(t *testing.T) {
		const n = 37
		x, gamma, beta := make([]float32, n), make([]float32, n), make([]float32, n)
		ordinary(x, 1)
		ordinary(gamma, 2)
		ordinary(beta, 3)
		ones, zeros := make([]float32, n), make([]float32, n)
		Fill(ones, 1)
		got, want := make([]float32, n), make([]float32, n)
		for _, c := range []struct{ gamma, beta, gammaFull, betaFull []float32 }{
			{nil, nil, ones, zeros}, {gamma, nil, gamma, zeros}, {nil, beta, ones, beta},
		} {
			LayerNorm(got, x, c.gamma, c.beta, 1e-6)
			mean, rstd := LayerNorm(want, x, c.gammaFull, c.betaFull, 1e-6)
			compareBits(t, "LayerNorm", got, want)
			LayerNormGrad(got, beta, x, c.gamma, mean, rstd, nil, nil)
			LayerNormGrad(want, beta, x, c.gammaFull, mean, rstd, nil, nil)
			compareBits(t, "LayerNormGrad", got, want)
		}
		dgamma := make([]float32, n)
		LayerNormGrad(nil, beta, x, gamma, 0, 1, dgamma, nil)
		Mul(want, beta, x)
		compareBits(t, "dgamma alone", dgamma, want)
	})
}

func TestSoftmaxSpecial(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	onLevels(t, Levels(), func(t *testing.T) {
		for _, n := range []int{1, 4, 16, 29} {
			x, y := make([]float32, n), make([]float32, n)
			Fill(x, -inf)
			Softmax(y, x, 1)
			compareBits(t, "fully masked", y, make([]float32, n))
			LogSoftmax(y, x, 1)
			if y[n-1] == y[n-1] || LogSumExp(x, 1) != -inf {
				t.Errorf("fully masked: log softmax %g, log-sum-exp %g", y[n-1], LogSumExp(x, 1))
			}
			for i := range n {
				x[i] = 3
				Softmax(y, x, 1)
				for j := range y {
					if (j == i) != (y[j] == 1) || j != i && y[j] != 0 {
						t.Fatalf("one element at %d of %d: softmax %v", i, n, y)
					}
				}
				x[i] = nan
				Softmax(y, x, 1)
				for j := range y {
					if y[j] == y[j] {
						t.Fatalf("NaN at %d of %d: softmax %v", i, n, y)
					}
				}
				if v := LogSumExp(x, 1); v == v {
					t.Fatalf("NaN at %d of %d: log-sum-exp %g", i, n, v)
				}
				if v := MaxValue(x); v == v {
					t.Fatalf("NaN at %d of %d: MaxValue %g", i, n, v)
				}
				if v := MaxNumber(x); v != -inf {
					t.Fatalf("NaN at %d of %d: MaxNumber %g", i, n, v)
				}
				x[i] = -inf
			}
		}
	})
}

func TestEmpty(t *testing.T) {
	inf := float32(math.Inf(1))
	onLevels(t, Levels(), func(t *testing.T) {
		Softmax(nil, nil, 1)
		SoftmaxGrad(nil, nil, nil, 1)
		LogSoftmax(nil, nil, 1)
		SoftmaxRows(nil, nil, 0, 5, 5, 5, 1)
		LayerNormRows(nil, nil, nil, nil, 1e-6, 0, 5, 5, 5, nil, nil)
		ColumnSumsAdd(nil, nil, 0, 0, 0)
		AdamW(nil, nil, nil, nil, AdamWStep{})
		F32ToF16(nil, nil)
		if Sum(nil) != 0 || SumSquares(nil) != 0 || Dot(nil, nil) != 0 || MaxValue(nil) != -inf || LogSumExp(nil, 1) != -inf {
			t.Error("reductions of nothing")
		}
	})
}

func TestColumnSums(t *testing.T) {
	memA, memB, memDst := newGuarded(t, 1<<16), newGuarded(t, 1<<16), newGuarded(t, 4096)
	onLevels(t, fusedLevels(), func(t *testing.T) {
		for _, n := range append(lengths(), 300) {
			for _, rows := range []int{1, 2, 3, 7, 8, 9, 17, 66} {
				stride := n + rows%3
				if (rows-1)*stride+n > 1<<14 {
					continue
				}
				for _, atEnd := range []bool{true, false} {
					a, b := memA.floats((rows-1)*stride+n, atEnd), memB.floats((rows-1)*(n+1)+n, atEnd)
					fill(a, uint64(n))
					fill(b, uint64(n+1))
					dst := memDst.floats(n, atEnd)
					ordinary(dst, uint64(n))
					want := append([]float32(nil), dst...)
					exact.ColumnSumsAdd(want, a, rows, stride)
					ColumnSumsAdd(dst, a, rows, n, stride)
					what := fmt.Sprintf("%d rows of %d", rows, n)
					compareBits(t, what, dst, want)
					exact.ColumnDotsAdd(want, a, b, rows, stride, n+1)
					ColumnDotsAdd(dst, a, b, rows, n, stride, n+1)
					compareBits(t, what+", dots", dst, want)
				}
			}
		}
		// Several levels, several cascades, several calls.
		for _, c := range [][2]int{{64, 50}, {65, 50}, {512, 50}, {513, 300}, {1700, 20}, {200, 500}, {3, 2*maxCall + 5}} {
			rows, n := c[0], c[1]
			a, b, dst, want := make([]float32, rows*n), make([]float32, rows*n), make([]float32, n), make([]float32, n)
			ordinary(a, 1)
			ordinary(b, 2)
			exact.ColumnSumsAdd(want, a, rows, n)
			ColumnSumsAdd(dst, a, rows, n, n)
			compareBits(t, fmt.Sprintf("%d rows of %d", rows, n), dst, want)
			exact.ColumnDotsAdd(want, a, b, rows, n, n)
			ColumnDotsAdd(dst, a, b, rows, n, n, n)
			compareBits(t, fmt.Sprintf("%d rows of %d, dots", rows, n), dst, want)
		}
	})
}

// A row of equal elements is normalized to zeros, whatever its length and eps.
func TestLayerNormConstant(t *testing.T) {
	onLevels(t, Levels(), func(t *testing.T) {
		for _, n := range []int{1, 3, 96, 192, 384, 768, 1000, 1024, 1280, 3072, 5000} {
			x, y := make([]float32, n), make([]float32, n)
			zeros := make([]float32, n)
			for k := 1; k <= 1000; k += 1 + n/100 {
				c := float32(k) * 0.01
				Fill(x, c)
				for _, eps := range []float32{1e-12, 1e-6, 1e-5} {
					mean, rstd := LayerNorm(y, x, nil, nil, eps)
					compareBits(t, fmt.Sprintf("%d elements of %g, eps %g", n, c, eps), y, zeros)
					if want := 1 / math.Sqrt(float64(eps)); mean != c || math.Abs(float64(rstd)-want) > 1e-4*want {
						t.Errorf("%d elements of %g, eps %g: mean %g, rstd %g", n, c, eps, mean, rstd)
					}
				}
			}
		}
	})
}
