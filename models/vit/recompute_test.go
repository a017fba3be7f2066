package vit

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/nn"
	"github.com/fovea-ml/fovea/simd"
)

// backward computes the gradients of a loss on a tape of its own. It returns them and the memory of the tape.
func backward(m *Model, o autograd.Options, pixels []float32, size int) (*autograd.Gradients, int) {
	n := len(pixels) / (m.Config.NumChannels * size * size)
	tape, grads := autograd.NewTape(o), autograd.NewGradients()
	defer tape.Reset()
	logits := m.Forward(tape.Input(pixels, n, m.Config.NumChannels, size, size))
	labels := make([]int, n)
	for i := range labels {
		labels[i] = i % logits.Dim(1)
	}
	autograd.CrossEntropy(logits, labels, autograd.CrossEntropyOptions{}).Backward(grads)
	return grads, tape.MemoryBytes()
}

// TestGradientCheckpointing bounds the memory of activations with Recompute to a third, at the depth of the usual models,
// and expects the same bits of all gradients.
func TestGradientCheckpointing(t *testing.T) {
	plain := Tiny16()
	plain.ImageSize, plain.PatchSize, plain.HiddenSize, plain.NumAttentionHeads, plain.IntermediateSize = 32, 4, 48, 3, 192
	dropped := plain
	dropped.DropPathRate, dropped.HiddenDropoutProb, dropped.AttentionProbsDropoutProb = 0.2, 0.1, 0.1
	large := plain
	large.LayerScaleInit, large.GatedMLP, large.HiddenAct, large.NumRegisterTokens, large.DropPathRate = 1e-5, true, "silu", 2, 0.1
	for name, c := range map[string]Config{"plain": plain, "dropout": dropped, "gated": large} {
		m := New(c, 10, rand.New(rand.NewPCG(1, 1)))
		pixels := images(c, 4)
		o := autograd.Options{Gradients: true, Training: true, Seed: 3, Workers: simd.NewWorkers(2)}
		want, all := backward(m, o, pixels, c.ImageSize)
		o.Recompute = true
		got, kept := backward(m, o, pixels, c.ImageSize)
		for path, p := range nn.Parameters(m) {
			a, b := want.Of(p), got.Of(p)
			for i := range a {
				if math.Float32bits(a[i]) != math.Float32bits(b[i]) {
					t.Errorf("%s: %s: gradient %d is %v with Recompute, expected %v", name, path, i, b[i], a[i])
					break
				}
			}
		}
		if 3*kept > all {
			t.Errorf("%s: the tape takes %d bytes with Recompute and %d without, expected at most a third", name, kept, all)
		}
	}
}

// BenchmarkCheckpointing compares forward and backward of ViT-B/16 with and without Recompute, in turn: the tape's memory,
// and the least time of the rounds.
func BenchmarkCheckpointing(b *testing.B) {
	const batch = 8
	c := Base16()
	m := New(c, 1000, rand.New(rand.NewPCG(1, 1)))
	pixels := images(c, batch)
	b.Run(fmt.Sprintf("B16/batch=%d/%v", batch, simd.Current()), func(b *testing.B) {
		var bytes [2]int
		least := [2]float64{math.Inf(1), math.Inf(1)}
		arenas := [2]*autograd.Arena{autograd.NewArena(), autograd.NewArena()}
		for b.Loop() {
			for i, arena := range arenas {
				o := autograd.Options{Gradients: true, Training: true, Recompute: i == 1, Arena: arena, Workers: simd.NewWorkers(benchmarkThreads)}
				start := time.Now()
				_, bytes[i] = backward(m, o, pixels, c.ImageSize)
				least[i] = min(least[i], time.Since(start).Seconds())
			}
		}
		for i, name := range []string{"plain", "recompute"} {
			b.ReportMetric(float64(bytes[i])/1e6, "MB-"+name)
			b.ReportMetric(least[i], "s-"+name)
		}
		b.ReportMetric(float64(bytes[1])/float64(bytes[0]), "memory-ratio")
		b.ReportMetric(least[1]/least[0], "time-ratio")
	})
}
