package tower

import (
	"slices"
	"strings"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/checkpoint"
	"github.com/fovea-ml/fovea/nn"
)

// Grid is how many patches an image is cut into.
type Grid struct{ Rows, Columns int }

// Patches returns the number of patches.
func (g Grid) Patches() int { return g.Rows * g.Columns }

// Square reports whether there are as many rows as columns.
func (g Grid) Square() bool { return g.Rows == g.Columns }

// Interpolation says how position tables are resized: by a bicubic filter with a = -3/4, as transformers and the original
// release of MAE do it.
type Interpolation struct {
	Antialias bool    // with a = -1/2, and widened where the grid shrinks, as timm does
	Offset    float64 // added to the new sizes, from which the factors follow (interpolate_offset of DINOv2)
}

// Resize returns a position table for the grid to, [1, prefix+patches, width], from one for another grid. The rows of the
// prefix, such as the class token's, stay as they are.
func Resize(table *autograd.Tensor, from, to Grid, how Interpolation) *autograd.Tensor {
	total, width := table.Dim(1), table.Dim(2)
	prefix := total - from.Patches()
	grid := autograd.Reshape(autograd.Slice(table, 1, prefix, total), 1, from.Rows, from.Columns, width)
	o := autograd.ResizeOptions{Mode: autograd.Bicubic, Antialias: how.Antialias}
	if how.Offset != 0 {
		o.ScaleH, o.ScaleW = (float64(to.Rows)+how.Offset)/float64(from.Rows), (float64(to.Columns)+how.Offset)/float64(from.Columns)
	}
	grid = autograd.Resize2d(autograd.Permute(grid, 0, 3, 1, 2), to.Rows, to.Columns, o)
	grid = autograd.Reshape(autograd.Permute(grid, 0, 2, 3, 1), 1, to.Patches(), width)
	if prefix == 0 {
		return grid
	}
	return autograd.Concat(1, autograd.Slice(table, 1, 0, prefix), grid)
}

// FitPatches gives a patch projection that was stored as a matrix its shape, [width, channels, patch, patch].
func FitPatches(param string, t checkpoint.Tensor, want []int) ([]float32, error) {
	if !strings.HasSuffix(param, "Patch.Weight") || len(want) != 4 || !slices.Equal(t.Shape, []int{want[0], want[1] * want[2] * want[3]}) {
		return nil, nil
	}
	return values(t)
}

// FitPositions returns a hook for position tables, [1, positions, width] or [positions, width], that are stored for the grid
// from and wanted for the grid to. A table without a row for the class token (timm's no_embed_class) gets a row of zeros, which has the same
// effect.
func FitPositions(from, to Grid, how Interpolation) func(param string, t checkpoint.Tensor, want []int) ([]float32, error) {
	return func(param string, t checkpoint.Tensor, want []int) ([]float32, error) {
		last := len(want) - 1
		if !strings.HasSuffix(param, "Positions") || last < 1 || len(t.Shape) != len(want) || t.Shape[last] != want[last] ||
			last > 2 || last == 2 && t.Shape[0] != 1 {
			return nil, nil
		}
		prefix, width := want[last-1]-to.Patches(), want[last]
		have := t.Shape[last-1] - from.Patches()
		if have != prefix && have != 0 {
			return nil, nil
		}
		table, err := values(t)
		if err != nil {
			return nil, err
		}
		if have < prefix {
			table = append(make([]float32, (prefix-have)*width), table...)
		}
		if from == to {
			return table, nil
		}
		tape := autograd.NewTape(autograd.Options{})
		return Resize(tape.Input(table, 1, prefix+from.Patches(), width), from, to, how).Floats(nil), nil
	}
}

// FitRelative returns a hook for tables of relative positions, [entries, heads], that are stored for the grid from and wanted
// for the grid to. [nn.RelativeGrid] resizes them.
func FitRelative(from, to Grid) func(param string, t checkpoint.Tensor, want []int) ([]float32, error) {
	return func(param string, t checkpoint.Tensor, want []int) ([]float32, error) {
		if !strings.HasSuffix(param, "Relative.Table") || from == to || len(t.Shape) != 2 || len(want) != 2 || t.Shape[1] != want[1] {
			return nil, nil
		}
		offsets := func(g Grid) int { return (2*g.Rows - 1) * (2*g.Columns - 1) }
		if rest := want[0] - offsets(to); t.Shape[0] != offsets(from)+rest || rest != 0 && rest != 3 {
			return nil, nil
		}
		table, err := values(t)
		if err != nil {
			return nil, err
		}
		grid := nn.NewRelativeGrid(from.Rows, from.Columns, to.Rows, to.Columns, want[0] != offsets(to))
		tape := autograd.NewTape(autograd.Options{})
		return grid.Resize(tape.Input(table, t.Shape...)).Floats(nil), nil
	}
}

func values(t checkpoint.Tensor) ([]float32, error) {
	v := make([]float32, t.Len())
	return v, t.Floats(v)
}
