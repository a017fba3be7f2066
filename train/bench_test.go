package train

import (
	"fmt"
	"testing"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/simd"
)

// The parameters of one block of a ViT-B, 7.1 million, in one optimizer step.
func BenchmarkStep(b *testing.B) {
	var params []Param
	for i, shape := range [][]int{{2304, 768}, {2304}, {768, 768}, {768}, {3072, 768}, {3072}, {768, 3072}, {768}, {768}, {768}} {
		params = append(params, Param{fmt.Sprint(i), autograd.NewParameter(shape...)})
	}
	tape, grads := autograd.NewTape(autograd.Options{Gradients: true}), autograd.NewGradients()
	n := 0
	for _, p := range params {
		given(grads, tape, p.Parameter, make([]float32, p.Len()))
		n += p.Len()
	}
	all := optimizers(func() []Group { return Groups(named(params), GroupOptions{WeightDecay: 0.05}) })
	for _, name := range []string{"sgd", "momentum", "nesterov", "adam", "adamw", "lars"} {
		for _, threads := range []int{1, 2} {
			w := simd.NewWorkers(threads)
			b.Run(fmt.Sprintf("%s/threads=%d/%s", name, threads, simd.Current()), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					all[name].Step(grads, 1e-3, 1, w)
				}
				b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds()/1e6, "Mparam/s")
			})
		}
	}
	ema := NewEMA(named(params), nil, EMAOptions{})
	for _, threads := range []int{1, 2} {
		w := simd.NewWorkers(threads)
		b.Run(fmt.Sprintf("ema/threads=%d", threads), func(b *testing.B) {
			for b.Loop() {
				ema.Update(w)
			}
			b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds()/1e6, "Mparam/s")
		})
	}
}
