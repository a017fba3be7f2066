package quant

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/nn"
	"github.com/fovea-ml/fovea/simd"
)

// A Weight is the weight of a linear layer or a convolution.
type Weight struct {
	Path   string // as nn.Parameters yields it, such as "Encoder.Blocks.0.MLP.FC1.Weight"
	Shape  []int  // [out, in], or [out, in/groups, kh, kw] of a convolution
	Groups int    // of a convolution; 0 for a linear layer
	// Error is that of rounding to integers: the root of the mean squared difference, divided by that of the values.
	Error float64

	Math          simd.Math // what the rule chose; only in the result of Quantize
	Before, After int64     // size in bytes as stored; only in the result of Quantize
}

// A Rule chooses the arithmetic of the products of a weight: [simd.Int8], [simd.BF16] or [simd.Strict].
type Rule func(w Weight) simd.Math

// Blocks is the rule that suits most models. It tells layers by their place, size and error, and needs no data.
//
// A linear layer is Int8 in parts of numbered blocks, such as "Blocks.0.MLP.FC1.Weight", and so is the joined projection "In"
// of parallel blocks. It is Strict elsewhere: projections into and out of the stack of blocks, poolers and heads, also those of
// numbered layers, and layers that compute relative positions. They take little time, and an error in them is not averaged
// out by what follows.
//
// A convolution is Int8 when it is in a numbered part, such as "Body.Stages.0.1.Convs.0.Conv.Weight", its sums have at least 256
// products, and its Error is at most 0.015. It is BF16 otherwise: heads, projections between parts, 1×1 convolutions of few
// channels, whose errors no long sum averages, and weights that a scale a filter does not suit. With fewer than 16 channels in
// or out in each group it is Strict, as its products are in any case: depthwise convolutions, and those that see pixels.
func Blocks(w Weight) simd.Math {
	inside, numbered := w.inside()
	if w.Groups > 0 {
		const leastChannels, leastProducts, mostError = 16, 256, 0.015
		channels, taps := w.Shape[1], w.Shape[2]*w.Shape[3]
		switch {
		case min(channels, w.Shape[0]/w.Groups) < leastChannels:
			return simd.Strict
		case numbered && channels*taps >= leastProducts && w.Error <= mostError:
			return simd.Int8
		}
		return simd.BF16
	}
	if numbered && (len(inside) >= 3 && !slices.Contains(inside, "Relative") || len(inside) == 2 && inside[0] == "In") {
		return simd.Int8
	}
	return simd.Strict
}

// inside returns the parts of the path behind its last number, if it has one.
func (w Weight) inside() (parts []string, numbered bool) {
	parts = strings.Split(w.Path, ".")
	for i := len(parts) - 1; i >= 0; i-- {
		if _, err := strconv.Atoi(parts[i]); err == nil {
			return parts[i+1:], true
		}
	}
	return parts, false
}

// All is the rule Int8 for every weight.
func All(Weight) simd.Math { return simd.Int8 }

// Quantize converts the weights of a model's linear layers and convolutions as the rule says, and returns them in the order of
// nn.Parameters. A weight of Strict becomes float32, unless it is float16, and so do the model's other parameters, but for tables
// that [Tables] converted. Nothing may use the model meanwhile.
//
// It is an error when the model has no such layer, an adapter is not merged, the rule chooses another arithmetic, or a
// weight to be rounded is not finite or beyond the range of its type. The model is then unchanged.
func Quantize(model any, rule Rule) ([]Weight, error) {
	weights, err := quantize(model, rule)
	if err != nil {
		return nil, fmt.Errorf("quant: %w", err)
	}
	return weights, nil
}

