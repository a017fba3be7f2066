package vit

import (
	"math/rand/v2"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/models/internal/tower"
	"github.com/fovea-ml/fovea/nn"
)

// Encoder is the tower that turns pixels into tokens; other models (MAE) build on it. The tokens of an image are a class token,
// a distillation token and registers, where it has these, and then its patches, row after row.
type Encoder struct {
	Stem         Stem // nil but in hybrids
	Patch        *nn.PatchEmbed
	ClassToken   *autograd.Parameter // [1, 1, width], or nil
	Distillation *autograd.Parameter // [1, 1, width], or nil
	Registers    *autograd.Parameter // [1, registers, width], or nil
	// Positions, [1, prefix+patches, width], are nil with rotary positions. The prefix counts registers only where
	// Config.RegisterPositions is set.
	Positions *autograd.Parameter
	// RopeFrequencies, [2, blocks, heads, half a head], are nil but where rotary positions are learned (Config.RopeOrder): first
	// those of columns, then of rows.
	RopeFrequencies *autograd.Parameter
	PreNorm         *nn.LayerNorm // nil, but in CLIP's towers
	// Relative is the relative position bias that all blocks share (Config.SharedRelative), or nil.
	Relative *nn.RelativePositionBias
	Blocks   nn.Stack
	Norm     *nn.LayerNorm // nil where mean pooling normalizes afterwards
	// PatchDropout is the share of each image's patches that [nn.PatchDropout] drops on a training tape. Files do not hold
	// it: it is 0 until set.
	PatchDropout float64
	dropout      float32
	stride       int                 // of patches, in pixels
	grid         tower.Grid          // of an image of the configured size
	resizing     tower.Interpolation // of positions
	rope         *rope
	// relative resizes relative positions for other grids; nil where images have the configured size.
	relative *relativeGrids
}

// NewEncoder returns an encoder of zeros. It panics when the configuration is not valid.
func NewEncoder(c Config) *Encoder {
	if err := c.Validate(); err != nil {
		panic("vit: " + err.Error())
	}
	e := &Encoder{
		Patch:    nn.NewPatchEmbed(c.NumChannels, c.PatchSize, c.HiddenSize),
		stride:   c.PatchSize,
		Blocks:   nn.NewStack(c.NumHiddenLayers, c.Block()),
		dropout:  c.HiddenDropoutProb,
		grid:     c.grid(),
		resizing: c.resizing(),
	}
	if c.ConstantDropPath {
		for _, b := range e.Blocks {
			b.DropPath = c.DropPathRate
		}
	}
	if c.Stem != nil {
		e.Stem = newStem(*c.Stem, c.NumChannels)
		e.Patch = nn.NewPatchEmbed(c.Stem.out(), c.PatchSize/c.Stem.Stride(), c.HiddenSize)
	}
	if !c.NoClassToken {
		e.ClassToken = autograd.NewParameter(1, 1, c.HiddenSize)
	}
	if c.DistillationToken {
		e.Distillation = autograd.NewParameter(1, 1, c.HiddenSize)
	}
	if c.NumRegisterTokens > 0 {
		e.Registers = autograd.NewParameter(1, c.NumRegisterTokens, c.HiddenSize)
	}
	positioned, all := c.prefix()
	if c.positions() {
		e.Positions = autograd.NewParameter(1, positioned+c.Patches(), c.HiddenSize)
	}
	if c.RopeTheta != 0 {
		e.rope = c.rope(all)
		if c.RopeOrder == MixedRope {
			e.RopeFrequencies = autograd.NewParameter(2, c.NumHiddenLayers, c.NumAttentionHeads, c.HiddenSize/c.NumAttentionHeads/2)
		}
	}
	if c.RelativePositions {
		rows, columns := c.Grid()
		index := nn.RelativePositionIndex(rows, columns, !c.NoClassToken) // one for all blocks: it is large
		offsets := nn.RelativeLogOffsets(rows, columns)
		bias := func() *nn.RelativePositionBias {
			if c.RelativeHidden != 0 {
				return &nn.RelativePositionBias{MLP: nn.NewRelativePositionMLP(c.RelativeHidden, c.NumAttentionHeads), Offsets: offsets, Index: index}
			}
			return &nn.RelativePositionBias{Table: autograd.NewParameter(c.relativeRows(), c.NumAttentionHeads), Index: index}
		}
		if c.SharedRelative {
			e.Relative = bias()
		}
		for _, b := range e.Blocks {
			if b.Attention.Relative = e.Relative; !c.SharedRelative {
				b.Attention.Relative = bias()
			}
		}
		if c.anyGrid() {
			e.relative = &relativeGrids{from: c.grid(), classToken: !c.NoClassToken}
		}
	}
	if c.PreNorm {
		e.Patch.Bias = nil
		e.PreNorm = nn.NewLayerNorm(c.HiddenSize, c.LayerNormEps)
	}
	if c.Pooling != MeanPooling && !c.NoFinalNorm {
		e.Norm = nn.NewLayerNorm(c.HiddenSize, c.LayerNormEps)
	}
	return e
}

