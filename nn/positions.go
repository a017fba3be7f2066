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
	if dim%4 != 0 {
		panic(&autograd.ShapeError{Op: "sine-cosine positions", Shapes: [][]int{{height, width, dim}}, Reason: "expected a multiple of 4 values a position"})
	}
	var out []float32
	if classToken {
		out = make([]float32, dim, (height*width+1)*dim)
	}
	quarter := dim / 4
	encode := func(pos int) {
		for i := range quarter {
			out = append(out, float32(math.Sin(float64(pos)/math.Pow(10000, float64(i)/float64(quarter)))))
		}
		for i := range quarter {
			out = append(out, float32(math.Cos(float64(pos)/math.Pow(10000, float64(i)/float64(quarter)))))
		}
	}
	for y := range height {
		for x := range width {
			encode(x)
			encode(y)
		}
	}
	return out
}
