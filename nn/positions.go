package nn

import (
	"math"

	"github.com/fovea-ml/fovea/autograd"
)

// SinCos2D returns the fixed sine-cosine position embedding of MAE for a grid of height×width patches:
// [height·width, dim] in row-major order, computed in float64 (util/pos_embed.py of facebookresearch/mae).
//
// The first half of a row encodes the column of the patch, the second half its row. Each half holds the sines, then the
// cosines, of the position over 10000^(4i/dim). With classToken a row of zeros comes first.
//
// It panics with an autograd.ShapeError when dim is not a multiple of 4.
func SinCos2D(dim, height, width int, classToken bool) []float32 {
	checkSinCos(dim, height, width)
	var out []float32
	if classToken {
		out = make([]float32, dim, (height*width+1)*dim)
	}
	for y := range height {
		for x := range width {
			out = appendSinCos(out, x, dim/4, 10000)
			out = appendSinCos(out, y, dim/4, 10000)
		}
	}
	return out
}

// SinCos2DRows is [SinCos2D] without a class token, whose first half encodes the row and the second half the column, over
// powers of the given temperature in place of 10000 (build_2d_sinusoidal_position_embedding in transformers'
// modeling_rt_detr.py).
func SinCos2DRows(dim, height, width int, temperature float64) []float32 {
	checkSinCos(dim, height, width)
	var out []float32
	for y := range height {
		for x := range width {
			out = appendSinCos(out, y, dim/4, temperature)
			out = appendSinCos(out, x, dim/4, temperature)
		}
	}
	return out
}

func checkSinCos(dim, height, width int) {
	if dim%4 != 0 {
		panic(&autograd.ShapeError{Op: "sine-cosine positions", Shapes: [][]int{{height, width, dim}}, Reason: "expected a multiple of 4 values a position"})
	}
}

// appendSinCos appends n sines and n cosines of a position.
func appendSinCos(out []float32, pos, n int, temperature float64) []float32 {
	for i := range n {
		out = append(out, float32(math.Sin(float64(pos)/math.Pow(temperature, float64(i)/float64(n)))))
	}
	for i := range n {
		out = append(out, float32(math.Cos(float64(pos)/math.Pow(temperature, float64(i)/float64(n)))))
	}
	return out
}
