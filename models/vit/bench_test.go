package vit

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/nn"
	"github.com/fovea-ml/fovea/simd"
	"github.com/fovea-ml/fovea/train"
)

// multiplyAdds counts those of one image's forward pass, attention included.
func multiplyAdds(c Config) float64 {
	d, h, n := float64(c.HiddenSize), float64(c.IntermediateSize), float64(c.Patches()+1)
	block := n*(4*d*d+2*d*h) + 2*n*n*d
	return float64(c.NumHiddenLayers)*block + float64(c.Patches())*d*float64(3*c.PatchSize*c.PatchSize)
}

// reportRate adds GFLOP/s and the percentage of the peak measured right after the benchmark.
func reportRate(b *testing.B, flop float64, threads int) {
	rate := flop * float64(b.N) / b.Elapsed().Seconds() / 1e9
	b.ReportMetric(rate, "GFLOP/s")
	b.ReportMetric(100*rate/simd.FMAPeak(threads, 50*time.Millisecond), "%peak")
}

const benchmarkThreads = 2

func images(c Config, n int) []float32 {
	rng := rand.New(rand.NewPCG(7, 7))
	x := make([]float32, n*3*c.ImageSize*c.ImageSize)
	for i := range x {
		x[i] = float32(rng.NormFloat64())
	}
	return x
}

func BenchmarkForward(b *testing.B) {
	for _, c := range []struct {
		name   string
		config Config
		batch  int
	}{{"Ti16", Tiny16(), 1}, {"Ti16", Tiny16(), 8}, {"B16", Base16(), 1}, {"B16", Base16(), 8}} {
		for _, mode := range []simd.Math{simd.Strict, simd.BF16, simd.Int8} {
			b.Run(fmt.Sprintf("%s/batch=%d/%v/%v", c.name, c.batch, mode, simd.Current()), func(b *testing.B) {
				m := New(c.config, 1000, rand.New(rand.NewPCG(1, 1)))
				x := images(c.config, c.batch)
				tape := autograd.NewTape(autograd.Options{Workers: simd.NewWorkers(benchmarkThreads), Math: mode})
				run := func() {
					m.Forward(tape.Input(x, c.batch, 3, c.config.ImageSize, c.config.ImageSize))
					tape.Reset()
				}
				run()
				b.ReportAllocs()
				for b.Loop() {
					run()
				}
				reportRate(b, 2*multiplyAdds(c.config)*float64(c.batch), benchmarkThreads)
			})
		}
	}
}

func BenchmarkTrain(b *testing.B) {
	for _, c := range []struct {
		name   string
		config Config
	}{{"Ti16", Tiny16()}, {"B16", Base16()}} {
		b.Run(fmt.Sprintf("%s/batch=8/%v", c.name, simd.Current()), func(b *testing.B) {
			const batch = 8
			m := New(c.config, 1000, rand.New(rand.NewPCG(1, 1)))
			x := images(c.config, batch)
			labels := make([]int, batch)
			w := simd.NewWorkers(benchmarkThreads)
			profile := &autograd.Profile{}
			tape := autograd.NewTape(autograd.Options{Gradients: true, Training: true, Workers: w, Profile: profile})
			grads := autograd.NewGradients()
			opt := train.NewAdamW(train.Groups(nn.Parameters(m), train.GroupOptions{WeightDecay: 0.05}), train.AdamOptions{})
			step := func() {
				logits := m.Forward(tape.Input(x, batch, 3, c.config.ImageSize, c.config.ImageSize))
				autograd.CrossEntropy(logits, labels, autograd.CrossEntropyOptions{}).Backward(grads)
				opt.Step(grads, 1e-4, 1, w)
				grads.Zero()
				tape.Reset()
			}
			step()
			profile.Reset()
			b.ReportAllocs()
			for b.Loop() {
				step()
			}
			reportRate(b, 6*multiplyAdds(c.config)*batch, benchmarkThreads)
			b.Logf("\n%v", profile)
		})
	}
}
