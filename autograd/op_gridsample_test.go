package autograd

import (
	"math"
	"testing"
)

func TestGridSample(t *testing.T) {
	checkOp(t, "ops_gridsample.safetensors", "", func(c *opCase) []*Tensor {
		o := c.Ints("o")
		return []*Tensor{GridSample(c.Var("x"), c.Var("grid"), GridSampleOptions{Mode: ResizeMode(o[0]), Padding: GridPadding(o[1]), AlignCorners: o[2] == 1})}
	})
}

// TestGridSampleOdd compares coordinates that are not finite, or huge, with values that PyTorch 2.15 gives on CPUs.
func TestGridSampleOdd(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	values := make([]float32, 12)
	for i := range values {
		values[i] = float32(i + 1)
	}
	bilinear := map[GridPadding]map[float32]float32{
		GridZeros:      {inf: nan, -inf: nan, 1e30: 0, 3e9: 0, -1e30: 0},
		GridBorder:     {inf: 8, -inf: 5, 1e30: 8, 3e9: 8, -1e30: 5},
		GridReflection: {inf: 5, -inf: 5, 1e30: 5, 3e9: 5},
	}
	for mode := range Bicubic + 1 {
		for padding, table := range bilinear {
			for _, align := range []bool{false, true} {
				check := func(x, y, want float32) {
					tape := NewTape(Options{Gradients: true, Debug: true})
					grid := tape.Input([]float32{x, y}, 1, 1, 1, 2).WantGradient()
					out := GridSample(tape.Input(values, 1, 1, 3, 4).WantGradient(), grid, GridSampleOptions{mode, padding, align})
					if got := out.data[0]; got != want && !(got != got && want != want) {
						t.Errorf("mode %d, padding %d, align %v, (%v, %v): %v, expected %v", mode, padding, align, x, y, got, want)
					}
					out.Backward(NewGradients())
				}
				for x, want := range table {
					if mode == Bicubic && x-x != 0 {
						want = nan
					}
					if mode == Nearest && want != want {
						want = 0
					}
					check(x, 0, want)
				}
				column, row := float32(5), float32(2.5) // the first column or row
				switch {
				case mode == Nearest && padding == GridZeros:
					column, row = 0, 0
				case mode == Nearest:
					row = 3
				case mode == Bicubic || padding == GridZeros:
					column, row = nan, nan
				}
				check(nan, 0, column)
				check(0, nan, row)
			}
		}
	}
}

func TestGridSampleMistakes(t *testing.T) {
	tape := NewTape(Options{})
	x := tape.Full(1, 1, 1, 2, 2)
	wantShapeError(t, "another batch", func() { GridSample(x, tape.Full(0, 2, 1, 1, 2), GridSampleOptions{}) })
	wantShapeError(t, "three coordinates", func() { GridSample(x, tape.Full(0, 1, 1, 1, 3), GridSampleOptions{}) })
	wantShapeError(t, "three dimensions", func() { GridSample(x, tape.Full(0, 1, 1, 2), GridSampleOptions{}) })
	wantShapeError(t, "no pixels", func() { GridSample(tape.Full(1, 1, 1, 0, 2), tape.Full(0, 1, 1, 1, 2), GridSampleOptions{}) })
}
