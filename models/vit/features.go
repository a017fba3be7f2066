package vit

import (
	"context"
	"fmt"
	"image"
	"slices"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/models/internal/run"
)

// FeatureOptions says which tokens [Model.Features] and [Encoder.Layers] return. The zero value means the normalized tokens of
// the last block.
type FeatureOptions struct {
	// Layers are numbers of blocks, in any order: 0 is the first block, and -1 the last. nil means the last.
	Layers []int
	// Raw leaves out the encoder's final norm. Then block i gives hidden_states[i+1] of transformers, and what timm's
	// forward_intermediates gives. With the norm, every layer is normalized as in DINOv2's get_intermediate_layers and
	// in forward_intermediates with norm=True. An encoder without a norm has raw tokens alone (MeanPooling).
	Raw bool
}

// Features are the tokens of one image after one block.
type Features struct {
	Layer         int       // the number of the block, from 0
	Class         []float32 // [width], or nil
	Distillation  []float32 // [width], or nil
	Registers     []float32 // [registers, width], or nil
	Patches       []float32 // [Rows, Columns, width]
	Rows, Columns int       // of the grid of patches
}

// Patch returns the token of a patch, whose values it shares. Rows count from the top of the image, columns from the left.
func (f *Features) Patch(row, column int) []float32 {
	width := len(f.Patches) / (f.Rows * f.Columns)
	return f.Patches[(row*f.Columns+column)*width:][:width:width]
}

