package vit

import (
	"sync/atomic"

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