func quantize(model any, rule Rule) ([]Weight, error) {
	if layer, found := nn.Unmerged(model); found {
		return nil, fmt.Errorf("%s has an adapter that is not merged: merge it before", layer)
	}
	groups := layers(model)
	table := map[*autograd.Parameter]bool{}
	for _, e := range nn.Layers[nn.Embedding](model) {
		table[e.Weight] = true
	}
	var weights []Weight
	var change []func()
	for path, p := range nn.Parameters(model) {
		of, offered := groups[p]
		if !offered || len(nn.PathsOf(model, p)) > 1 {
			if table[p] && p.DType() == autograd.BFloat16 && p.MathLimit() == simd.BF16 {
				continue // by Tables
			}
			change = append(change, func() { makeStrict(p) })
			continue
		}
		w := Weight{Path: path, Shape: slices.Clone(p.Shape()), Groups: of, Before: stored(p)}
		codes, scales, ok := integers(p)
		if ok {
			w.Error = difference(p.Values(), codes, scales)
		}
		w.Math, w.After = rule(w), w.Before
		switch w.Math {
		case simd.Int8:
			if !ok {
				return nil, fmt.Errorf("%s: expected finite numbers, found others", path)
			}
			w.After = int64(len(codes)) + 4*int64(len(scales))
			change = append(change, func() {
				if p.DType() != autograd.Int8 {
					p.MapInt8([][]int8{codes}, scales, nil, nil)
				}
				p.LimitMath(simd.Int8)
			})
		case simd.BF16:
			halves, err := bfloats(p)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", path, err)
			}
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
			return nil, fmt.Errorf("%s: the rule chose %v, expected strict, bf16 or int8", path, w.Math)
		}
		weights = append(weights, w)
	}
	if weights == nil {
		return nil, errors.New("the model has no linear layer and no convolution with a weight of its own")
	}
	for _, f := range change {
		f()
	}
	return weights, nil
}

// layers returns the weights that a rule is asked for, with the groups of convolutions.
func layers(model any) map[*autograd.Parameter]int {
	groups := map[*autograd.Parameter]int{}
	for _, l := range nn.Layers[nn.Linear](model) {
		groups[l.Weight] = 0
	}
	for _, c := range nn.Layers[nn.Conv2d](model) {
		groups[c.Weight] = max(1, c.Groups)
	}
	for _, c := range nn.Layers[nn.RepConv](model) {
		delete(groups, c.Wide.Conv.Weight)
		delete(groups, c.Point.Conv.Weight)
	}
	for _, c := range nn.Layers[nn.DeformConv2d](model) {
		delete(groups, c.Offset.Weight)
	}
	return groups
}

// Bytes returns the size of a model's parameters as they are stored, in bytes. Forms that inference derives from them
// come on top.
func Bytes(model any) int64 {
	n := int64(0)
	for _, p := range nn.Parameters(model) {
		n += stored(p)
	}
	return n
}

// makeStrict keeps the products with p in float32. A saved model says that by the type of p, which is float32 or float16.
func makeStrict(p *autograd.Parameter) {
	if t := p.DType(); t == autograd.Int8 || t == autograd.BFloat16 {
		p.Update(func([]float32) {})
	}
	p.LimitMath(simd.Strict)
}

// strictBytes returns the size of a parameter's values after makeStrict.
func strictBytes(p *autograd.Parameter) int64 {
	if p.DType() == autograd.Float16 {
		return stored(p)
	}
	return 4 * int64(p.Len())
}

// stored returns the size of a parameter's values in bytes.
func stored(p *autograd.Parameter) int64 {
	n := int64(p.Len())
	switch p.DType() {
	case autograd.Int8:
		return n + 4*int64(p.Shape()[0])
	case autograd.Float16, autograd.BFloat16:
		return 2 * n
	}
	return 4 * n
}

// integers returns a weight [out, …] as integers and a scale for each row. ok is false when a number is not finite.
func integers(p *autograd.Parameter) (codes []int8, scales []float32, ok bool) {
	if codes, scales, ok = p.Int8(); ok {
		return codes, scales, true
	}
	rows, values := p.Shape()[0], p.Values()
	width := len(values) / max(1, rows)
	codes, scales = make([]int8, len(values)), make([]float32, rows)
	for i := range rows {
		if scales[i], ok = simd.F32ToInt8(codes[i*width:][:width], values[i*width:]); !ok {
			return nil, nil, false
		}
	}
	return codes, scales, true
}

// difference is the Error of a Weight.
func difference(values []float32, codes []int8, scales []float32) float64 {
	width := len(values) / max(1, len(scales))
	row := make([]float32, width)
	var sum, all float64
	for i, scale := range scales {
		simd.Int8ToF32(row, codes[i*width:], scale)
		for j, v := range values[i*width:][:width] {
			d := float64(v) - float64(row[j])
			sum += float64(d * d)
			all += float64(float64(v) * float64(v))
		}
	}
	if all == 0 {
		return 0
	}
	return math.Sqrt(sum / all)
}

// bfloats returns values rounded to bfloat16.
func bfloats(p *autograd.Parameter) ([]uint16, error) {
	values := p.Values()
	halves := make([]uint16, len(values))
	simd.F32ToBF16(halves, values)
	for i, h := range halves {
		if h&0x7f80 == 0x7f80 {
			return nil, fmt.Errorf("element %d: expected a finite number in the range of bfloat16, found %v", i, values[i])
		}
	}
	return halves, nil
}
