package autograd

import (
	"fmt"
	"testing"
	"time"

	"github.com/fovea-ml/fovea/simd"
)

// benchmarkThreads is how many cores the benchmarks of this package use.
const benchmarkThreads = 2

// reportRate adds GFLOP/s and the percentage of the peak of a register-only loop, measured right after the
// benchmark. flop is what one iteration does.
func reportRate(b *testing.B, flop float64) {
	rate := flop * float64(b.N) / float64(b.Elapsed().Nanoseconds())
	b.ReportMetric(rate, "GFLOP/s")
	b.ReportMetric(100*rate/simd.FMAPeak(benchmarkThreads, 50*time.Millisecond), "%peak")
}

func BenchmarkLinear(b *testing.B) {
	for _, s := range [][3]int{{197, 768, 768}, {197, 768, 3072}, {1576, 768, 3072}, {1576, 192, 768}} {
		m, in, out := s[0], s[1], s[2]
		for _, way := range []string{"inference", "forward", "training"} {
			b.Run(fmt.Sprintf("m=%d/k=%d/n=%d/%s/%v", m, in, out, way, simd.Current()), func(b *testing.B) {
				w := ParameterOf(normals(1, out*in), out, in)
				x, seed := normals(2, m*in), normals(3, m*out)
				tape := NewTape(Options{Gradients: way != "inference", Workers: simd.NewWorkers(benchmarkThreads)})
				grads := NewGradients()
				run := func() {
					t := tape.Input(x, m, in)
					if way == "training" {
						t.WantGradient()
					}
					y := Linear(t, w, nil)
					if way == "training" {
						Backward(grads, []*Tensor{y}, [][]float32{seed})
						grads.Zero()
					}
					tape.Reset()
				}
				run()
				b.ReportAllocs()
				for b.Loop() {
					run()
				}
				flop := 2 * float64(m) * float64(in) * float64(out)
				if way == "training" {
					flop *= 3
				}
				reportRate(b, flop)
			})
		}
	}
}