// Prefix returns the number of tokens before those of the patches.
func (e *Encoder) Prefix() int {
	n := 0
	for _, p := range []*autograd.Parameter{e.ClassToken, e.Distillation, e.Registers} {
		if p != nil {
			n += p.Shape()[1]
		}
	}
	return n
}

// Init draws the encoder's weights as transformers does: truncated normal values of standard deviation std
// for projections, position embeddings and learned tokens; biases stay as they are. Convolutions of a stem have normal values for
// ReLU, as in He et al.
func (e *Encoder) Init(rng *rand.Rand, std float64) {
	for _, p := range []*autograd.Parameter{e.Patch.Weight, e.ClassToken, e.Distillation, e.Registers, e.Positions} {
		if p != nil {
			nn.TruncatedNormal(rng, p, std, -2, 2)
		}
	}
	if e.RopeFrequencies != nil {
		e.initFrequencies(rng)
	}
	for _, r := range nn.Layers[nn.RelativePositionBias](e.Blocks) {
		if r.Table != nil {
			nn.TruncatedNormal(rng, r.Table, std, -2, 2)
		}
		if e.Relative != nil {
			break // it is that of all blocks
		}
	}
	for _, c := range nn.Layers[StandardConv](e.Stem) {
		nn.KaimingNormal(rng, c.Weight, true)
	}
	for _, c := range nn.Layers[nn.Conv2d](e.Stem) {
		nn.KaimingNormal(rng, c.Weight, true)
	}
	for _, l := range nn.Layers[nn.Linear](e.Blocks) {
		nn.TruncatedNormal(rng, l.Weight, std, -2, 2)
	}
}

// Forward maps pixels, [n, channels, height, width], to tokens, [n, prefix+patches, width], normalized where the encoder has a
// norm; [Encoder.Prefix] is the number of those before the patches. Images of another size than the configured one
// use position embeddings resized by bicubic interpolation: as transformers' interpolate_pos_encoding does it, or, with
// Config.AntialiasPositions, as timm does. Rotary positions fit every size. Relative positions fit the
// configured one, unless Config.RelativeInterpolation is set. It panics with an autograd.ShapeError when the channels are not the
// encoder's, a side is no multiple of the patch, or relative positions do not fit.
func (e *Encoder) Forward(pixels *autograd.Tensor) *autograd.Tensor {
	return e.First(pixels, 0)
}

// First is Forward for the first n tokens of each image, [images, n, width], such as the class token: they have the bits that
// they have in the result of Forward, but for dropout in training. Of the others, the last block computes keys and values
// alone, which saves 6 to 7 % of the operations of twelve blocks. With n = 0 it is Forward. It panics as Forward does, and with
// an autograd.ShapeError when an image has fewer tokens.
func (e *Encoder) First(pixels *autograd.Tensor, n int) *autograd.Tensor {
	x, places := e.embed(pixels)
	return e.encode(x, e.size(pixels), places, n)
}

// Embed is the part of Forward before the blocks: it maps pixels to tokens, [n, prefix+patches, width], that hold their
// positions. On a training tape, PatchDropout leaves fewer of them. With rotary positions it then panics with an
// autograd.UseError, because those are the tokens' places, which only Forward knows.
func (e *Encoder) Embed(pixels *autograd.Tensor) *autograd.Tensor {
	if e.rope != nil && e.PatchDropout > 0 && pixels.Tape().Training() {
		panic(&autograd.UseError{Op: "vit", Reason: "expected a PatchDropout of 0: rotary positions are those of all patches; Forward drops some"})
	}
	x, _ := e.embed(pixels)
	return x
}

