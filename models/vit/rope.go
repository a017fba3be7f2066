package vit

import (
	"math"
	"math/rand/v2"
	"sync/atomic"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/models/internal/config"
	"github.com/fovea-ml/fovea/models/internal/tower"
	"github.com/fovea-ml/fovea/nn"
	"github.com/fovea-ml/fovea/simd"
)

// The values of Config.RopeOrder beside "", which is DINOv3's: the center of a patch in an image from -1 to 1, and pairs of
// channels half a head apart. The others number the patches, and pairs are neighbors. The first half of a head turns by the
// row (EVA-02) or by the column (Perception Encoder, RoPE-ViT), or the frequencies of both are learned for each block and
// head (RoPE-ViT's mixed: Heo et al., arXiv 2403.13298).
const (
	RowRope    = "rows"
	ColumnRope = "columns"
	MixedRope  = "mixed"
)

// positions reports whether there are position embeddings.
func (c Config) positions() bool { return c.RopeTheta == 0 && !c.RelativePositions || c.RopePositions }

// validateRope checks the fields of rotary positions.
func (c Config) validateRope(v *config.Checks) {
	v.OneOf("rope_order", c.RopeOrder, "", RowRope, ColumnRope, MixedRope)
	switch {
	case !(c.RopeTheta >= 0) || math.IsInf(c.RopeTheta, 0):
		v.Fail("rope_theta", "expected a positive number, found %v", c.RopeTheta)
	case c.RopeTheta != 0 && v.Err() == nil && c.HiddenSize/c.NumAttentionHeads%4 != 0:
		v.Fail("rope_theta", "expected heads whose width is a multiple of 4, found %d", c.HiddenSize/c.NumAttentionHeads)
	case c.RopeTheta == 0 && (c.RopeOrder != "" || c.RopePositions):
		v.Fail("rope_theta", "expected a positive number beside rope_order and rope_positions, found 0")
	}
	if most := 1 << 16; c.RopeReference < 0 || c.RopeReference > most {
		v.Fail("rope_reference", "expected 0 to %d, found %d", most, c.RopeReference)
	}
	if !(math.Abs(c.RopeOffset) <= 1024) {
		v.Fail("rope_offset", "expected -1024 to 1024, found %v", c.RopeOffset)
	}
	if scaled := c.RopeReference != 0 || c.RopeOffset != 0; scaled && c.RopeOrder != RowRope && c.RopeOrder != ColumnRope {
		v.Fail("rope_order", "expected %q or %q beside rope_reference and rope_offset, found %q", RowRope, ColumnRope, c.RopeOrder)
	}
}

// mostAugment bounds the augmentation of rotary positions.
const mostAugment = 1000

// validateAugment checks the augmentation of rotary positions.
func (c Config) validateAugment(v *config.Checks) {
	for _, f := range []struct {
		name         string
		value, least float64
	}{{"rope_shift", c.RopeShift, 0}, {"rope_jitter", c.RopeJitter, 1}, {"rope_rescale", c.RopeRescale, 1}} {
		switch {
		case f.value == 0:
		case !(f.value >= f.least && f.value <= mostAugment):
			v.Fail(f.name, "expected 0, or %v to %v, found %v", f.least, mostAugment, f.value)
		case c.RopeTheta == 0 || c.RopeOrder != "":
			v.Fail(f.name, "expected 0 without DINOv3's rotary positions, found %v", f.value)
		}
	}
}

// A rope makes tables of rotary positions for grids of any size. It keeps the last.
type rope struct {
	dim     int // of a head
	options nn.RotaryGridOptions
	last    atomic.Pointer[ropeTable]

	shift, jitter, rescale float32 // of training; 0 for none
}

type ropeTable struct {
	grid  tower.Grid
	table *autograd.RotaryTable
}

// rope returns the rotary positions behind as many tokens as have none.
func (c Config) rope(prefix int) *rope {
	dinov3 := c.RopeOrder == "" // DINOv3ViTRopePositionEmbedding in transformers' modeling_dinov3_vit.py
	return &rope{dim: c.HiddenSize / c.NumAttentionHeads, shift: float32(c.RopeShift), jitter: float32(c.RopeJitter), rescale: float32(c.RopeRescale), options: nn.RotaryGridOptions{
		Base: c.RopeTheta, RefHeight: c.RopeReference, RefWidth: c.RopeReference, Offset: c.RopeOffset,
		Centered: dinov3, Halves: dinov3, ColumnsFirst: c.RopeOrder == ColumnRope, Prefix: prefix,
	}}
}

