package vit

import (
	"context"
	"fmt"
	"image"
	"slices"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/simd"
)

// HeadFusion says how the weights of several heads become one.
type HeadFusion uint8

// The fusions: the mean, the largest or the smallest weight of all heads.
const (
	MeanHeads HeadFusion = iota
	MaxHeads
	MinHeads
)

// RolloutOptions change how [Model.Rollout] follows attention. The zero value is that of the paper.
type RolloutOptions struct {
	// Heads says how the heads of a layer are fused.
	Heads HeadFusion
	// Discard is the share of a layer's fused weights that count as 0, the smallest first, from 0 to below 1. The class
	// token's weight for itself is kept. With MaxHeads, 0.9 gives clear maps (vit_rollout.py of jacobgil/vit-explain).
	Discard float64
}

// Rollout follows attention through all layers (attention rollout, Abnar and Zuidema, arXiv 2005.00928, section 4). It
// returns, for each image, how much every token after the last layer depends on every token before the first: weights of
// one head, for [Attention.Map]. A layer's weights are fused over the heads, averaged with the identity, which stands for
// the residual connection, scaled to rows with the sum 1, and multiplied with those of the layers before.
//
// Images, ctx, errors and concurrent use are those of [Model.Classify]. The weights of one layer are kept at a time. With
// several attention layers in a block, or one beside a feed-forward layer, each block is a layer, as [Model.Attention] has it. It
// returns an error for options that are not valid.
func (m *Model) Rollout(ctx context.Context, o RolloutOptions, images ...image.Image) ([]Attention, error) {
	if o.Heads > MinHeads || !(o.Discard >= 0 && o.Discard < 1) {
		return nil, fmt.Errorf("vit: rollout: expected Heads of 0 to %d and a Discard of at least 0 and below 1, found %d and %v", MinHeads, o.Heads, o.Discard)
	}
	found := make([]Attention, 0, len(images))
	var weights, fused []float32 // of one layer after the other
	err := m.eachImage(ctx, images, func(pixels *autograd.Tensor) {
		var one Attention
		one, weights, fused = m.Encoder.rollout(pixels, o, weights, fused)
		found = append(found, one)
	})
	if err != nil {
		return nil, fmt.Errorf("vit: rollout: %w", err)
	}
	return found, nil
}

// rollout is the roll-out for the pixels of one image. It uses the memory of weights and fused, and returns that for the next.
func (e *Encoder) rollout(pixels *autograd.Tensor, o RolloutOptions, weights, fused []float32) (_ Attention, _, _ []float32) {
	var product, spare []float32
	var last Attention
	w := pixels.Tape().Workers()
	e.walk(pixels, len(e.Blocks)-1, func(int) *[]float32 { return &weights }, func(layer int, x *autograd.Tensor) {
		last = e.attention(layer, weights, x, pixels)
		n := last.Tokens
		fused = o.fuse(fused, &last)
		if layer == 0 {
			product, spare = slices.Clone(fused), make([]float32, len(fused))
			return
		}
		simd.Gemm(w, n, n, n, simd.Matrix{Data: fused, Stride: n}, simd.Matrix{Data: product, Stride: n}, 0, spare, n, nil)
		product, spare = spare, product
	})
	last.Heads, last.Weights = 1, product
	return last, weights, fused
}

// fuse returns the factor of a layer, [tokens, tokens], in the memory of dst where that is enough.
func (o RolloutOptions) fuse(dst []float32, a *Attention) []float32 {
	n := a.Tokens
	dst = append(dst[:0], a.Weights[:n*n]...)
	for h := 1; h < a.Heads; h++ {
		switch head := a.Weights[h*n*n:][:n*n]; o.Heads {
		case MaxHeads:
			simd.Max(dst, dst, head)
		case MinHeads:
			simd.Min(dst, dst, head)
		default:
			simd.Add(dst, dst, head)
		}
	}
	if o.Heads == MeanHeads {
		simd.Scale(dst, dst, 1/float32(a.Heads))
	}
	discard(dst, int(o.Discard*float64(len(dst))))
	for q := range n {
		row := dst[q*n:][:n]
		row[q]++
		sum := 0.0
		for _, v := range row {
			sum += float64(v)
		}
		for k, v := range row {
			row[k] = float32(float64(v) / sum)
		}
	}
	return dst
}

// discard sets the count smallest weights to 0, of equals the first, but never the first of all.
func discard(weights []float32, count int) {
	if count == 0 {
		return
	}
	sorted := slices.Clone(weights)
	slices.Sort(sorted)
	limit := sorted[count-1]
	equal := count // how many of those equal to the limit go
	for _, v := range sorted[:count] {
		if v < limit {
			equal--
		}
	}
	for i, v := range weights {
		if v == limit {
			equal--
		}
		if i > 0 && (v < limit || v == limit && equal >= 0) {
			weights[i] = 0
		}
	}
}
