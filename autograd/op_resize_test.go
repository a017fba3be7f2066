package autograd

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/fovea-ml/fovea/internal/test/golden"
)

const resizeGoldens = "ops_resize.safetensors"

func TestResize2d(t *testing.T) {
	for prefix, mode := range map[string]ResizeMode{"nearest/": Nearest, "bilinear/": Bilinear, "bicubic/": Bicubic} {
		checkOp(t, resizeGoldens, prefix, func(c *opCase) []*Tensor {
			v := c.Ints("o")
			return []*Tensor{Resize2d(c.Var("x"), v[0], v[1], ResizeOptions{Mode: mode, AlignCorners: v[2] == 1,
				Antialias: v[3] == 1, ScaleH: float64(v[4]) / 1000, ScaleW: float64(v[5]) / 1000})}
		})
	}
}

// TestResize2dNearest compares which pixel is nearest for every pair of sizes up to 48.
func TestResize2dNearest(t *testing.T) {
	g := golden.Load(t, filepath.Join("testdata", resizeGoldens))
	tape := NewTape(Options{})
	for n := 1; n <= 48; n++ {
		want := g.Ints(fmt.Sprintf("nearestrow/%d", n))
		x := tape.Full(0, 1, 1, 1, n)
		for i := range x.data {
			x.data[i] = float32(i)
		}
		for m := 1; m <= 48; m++ {
			for i, v := range Resize2d(x, 1, m, ResizeOptions{}).data {
				if int(v) != want[i] {
					t.Errorf("size %d to %d: output %d takes pixel %v, expected %d", n, m, i, v, want[i])
				}
			}
			want = want[m:]
		}
		tape.Reset()
	}
}

func TestResize2dMistakes(t *testing.T) {
	tape := NewTape(Options{})
	x := tape.Full(1, 1, 1, 2, 2)
	wantShapeError(t, "no size", func() { Resize2d(x, 0, 2, ResizeOptions{}) })
	wantShapeError(t, "no pixels", func() { Resize2d(tape.Full(1, 1, 1, 0, 2), 2, 2, ResizeOptions{}) })
	defer func() {
		if _, ok := recover().(*UseError); !ok {
			t.Error("nearest with aligned corners: expected a UseError")
		}
	}()
	Resize2d(x, 3, 3, ResizeOptions{AlignCorners: true})
}