// embed is Embed. Where patches are dropped, it also returns the places of the tokens that stay.
func (e *Encoder) embed(pixels *autograd.Tensor) (x *autograd.Tensor, places []int) {
	e.checkGrid(pixels)
	t, grid := pixels.Tape(), e.size(pixels)
	x = t.Segment(func(pixels *autograd.Tensor) *autograd.Tensor {
		if e.Stem != nil {
			pixels = e.Stem.Forward(pixels)
		}
		x := e.Patch.Forward(pixels)
		early := e.Positions != nil && e.Positions.Shape()[1] == e.Prefix()+e.grid.Patches() // registers have positions, or there are none
		if early {
			x = e.prepend(x, e.ClassToken, e.Distillation, e.Registers)
		} else {
			x = e.prepend(x, e.ClassToken, e.Distillation)
		}
		if e.Positions != nil {
			x = autograd.Add(x, e.positions(t, grid))
		}
		if e.Registers != nil && !early {
			at := e.Prefix() - e.Registers.Shape()[1]
			if at == 0 {
				x = e.prepend(x, e.Registers)
			} else {
				first, rest := autograd.Slice(x, 1, 0, at), autograd.Slice(x, 1, at, x.Dim(1))
				x = autograd.Concat(1, first, e.prepend(rest, e.Registers))
			}
		}
		x = autograd.Dropout(x, e.dropout)
		x, places = nn.PatchDropout(x, e.Prefix(), e.PatchDropout)
		if e.PreNorm != nil {
			x = e.PreNorm.Forward(x)
		}
		return x
	}, pixels)
	return x, places
}

// prepend puts learned tokens before those of each image. Tokens may be nil.
func (e *Encoder) prepend(x *autograd.Tensor, tokens ...*autograd.Parameter) *autograd.Tensor {
	var parts []autograd.Operand
	for _, p := range tokens {
		if p != nil {
			parts = append(parts, autograd.BroadcastTo(x.Tape().Use(p), x.Dim(0), p.Shape()[1], x.Dim(2)))
		}
	}
	if parts == nil {
		return x
	}
	return autograd.Concat(1, append(parts, x)...)
}

// Encode maps tokens, [n, length, width], that already hold their positions to the same shape: the blocks and the
// final norm. Rotary positions are those of an image of the configured size. It panics with an autograd.ShapeError when the
// tokens have another width.
func (e *Encoder) Encode(x *autograd.Tensor) *autograd.Tensor { return e.encode(x, e.grid, nil, 0) }

// encode is Encode for images of a grid of patches, of which only the tokens of some places may be there. It returns the first n
// tokens, or with 0 all.
func (e *Encoder) encode(x *autograd.Tensor, grid tower.Grid, places []int, n int) *autograd.Tensor {
	rotary := e.rope.augmented(x.Tape(), grid)
	for i, b := range e.Blocks {
		in := e.input(i, grid, places)
		if i == len(e.Blocks)-1 {
			in.First = n
		}
		if rotary != nil {
			in.Rotary = rotary
		}
		x = x.Tape().Segment(func(x *autograd.Tensor) *autograd.Tensor { return b.Forward(x, in) }, x)
	}
	if e.Norm != nil {
		x = e.Norm.Forward(x)
	}
	return x
}

// input returns the inputs of block i for a grid of patches. places are those of the tokens, or nil for all.
func (e *Encoder) input(i int, grid tower.Grid, places []int) nn.AttentionInput {
	switch {
	case e.RopeFrequencies != nil:
		return nn.AttentionInput{Turn: func(x *autograd.Tensor) *autograd.Tensor { return e.turn(x, i, grid, places) }}
	case e.rope != nil:
		return nn.AttentionInput{Rotary: e.rope.table(grid), Positions: places}
	case e.relative != nil && grid != e.grid:
		return nn.AttentionInput{Relative: e.relative.grid(grid)}
	}
	return nn.AttentionInput{}
}

// size returns the grid of patches of images.
func (e *Encoder) size(pixels *autograd.Tensor) tower.Grid {
	return tower.Grid{Rows: pixels.Dim(2) / e.stride, Columns: pixels.Dim(3) / e.stride}
}

// positions returns the position embeddings of a grid of patches.
func (e *Encoder) positions(t *autograd.Tape, to tower.Grid) autograd.Operand {
	if to == e.grid {
		return e.Positions
	}
	return tower.Resize(t.Use(e.Positions), e.grid, to, e.resizing)
}
