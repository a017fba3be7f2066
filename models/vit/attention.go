package vit

import (
	"context"
	"fmt"
	"image"
	"slices"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/models/internal/run"
)

// AttentionOptions says whose weights [Model.Attention] returns. The zero value means those of the last block.
type AttentionOptions struct {
	// Layers are numbers of blocks, in any order: 0 is the first block, and -1 the last. nil means the last.
	Layers []int
}

// Attention holds the attention weights between the tokens of one image. The weights of a query add up to 1.
type Attention struct {
	Layer         int // the number of the block, from 0
	Heads         int
	Tokens        int
	Prefix        int       // the number of tokens before those of the patches
	ClassToken    bool      // the first of them is a class token
	Rows, Columns int       // of the grid of patches
	Weights       []float32 // [Heads, Tokens, Tokens]: of every head, queries before keys
}

// Row returns the weights of all tokens for one query, [Tokens], which it shares.
func (a *Attention) Row(head, query int) []float32 {
	return a.Weights[(head*a.Tokens+query)*a.Tokens:][:a.Tokens:a.Tokens]
}

// Map returns how much a head's class token attends to each patch, [Rows, Columns]. Head -1 is the mean of all heads. In a
// model without a class token it is the mean over all patches of what they attend to. The map serves draw.Heatmap:
//
//	seen, err := model.Preprocess.Geometry(photograph, nil) // resized and cropped as the model saw it
//	…
//	shown, err := draw.Heatmap(seen, a.Map(-1), a.Rows, a.Columns, draw.HeatmapOptions{})
func (a *Attention) Map(head int) []float32 {
	heads := []int{head}
	if head == -1 {
		heads = heads[:0]
		for h := range a.Heads {
			heads = append(heads, h)
		}
	}
	queries := []int{0}
	if !a.ClassToken {
		queries = queries[:0]
		for q := a.Prefix; q < a.Tokens; q++ {
			queries = append(queries, q)
		}
	}
	sums := make([]float64, a.Rows*a.Columns)
	for _, h := range heads {
		for _, q := range queries {
			for i, w := range a.Row(h, q)[a.Prefix:] {
				sums[i] += float64(w)
			}
		}
	}
	values := make([]float32, len(sums))
	for i, s := range sums {
		values[i] = float32(s / float64(len(heads)*len(queries)))
	}
	return values
}

// Attention returns the attention weights of each image in the layers of the options, in their order. Images, ctx, errors
// and concurrent use are those of [Model.Classify]. The weights of other layers are not kept. Those of a layer take
// 4·Heads·Tokens² bytes an image: 1.8 MiB in a ViT-B/16 of 224 pixels. With Config.ParallelBranches, the heads of a layer are
// those of all its branches, in order: several attention layers whose results are added are one with more heads.
//
// It returns an error for a layer that the model does not have.
func (m *Model) Attention(ctx context.Context, o AttentionOptions, images ...image.Image) ([][]Attention, error) {
	layers, err := m.Encoder.layerNumbers(o.Layers)
	if err != nil {
		return nil, fmt.Errorf("vit: attention: %w", err)
	}
	found := make([][]Attention, 0, len(images))
	err = m.eachImage(ctx, images, func(pixels *autograd.Tensor) {
		found = append(found, m.Encoder.attentions(pixels, layers))
	})
	if err != nil {
		return nil, fmt.Errorf("vit: attention: %w", err)
	}
	return found, nil
}

// attentions returns the weights of layers for the pixels of one image.
func (e *Encoder) attentions(pixels *autograd.Tensor, layers []int) []Attention {
	weights := make([][]float32, len(e.Blocks))
	found := make([]Attention, len(layers))
	e.walk(pixels, slices.Max(layers), func(layer int) *[]float32 {
		if slices.Contains(layers, layer) {
			return &weights[layer]
		}
		return nil
	}, func(layer int, x *autograd.Tensor) {
		for k, l := range layers {
			if l == layer {
				found[k] = e.attention(layer, weights[layer], x, pixels)
			}
		}
	})
	return found
}

// attention describes weights, [heads, tokens, tokens], of one image, by the tokens x after the layer.
func (e *Encoder) attention(layer int, weights []float32, x, pixels *autograd.Tensor) Attention {
	tokens, grid := x.Dim(1), e.size(pixels)
	return Attention{
		Layer: layer, Heads: len(weights) / (tokens * tokens), Tokens: tokens, Prefix: e.Prefix(), ClassToken: e.ClassToken != nil,
		Rows: grid.Rows, Columns: grid.Columns, Weights: weights,
	}
}

// eachImage calls pass with the pixels of one image after the other, [1, channels, height, width]: attention weights of
// many at once would take much memory.
func (m *Model) eachImage(ctx context.Context, images []image.Image, pass func(pixels *autograd.Tensor)) error {
	return run.Images(ctx, m.runner, m.tape(), images, m.input(), func(pixels *autograd.Tensor, _ int) error {
		for i := range pixels.Dim(0) {
			pass(autograd.Slice(pixels, 0, i, i+1))
		}
		return nil
	})
}
