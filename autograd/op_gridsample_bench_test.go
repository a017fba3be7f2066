package autograd

import (
	"fmt"
	"testing"

	"github.com/fovea-ml/fovea/simd"
)

// BenchmarkGridSample reads 64 channels of an image of 120×160 pixels at as many random points, on one thread. Few of the points lie
// outside.
func BenchmarkGridSample(b *testing.B) {
	x, grid := normals(1, 64*120*160), normals(2, 120*160*2)
	simd.Scale(grid, grid, 0.4)
	for _, mode := range []struct {
		name string
		mode ResizeMode
	}{{"nearest", Nearest}, {"bilinear", Bilinear}, {"bicubic", Bicubic}} {
		for padding, name := range []string{"zeros", "border"} {
			b.Run(fmt.Sprintf("%s/%s", mode.name, name), func(b *testing.B) {
				tape := NewTape(Options{})
				b.ReportAllocs()
				for b.Loop() {
					GridSample(tape.Input(x, 1, 64, 120, 160), tape.Input(grid, 1, 120, 160, 2), GridSampleOptions{Mode: mode.mode, Padding: GridPadding(padding)})
					tape.Reset()
				}
			})
		}
	}
}
