package simd

import "testing"

// Rows without elements may have any stride: the slices hold nothing.
func TestEmptyRows(t *testing.T) {
	SoftmaxRows(nil, nil, 3, 0, 4, 4, 1)
	mean, rstd := make([]float32, 3), make([]float32, 3)
	LayerNormRows(nil, nil, nil, nil, 1e-6, 3, 0, 4, 4, mean, rstd)
	LayerNormGradRows([]float32{}, nil, nil, nil, 3, 0, 4, mean, rstd, nil, nil)
	ColumnSumsAdd(nil, nil, 3, 0, 4)
}

// A limit of more cores than there are products is harmless, however large.
func TestGemmBatchWithManyCores(t *testing.T) {
	const count = 64
	a, b, c := []float32{2}, []float32{3}, make([]float32, count)
	for _, limit := range []int{1 << 30, 1 << (ptrBits - 2)} {
		clear(c)
		GemmBatch(NewWorkers(limit), count, 1, 1, 1, 0, func(i int) (Matrix, Matrix, []float32, int) {
			return Matrix{a, 1, false}, Matrix{b, 1, false}, c[i:], 1
		})
		for i, v := range c {
			if v != 6 {
				t.Fatalf("limit %d: product %d is %v", limit, i, v)
			}
		}
	}
}

const ptrBits = 32 << (^uint(0) >> 63)