// table returns the table for a grid.
func (r *rope) table(grid tower.Grid) *autograd.RotaryTable {
	last := r.last.Load()
	if last == nil || last.grid != grid {
		last = &ropeTable{grid, nn.RotaryGrid(grid.Rows, grid.Columns, r.dim, r.options)}
		r.last.Store(last)
	}
	return last.table
}

// augmented returns the table of a pass on a training tape, or nil where positions are not changed
// (augment_patches_center_coordinates in transformers' modeling_dinov3_vit.py).
func (r *rope) augmented(t *autograd.Tape, grid tower.Grid) *autograd.RotaryTable {
	if r == nil || !t.Training() || r.shift == 0 && r.jitter == 0 && r.rescale == 0 {
		return nil
	}
	const shifts, jitters, rescales = 0, 2, 4
	draw := t.Uniform(5).Floats(nil) // from 0 to 1
	for i := range draw {
		draw[i] = 2*draw[i] - 1
	}
	o := r.options
	factors := []float32{jitters: r.jitter, jitters + 1: r.jitter, rescales: r.rescale}
	for i, most := range factors {
		factors[i] = max(1, most) // without a change the logarithm is 0
	}
	simd.Log(factors, factors)
	simd.Mul(factors, factors, draw)
	simd.Exp(factors, factors)
	for axis := range 2 {
		o.Shift[axis] = r.shift * draw[shifts+axis]
		o.Scale[axis] = factors[jitters+axis] * factors[rescales]
	}
	return nn.RotaryGrid(grid.Rows, grid.Columns, r.dim, o)
}

// turn turns queries or keys, [n, length, width], of block i by learned frequencies (get_mixed_freqs in timm's
// pos_embed_sincos.py). places are those of the tokens, or nil for all.
func (e *Encoder) turn(x *autograd.Tensor, i int, grid tower.Grid, places []int) *autograd.Tensor {
	t, prefix := x.Tape(), e.rope.options.Prefix
	n, length, width := x.Dim(0), x.Dim(1), x.Dim(2)
	shape := e.RopeFrequencies.Shape()
	blocks, pairs := shape[1], shape[2]*shape[3]
	frequencies := autograd.Reshape(t.Use(e.RopeFrequencies), 2*blocks, pairs)
	columns, rows := make([]float32, grid.Patches()), make([]float32, grid.Patches())
	for p := range columns {
		columns[p], rows[p] = float32(p%grid.Columns), float32(p/grid.Columns)
	}
	angles := autograd.Add(
		autograd.Mul(t.Input(columns, len(columns), 1), autograd.Slice(frequencies, 0, i, i+1)),
		autograd.Mul(t.Input(rows, len(rows), 1), autograd.Slice(frequencies, 0, blocks+i, blocks+i+1)))
	of := 1 // images that have the angles
	if places != nil {
		of = n
		var patches []int
		for _, place := range places {
			if place >= prefix {
				patches = append(patches, place-prefix)
			}
		}
		angles = autograd.GatherRows(angles, patches)
	}
	angles = autograd.Reshape(angles, of, length-prefix, pairs, 1)
	cos, sin := autograd.Cos(angles), autograd.Sin(angles)
	patches := autograd.Reshape(autograd.Slice(x, 1, prefix, length), n, length-prefix, pairs, 2)
	a, b := autograd.Slice(patches, 3, 0, 1), autograd.Slice(patches, 3, 1, 2)
	turned := autograd.Reshape(autograd.Concat(3,
		autograd.Sub(autograd.Mul(a, cos), autograd.Mul(b, sin)),
		autograd.Add(autograd.Mul(b, cos), autograd.Mul(a, sin))), n, length-prefix, width)
	if prefix == 0 {
		return turned
	}
	return autograd.Concat(1, autograd.Slice(x, 1, 0, prefix), turned)
}

// initFrequencies draws learned frequencies: those of columns and rows, in a direction of their own for each block and
// head (init_random_2d_freqs in timm's pos_embed_sincos.py).
func (e *Encoder) initFrequencies(rng *rand.Rand) {
	shape := e.RopeFrequencies.Shape()
	heads, half := shape[1]*shape[2], shape[3]
	e.RopeFrequencies.Update(func(v []float32) {
		for h := range heads {
			direction := 2 * math.Pi * rng.Float64()
			for k := range half {
				size := math.Pow(e.rope.options.Base, -float64(k%(half/2))*4/float64(2*half))
				angle := direction
				if k >= half/2 {
					angle += math.Pi / 2
				}
				v[h*half+k], v[(heads+h)*half+k] = float32(size*math.Cos(angle)), float32(size*math.Sin(angle))
			}
		}
	})
}
