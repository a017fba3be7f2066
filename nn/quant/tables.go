package quant

import (
	"fmt"
	"math"
	"slices"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/nn"
	"github.com/fovea-ml/fovea/simd"
)

// Halves is the rule BF16 for every weight or table.
func Halves(Weight) simd.Math { return simd.BF16 }

// Tables converts a model's embedding tables ([nn.Embedding]) as the rule says, and returns them in the order of
// nn.Parameters: to bfloat16 for [simd.BF16], and to float32 for [simd.Strict], unless it is float16. A table then takes half of the
// memory and of the file; what is looked up is float32 again. In a small text model the words take most of it. Where the
// table is a decoder too (tied weights), its products are in bfloat16.
//
// A quantized model keeps these types when it is saved: call it for a model that [Quantize] converts. Nothing may use the
// model meanwhile. It is an error when the rule chooses another arithmetic, or a number is not finite or beyond the range
// of bfloat16. The model is then unchanged.
func Tables(model any, rule Rule) ([]Weight, error) {
	table := map[*autograd.Parameter]bool{}
	for _, e := range nn.Layers[nn.Embedding](model) {
		table[e.Weight] = true
	}
	var tables []Weight
	var change []func()
	for path, p := range nn.Parameters(model) {
		if !table[p] {
			continue
		}
		halves, err := bfloats(p)
		if err != nil {
			return nil, fmt.Errorf("quant: %s: %w", path, err)
		}
		w := Weight{Path: path, Shape: slices.Clone(p.Shape()), Before: stored(p), Error: halved(p.Values(), halves)}
		w.Math, w.After = rule(w), w.Before
		switch w.Math {
		case simd.BF16:
			w.After = 2 * int64(len(halves))
			change = append(change, func() {
				if p.DType() != autograd.BFloat16 {
					p.MapHalf(autograd.BFloat16, [][]uint16{halves}, nil, nil)
				}
				p.LimitMath(simd.BF16)
			})
		case simd.Strict:
			w.After = strictBytes(p)
			change = append(change, func() { makeStrict(p) })
		default:
			return nil, fmt.Errorf("quant: %s: the rule chose %v, expected strict or bf16 for a table", path, w.Math)
		}
		tables = append(tables, w)
	}
	for _, f := range change {
		f()
	}
	return tables, nil
}

// halved is the Error of values in bfloat16.
func halved(values []float32, halves []uint16) float64 {
	wide := make([]float32, len(halves))
	simd.BF16ToF32(wide, halves)
	var sum, all float64
	for i, v := range values {
		d := float64(v) - float64(wide[i])
		sum += float64(d * d)
		all += float64(float64(v) * float64(v))
	}
	if all == 0 {
		return 0
	}
	return math.Sqrt(sum / all)
}
