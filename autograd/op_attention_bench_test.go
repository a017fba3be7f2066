package autograd

import (
	"fmt"
	"testing"

	"github.com/fovea-ml/fovea/simd"
)

// BenchmarkAttention times the attention of one block on two cores, of a ViT over 197 patches and of
// CLIP's text tower. It times a forward step without gradients, and a forward and a backward one.
func BenchmarkAttention(b *testing.B) {
	for _, m := range []struct {
		name           string
		batch, t, h, d int
		causal         bool
	}{
		{"vit-b", 8, 197, 12, 64, false},
		{"vit-b", 1, 197, 12, 64, false},
		{"vit-ti", 8, 197, 3, 64, false},
		{"vit-ti", 1, 197, 3, 64, false},
		{"mae-decoder", 8, 197, 16, 32, false},
		{"vit-b-384", 1, 577, 12, 64, false},
		{"clip-text", 8, 77, 8, 64, true},
	} {
		width := 3 * m.h * m.d
		x := normal(60, m.batch*m.t*width)
		seed := normal(61, len(x)/3)
		o := AttentionOptions{Heads: m.h, Causal: m.causal}
		for _, grad := range []bool{false, true} {
			pass := "forward"
			if grad {
				pass = "both"
			}
			b.Run(fmt.Sprintf("%s/b=%d/t=%d/%s", m.name, m.batch, m.t, pass), func(b *testing.B) {
				tape := NewTape(Options{Gradients: grad, Workers: simd.NewWorkers(2)})
				g := NewGradients()
				flops := 4 * m.batch * m.h * m.t * m.t * m.d
				if grad {
					flops *= 7
					flops /= 2
				}
				run := func() {
					in := tape.Borrow(x, m.batch, m.t, width)
					in.needs = grad
					y := packed(in, o)
					if grad {
						Backward(g, []*Tensor{y}, [][]float32{seed})
					}
					tape.Reset()
				}
				run()
				b.ReportAllocs()
				for b.Loop() {
					run()
				}
				reportRate(b, float64(flops))
			})
		}
	}
}
