package contrast

import (
	"math"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/simd"
)

// symmetric is the mean of the cross-entropies of the rows and of the columns of logits, [n, n], whose targets are on
// the diagonal. One operation needs no transposed logits, and its gradient is the only other array of their size.
var symmetric = autograd.Op{
	Name: "softmax contrast",
	Forward: func(f *autograd.ForwardStep) {
		x, n := f.In(0), f.Shape(0)[0]
		loss := f.NewOut()
		// The maxima and the sums of exponentials stay apart: their logarithm added to a maximum would lose the digits of a
		// small loss.
		rowMax, rowSum, columnMax, columnSum := f.Save(n), f.Save(n), f.Save(n), f.Save(n)
		f.Each(n, 8*n, func(lo, hi int) {
			for i := lo; i < hi; i++ {
				row := x[i*n : (i+1)*n]
				rowMax[i] = simd.MaxValue(row)
				rowSum[i] = simd.SumExp(row, 1, rowMax[i])
			}
		})
		f.Each((n+columns-1)/columns, 8*n*columns, func(lo, hi int) {
			for from := lo * columns; from < min(n, hi*columns); from += columns {
				to := min(n, from+columns)
				sumColumns(columnMax[from:to], columnSum[from:to], x, n, from)
			}
		})
		sum := 0.0
		for i := range n {
			own := x[i*n+i]
			sum += math.Log(float64(rowSum[i])) - float64(own-rowMax[i]) + math.Log(float64(columnSum[i])) - float64(own-columnMax[i])
		}
		loss[0] = float32(sum / float64(2*n))
	},
	Backward: func(b *autograd.BackwardStep) {
		x, n := b.In(0), b.Shape(0)[0]
		g := b.OutGrad(0)[0] / float32(2*n)
		rowMax, rowSum, columnMax, columnSum := b.Saved(0), b.Saved(1), b.Saved(2), b.Saved(3)
		factor := b.Scratch(n) // of the columns' exponentials
		for j, s := range columnSum {
			factor[j] = g / s
		}
		b.Add(0, func(dx []float32) {
			b.Each(n, 32*n, func(lo, hi int) {
				var other [columns]float32
				for i := lo; i < hi; i++ {
					for from := i * n; from < (i+1)*n; from += columns {
						to := min((i+1)*n, from+columns)
						d, v, j := dx[from:to], x[from:to], from-i*n
						simd.AddScalar(d, v, -rowMax[i])
						simd.Exp(d, d)
						simd.Scale(d, d, g/rowSum[i])
						t := other[:len(d)]
						simd.Sub(t, v, columnMax[j:])
						simd.Exp(t, t)
						simd.MulAdd(d, t, factor[j:])
					}
					dx[i*n+i] -= 2 * g
				}
			})
		})
	},
}

// columns is the number of columns that are summed at a time.
const columns = 256

// sumColumns finds the maxima of columns of x, [n, n], from the given one on, and the sums of their exponentials.
// Blocks of 64 rows are summed first, for precision.
func sumColumns(maxima, sums, x []float32, n, from int) {
	width := len(sums)
	copy(maxima, x[from:from+width])
	for i := 1; i < n; i++ {
		simd.Max(maxima, maxima, x[i*n+from:][:width])
	}
	var blockSum, exponentials [columns]float32
	clear(sums)
	for first := 0; first < n; first += 64 {
		block, e := blockSum[:width], exponentials[:width]
		clear(block)
		for i := first; i < min(n, first+64); i++ {
			simd.Sub(e, x[i*n+from:][:width], maxima)
			simd.Exp(e, e)
			simd.Add(block, block, e)
		}
		simd.Add(sums, sums, block)
	}
}
