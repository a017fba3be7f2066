package vit

import (
	"math/rand/v2"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/models/internal/tower"
	"github.com/fovea-ml/fovea/nn"
)

// Encoder is the tower that turns pixels into tokens; other models (MAE) build on it.
type Encoder struct {
	Patch      *nn.PatchEmbed
	ClassToken *autograd.Parameter // [1, 1, width], or nil
	Positions  *autograd.Parameter // [1, 1+patches, width], the class token's first where there is one
	PreNorm    *nn.LayerNorm       // nil, but in CLIP's towers
	Blocks     nn.Stack
	Norm       *nn.LayerNorm // nil where mean pooling normalizes afterwards
	// PatchDropout is the share of each image's patches that [nn.PatchDropout] drops on a training tape. Files do not hold
	// it: it is 0 until set.
	PatchDropout float64
	dropout      float32
	grid         tower.Grid // of an image of the configured size
	antialias    bool       // of resized positions
}

// NewEncoder returns an encoder of zeros. It panics when the configuration is not valid.
func NewEncoder(c Config) *Encoder {
	if err := c.Validate(); err != nil {
		panic("vit: " + err.Error())
	}
	block := c.Block()
	block.DropPath, block.LayerScale = c.DropPathRate, c.LayerScaleInit
	e := &Encoder{
		Patch:     nn.NewPatchEmbed(c.NumChannels, c.PatchSize, c.HiddenSize),
		Blocks:    nn.NewStack(c.NumHiddenLayers, block),
		dropout:   c.HiddenDropoutProb,
		grid:      c.grid(),
		antialias: c.AntialiasPositions,
	}
	positions := c.Patches()
	if !c.NoClassToken {
		e.ClassToken = autograd.NewParameter(1, 1, c.HiddenSize)
		positions++
	}
	e.Positions = autograd.NewParameter(1, positions, c.HiddenSize)
	if c.PreNorm {
		e.Patch.Bias = nil
		e.PreNorm = nn.NewLayerNorm(c.HiddenSize, c.LayerNormEps)
	}
	if c.Pooling != MeanPooling {
		e.Norm = nn.NewLayerNorm(c.HiddenSize, c.LayerNormEps)
	}
	return e
}

// Init draws the encoder's weights as transformers does: truncated normal values of standard deviation std
// for projections, position embeddings and the class token; biases stay as they are.
func (e *Encoder) Init(rng *rand.Rand, std float64) {
	for _, p := range []*autograd.Parameter{e.Patch.Weight, e.ClassToken, e.Positions} {
		if p != nil {
			nn.TruncatedNormal(rng, p, std, -2, 2)
		}
	}
	for _, l := range nn.Layers[nn.Linear](e.Blocks) {
		nn.TruncatedNormal(rng, l.Weight, std, -2, 2)
	}
}

// Forward maps pixels, [n, channels, height, width], to tokens, [n, 1+patches, width]: the class token
// first, where there is one, normalized where the encoder has a norm. Images of another size than the configured one
// use position embeddings resized by bicubic interpolation: as transformers' interpolate_pos_encoding does it, or, with
// Config.AntialiasPositions, as timm does. It panics with an autograd.ShapeError when the channels are not the
// encoder's or a side is no multiple of the patch.
func (e *Encoder) Forward(pixels *autograd.Tensor) *autograd.Tensor {
	return e.Encode(e.Embed(pixels))
}

// Embed is the part of Forward before the blocks: it maps pixels to tokens, [n, 1+patches, width], that hold their positions.
// On a training tape, PatchDropout leaves fewer of them.
func (e *Encoder) Embed(pixels *autograd.Tensor) *autograd.Tensor {
	t := pixels.Tape()
	return t.Segment(func(pixels *autograd.Tensor) *autograd.Tensor {
		x := e.Patch.Forward(pixels)
		if e.ClassToken != nil {
			class := autograd.BroadcastTo(t.Use(e.ClassToken), x.Dim(0), 1, x.Dim(2))
			x = autograd.Concat(1, class, x)
		}
		rows, columns := pixels.Dim(2)/e.Patch.Patch, pixels.Dim(3)/e.Patch.Patch
		x = autograd.Dropout(autograd.Add(x, e.positions(t, rows, columns)), e.dropout)
		first := 0
		if e.ClassToken != nil {
			first = 1
		}
		x = nn.PatchDropout(x, first, e.PatchDropout)
		if e.PreNorm != nil {
			x = e.PreNorm.Forward(x)
		}
		return x
	}, pixels)
}

// Encode maps tokens, [n, length, width], that already hold their positions to the same shape: the blocks and the
// final norm. It panics with an autograd.ShapeError when the tokens have another width.
func (e *Encoder) Encode(x *autograd.Tensor) *autograd.Tensor {
	x = e.Blocks.Forward(x, nn.AttentionInput{})
	if e.Norm != nil {
		x = e.Norm.Forward(x)
	}
	return x
}

// positions returns the position embeddings of a grid of patches.
func (e *Encoder) positions(t *autograd.Tape, rows, columns int) autograd.Operand {
	to := tower.Grid{Rows: rows, Columns: columns}
	if to == e.grid {
		return e.Positions
	}
	return tower.Resize(t.Use(e.Positions), e.grid, to, e.antialias)
}
