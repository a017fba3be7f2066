package nn

import (
	"cmp"
	"fmt"
	"math"

	"github.com/fovea-ml/fovea/autograd"
)

// RotarySequenceOptions configure [RotarySequence]. The zero value is LLaMA's.
type RotarySequenceOptions struct {
	Base float64 // of the frequencies; 0 means 10000
	// Interleaved pairs neighboring channels, as in GPT-J. Otherwise pairs lie dim/2 apart, as in LLaMA and GPT-NeoX.
	Interleaved bool
}

// RotarySequence returns the table of rotary positions 0, 1, … of a sequence, for [autograd.Rotary]. In each position
// pair i of dim/2 turns by position/base^(2i/dim). A dim below the width of a head turns a part of it.
//
// Frequencies and angles are rounded to float32 where transformers rounds them (LlamaRotaryEmbedding), because weights
// were trained with that. Powers, sines and cosines are computed in float64.
//
// It panics with an autograd.ShapeError when dim is not a positive even number, or the table would be negative or larger
// than memory.
func RotarySequence(positions, dim int, o RotarySequenceOptions) *autograd.RotaryTable {
	t := rotaryTable(0, positions, 1, dim, 2, o.Interleaved)
	freqs := rotaryFrequencies(dim/2, o.Base)
	angles := make([]float32, dim/2)
	for p := range positions {
		for i, f := range freqs {
			angles[i] = float32(p) * f
		}
		appendAngles(t, angles)
	}
	return t
}

// RotaryGridOptions configure [RotaryGrid]. The zero value is timm's default with interleaved pairs.
type RotaryGridOptions struct {
	Base float64 // of the frequencies; 0 means 10000
	// RefHeight and RefWidth are the size of the grid of pre-training, to which positions are scaled; 0 scales nothing.
	RefHeight, RefWidth int
	Offset              float64 // added to the positions, before scaling
	// Centered gives positions as the centers of patches in an image from -1 to 1, times 2π, so that images of all sizes
	// have the same range (DINOv3: Siméoni et al., arXiv 2508.10104). Offset and the reference size do not count.
	Centered bool
	// Shift is added to centers, and then Scale multiplies them, of rows and of columns: the augmentation of DINOv3's training. A
	// Scale of 0 means 1. Both count only with Centered.
	Shift, Scale [2]float32
	// ColumnsFirst gives the first half of the angles to the column of a patch (RoPE-ViT, Perception Encoder).
	ColumnsFirst bool
	// Halves pairs channels dim/2 apart. Otherwise pairs are neighbors, as in EVA-02.
	Halves bool
	// Prefix is the number of tokens before the patches, such as a class token. They do not turn.
	Prefix int
}

// RotaryGrid returns the table of rotary positions of a grid of height×width patches in row-major order, for
// [autograd.Rotary]. The first half of a row's angles belongs to the row of the patch, the second half to its column:
// position/base^(4i/dim) (build_rotary_pos_embed with in_pixels=False in timm/layers/pos_embed_sincos.py, used by
// EVA-02, arXiv 2303.11331). Values are rounded to float32 where timm rounds them.
//
// It panics with an autograd.ShapeError when dim is not a positive multiple of 4, or the table would be negative or
// larger than memory.
func RotaryGrid(height, width, dim int, o RotaryGridOptions) *autograd.RotaryTable {
	t := rotaryTable(o.Prefix, height, width, dim, 4, !o.Halves)
	for range o.Prefix {
		appendAngles(t, make([]float32, dim/2))
	}
	place := func(i, size, ref, axis int) float32 {
		if o.Centered {
			center := 2*((float32(i)+0.5)/float32(size)) - 1
			return float32(2*math.Pi) * ((center + o.Shift[axis]) * cmp.Or(o.Scale[axis], 1))
		}
		p := float32(i) + float32(o.Offset)
		if ref != 0 {
			p = p / float32(size) * float32(ref)
		}
		return p
	}
	freqs := rotaryFrequencies(dim/4, o.Base)
	angles := make([]float32, dim/2)
	for y := range height {
		for x := range width {
			for i, f := range freqs {
				row, column := place(y, height, o.RefHeight, 0)*f, place(x, width, o.RefWidth, 1)*f
				if o.ColumnsFirst {
					row, column = column, row
				}
				angles[i], angles[dim/4+i] = row, column
			}
			appendAngles(t, angles)
		}
	}
	return t
}

// rotaryTable returns an empty table with room for prefix + height·width positions.
func rotaryTable(prefix, height, width, dim, multiple int, interleaved bool) *autograd.RotaryTable {
	const most = min(1<<40, math.MaxInt) // values
	fail := func(reason string) {
		panic(&autograd.ShapeError{Op: "rotary table", Shapes: [][]int{{prefix, height, width}, {dim}}, Reason: reason})
	}
	switch {
	case dim <= 0 || dim%multiple != 0:
		fail(fmt.Sprintf("expected a positive multiple of %d channels", multiple))
	case min(prefix, height, width) < 0:
		fail("expected no negative number of positions")
	case prefix > most/dim || height > most/dim || width > (most/dim-prefix)/max(1, height):
		fail("too many positions")
	}
	positions := prefix + height*width
	return &autograd.RotaryTable{
		Cos: make([]float32, 0, positions*dim), Sin: make([]float32, 0, positions*dim),
		Dim: dim, Interleaved: interleaved,
	}
}

// rotaryFrequencies returns 1/base^(i/n) for i below n. A base of 0 means 10000.
func rotaryFrequencies(n int, base float64) []float32 {
	if base == 0 {
		base = 10000
	}
	f := make([]float32, n)
	for i := range f {
		f[i] = 1 / float32(math.Pow(base, float64(float32(i)/float32(n))))
	}
	return f
}

// appendAngles adds a position to a table: an angle for each pair of channels.
func appendAngles(t *autograd.RotaryTable, angles []float32) {
	for c := range t.Dim {
		i := c % len(angles)
		if t.Interleaved {
			i = c / 2
		}
		sin, cos := math.Sincos(float64(angles[i]))
		t.Cos, t.Sin = append(t.Cos, float32(cos)), append(t.Sin, float32(sin))
	}
}
