package losses_test

import (
	"math/rand/v2"
	"testing"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/models/internal/losses"
)

// BenchmarkFocal and BenchmarkBoxLoss time forward and backward steps.
func BenchmarkFocal(b *testing.B) {
	const n = 1 << 20
	rng := rand.New(rand.NewPCG(1, 2))
	x, targets := make([]float32, n), make([]float32, n)
	for i := range x {
		x[i] = float32(2*rng.NormFloat64() - 4)
		if rng.IntN(500) == 0 {
			targets[i] = 1
		}
	}
	seed := make([]float32, n)
	for i := range seed {
		seed[i] = 1
	}
	for name, f := range map[string]func(x, t autograd.Operand) *autograd.Tensor{
		"sigmoid": func(x, t autograd.Operand) *autograd.Tensor {
			return autograd.Sum(losses.Focal(x, t, losses.FocalOptions{}), false)
		},
		"heatmap": losses.HeatmapFocal,
	} {
		b.Run(name, func(b *testing.B) {
			tape := autograd.NewTape(autograd.Options{Gradients: true})
			for b.Loop() {
				grads := autograd.NewGradients()
				f(tape.Borrow(x, n).WantGradient(), tape.Borrow(targets, n)).Backward(grads)
				tape.Reset()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/element")
		})
	}
}

func BenchmarkBoxLoss(b *testing.B) {
	const n = 100_000
	rng := rand.New(rand.NewPCG(1, 2))
	boxes := [2][]float32{make([]float32, 4*n), make([]float32, 4*n)}
	for i := range n {
		for k := range boxes {
			x, y := 100*rng.Float32(), 100*rng.Float32()
			copy(boxes[k][4*i:], []float32{x, y, x + 1 + 40*rng.Float32(), y + 1 + 40*rng.Float32()})
		}
	}
	for name, kind := range kinds {
		b.Run(name, func(b *testing.B) {
			tape := autograd.NewTape(autograd.Options{Gradients: true})
			for b.Loop() {
				grads := autograd.NewGradients()
				autograd.Sum(losses.BoxLoss(tape.Borrow(boxes[0], n, 4).WantGradient(), tape.Borrow(boxes[1], n, 4), kind), false).Backward(grads)
				tape.Reset()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/pair")
		})
	}
}