// Features returns the tokens of each image after the layers of the options, in their order: the class token, which
// describes the image, and a token for each patch, which describes its place. Images, ctx, errors and concurrent use are
// those of [Model.Classify]. A model without a head has features too. Blocks after the last of the layers do not run.
//
// It returns an error for a layer that the model does not have.
func (m *Model) Features(ctx context.Context, o FeatureOptions, images ...image.Image) ([][]Features, error) {
	layers, err := m.Encoder.layerNumbers(o.Layers)
	if err != nil {
		return nil, fmt.Errorf("vit: features: %w", err)
	}
	features := make([][]Features, len(images))
	err = run.Images(ctx, m.runner, m.tape(), images, m.input(), func(pixels *autograd.Tensor, first int) error {
		some := features[first:][:pixels.Dim(0)]
		for i := range some {
			some[i] = make([]Features, len(layers))
		}
		m.Encoder.walk(pixels, slices.Max(layers), nil, func(layer int, x *autograd.Tensor) {
			if !slices.Contains(layers, layer) {
				return
			}
			tokens := m.Encoder.tokens(layer, x, pixels, o.Raw)
			for i, f := range tokens.floats() {
				for k, l := range layers {
					if l == layer {
						some[i][k] = f
					}
				}
			}
		})
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("vit: features: %w", err)
	}
	return features, nil
}

// Tokens are those of n images after one block, on a tape.
type Tokens struct {
	Layer         int              // the number of the block, from 0
	All           *autograd.Tensor // [n, prefix+patches, width]
	Rows, Columns int              // of the grid of patches
	encoder       *Encoder
}

// Class returns the class tokens, [n, width], or nil.
func (t Tokens) Class() *autograd.Tensor {
	if t.encoder.ClassToken == nil {
		return nil
	}
	return token(t.All, 0)
}

// Distillation returns the distillation tokens, [n, width], or nil.
func (t Tokens) Distillation() *autograd.Tensor {
	if t.encoder.Distillation == nil {
		return nil
	}
	return token(t.All, t.encoder.Prefix()-t.registers()-1)
}

// Registers returns the register tokens, [n, registers, width], or nil.
func (t Tokens) Registers() *autograd.Tensor {
	n := t.registers()
	if n == 0 {
		return nil
	}
	prefix := t.encoder.Prefix()
	return autograd.Slice(t.All, 1, prefix-n, prefix)
}

// Patches returns the tokens of the patches, [n, Rows·Columns, width], row after row.
func (t Tokens) Patches() *autograd.Tensor {
	return autograd.Slice(t.All, 1, t.encoder.Prefix(), t.All.Dim(1))
}

func (t Tokens) registers() int {
	if t.encoder.Registers == nil {
		return 0
	}
	return t.encoder.Registers.Shape()[1]
}

// floats copies the tokens of each image.
func (t Tokens) floats() []Features {
	n, width := t.All.Dim(0), t.All.Dim(2)
	prefix, registers := t.encoder.Prefix(), t.registers()
	all := t.All.Floats(nil)
	features := make([]Features, 0, n)
	for image := range slices.Chunk(all, len(all)/n) {
		image = slices.Clone(image)
		f := Features{Layer: t.Layer, Rows: t.Rows, Columns: t.Columns}
		if t.encoder.ClassToken != nil {
			f.Class = image[:width:width]
		}
		if t.encoder.Distillation != nil {
			f.Distillation = image[(prefix-registers-1)*width : (prefix-registers)*width : (prefix-registers)*width]
		}
		if registers > 0 {
			f.Registers = image[(prefix-registers)*width : prefix*width : prefix*width]
		}
		f.Patches = image[prefix*width:]
		features = append(features, f)
	}
	return features
}

// Layers maps pixels, [n, channels, height, width], to the tokens after the layers of the options, in their order. It is
// [Model.Features] on a tape: gradients flow through every result, so that several layers can be trained at once. Blocks
// after the last of the layers do not run. It panics as [Encoder.Forward] does. It panics with an autograd.UseError for a
// layer that the encoder does not have, and on a training tape with PatchDropout, because tokens then have no grid.
func (e *Encoder) Layers(pixels *autograd.Tensor, o FeatureOptions) []Tokens {
	layers, err := e.layerNumbers(o.Layers)
	if err != nil {
		panic(&autograd.UseError{Op: "vit", Reason: err.Error()})
	}
	if e.PatchDropout > 0 && pixels.Tape().Training() {
		panic(&autograd.UseError{Op: "vit", Reason: "expected a PatchDropout of 0: what is left of the patches is no grid"})
	}
	found := make([]Tokens, len(layers))
	e.walk(pixels, slices.Max(layers), nil, func(layer int, x *autograd.Tensor) {
		if !slices.Contains(layers, layer) {
			return
		}
		tokens := e.tokens(layer, x.Keep(), pixels, o.Raw)
		for k, l := range layers {
			if l == layer {
				found[k] = tokens
			}
		}
	})
	return found
}

// tokens returns those after a layer, x, normalized unless raw.
func (e *Encoder) tokens(layer int, x, pixels *autograd.Tensor, raw bool) Tokens {
	if e.Norm != nil && !raw {
		x = e.Norm.Forward(x)
	}
	grid := e.size(pixels)
	return Tokens{Layer: layer, All: x, Rows: grid.Rows, Columns: grid.Columns, encoder: e}
}

// walk runs the blocks up to last, each as a segment, and calls after with the tokens that each gives. maps, if not nil,
// returns where a block puts its attention weights, or nil. A block may free the tokens of the one before.
func (e *Encoder) walk(pixels *autograd.Tensor, last int, maps func(layer int) *[]float32, after func(layer int, x *autograd.Tensor)) {
	x, grid := e.Embed(pixels), e.size(pixels)
	rotary := e.rope.augmented(x.Tape(), grid)
	for i, b := range e.Blocks[:last+1] {
		in := e.input(i, grid, nil)
		if rotary != nil {
			in.Rotary = rotary
		}
		if maps != nil {
			in.Maps = maps(i)
		}
		x = x.Tape().Segment(func(x *autograd.Tensor) *autograd.Tensor { return b.Forward(x, in) }, x)
		after(i, x)
	}
}

// layerNumbers returns the layers that a list names, counted from the first block.
func (e *Encoder) layerNumbers(list []int) ([]int, error) {
	if len(list) == 0 {
		list = []int{-1}
	}
	n := len(e.Blocks)
	layers := make([]int, len(list))
	for i, l := range list {
		if l < -n || l >= n {
			return nil, fmt.Errorf("layer %d: expected %d to %d", l, -n, n-1)
		}
		layers[i] = (l + n) % n
	}
	return layers, nil
}
