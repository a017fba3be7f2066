package vit

import (
	"fmt"
	"sync/atomic"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/models/internal/tower"
	"github.com/fovea-ml/fovea/nn"
)

// relativeGrids makes what resizes relative positions for grids of any size. It keeps the last.
type relativeGrids struct {
	from       tower.Grid
	classToken bool
	last       atomic.Pointer[relativeGrid]
}

type relativeGrid struct {
	of     tower.Grid
	resize *nn.RelativeGrid
}

func (r *relativeGrids) grid(to tower.Grid) *nn.RelativeGrid {
	last := r.last.Load()
	if last == nil || last.of != to {
		last = &relativeGrid{to, nn.NewRelativeGrid(r.from.Rows, r.from.Columns, to.Rows, to.Columns, r.classToken)}
		r.last.Store(last)
	}
	return last.resize
}

// checkGrid panics when the patches of a hybrid do not cut images evenly, as its convolutions take any size, and when relative
// positions do not fit.
func (e *Encoder) checkGrid(pixels *autograd.Tensor) {
	fail := func(reason string, args ...any) {
		panic(&autograd.ShapeError{Op: "vit", Shapes: [][]int{pixels.Shape()}, Reason: fmt.Sprintf(reason, args...)})
	}
	h, w := pixels.Dim(2), pixels.Dim(3)
	switch relative := len(e.Blocks) > 0 && e.Blocks[0].Attention.Relative != nil; {
	case e.Stem != nil && (h%e.stride != 0 || w%e.stride != 0):
		fail("expected sides that are multiples of %d", e.stride)
	case relative && e.relative == nil && e.size(pixels) != e.grid:
		fail("expected images of %d×%d pixels, which the relative positions are for", e.grid.Rows*e.stride, e.grid.Columns*e.stride)
	case relative && e.size(pixels).Patches() > mostRelative:
		fail("expected at most %d patches with relative positions", mostRelative)
	case relative && e.PatchDropout > 0 && pixels.Tape().Training():
		panic(&autograd.UseError{Op: "vit", Reason: "expected a PatchDropout of 0: relative positions are those of all patches"})
	}
}
