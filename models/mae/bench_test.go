package mae

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/models/vit"
	"github.com/fovea-ml/fovea/nn"
	"github.com/fovea-ml/fovea/simd"
	"github.com/fovea-ml/fovea/train"
)

// multiplyAdds counts those of one image's forward pass in training: the encoder sees the visible patches
// only, the last projection the masked ones.
func multiplyAdds(c Config) float64 {
	blocks := func(c vit.EncoderConfig, n float64) float64 {
		d, h := float64(c.HiddenSize), float64(c.IntermediateSize)
		return float64(c.NumHiddenLayers) * (n*(4*d*d+2*d*h) + 2*n*n*d)
	}
	patches := float64(c.Patches())
	visible := float64(int(patches * (1 - c.MaskRatio)))
	pixels := float64(c.PatchSize * c.PatchSize * c.NumChannels)
	d := c.decoder()
	return visible*pixels*float64(c.HiddenSize) + blocks(c.EncoderConfig, visible+1) +
		(visible+1)*float64(c.HiddenSize*d.HiddenSize) + blocks(d, patches+1) +
		(patches-visible)*float64(d.HiddenSize)*pixels
}

func BenchmarkPretrain(b *testing.B) {
	tiny := Base()
	tiny.HiddenSize, tiny.NumAttentionHeads, tiny.IntermediateSize = 192, 3, 768
	tiny.DecoderHiddenSize, tiny.DecoderNumHiddenLayers, tiny.DecoderNumAttentionHeads, tiny.DecoderIntermediateSize = 128, 4, 4, 512
	for _, c := range []struct {
		name   string
		config Config
	}{{"Ti16", tiny}, {"B16", Base()}} {
		b.Run(fmt.Sprintf("%s/batch=8/%v", c.name, simd.Current()), func(b *testing.B) {
			const batch, threads = 8, 2
			m := New(c.config, rand.New(rand.NewPCG(1, 1)))
			x := make([]float32, batch*3*c.config.ImageSize*c.config.ImageSize)
			rng := rand.New(rand.NewPCG(7, 7))
			for i := range x {
				x[i] = float32(rng.NormFloat64())
			}
			w := simd.NewWorkers(threads)
			tape := autograd.NewTape(autograd.Options{Gradients: true, Training: true, Workers: w})
			grads := autograd.NewGradients()
			opt := train.NewAdamW(train.Groups(nn.Parameters(m), train.GroupOptions{WeightDecay: 0.05}), train.AdamOptions{})
			n := uint64(0)
			step := func() {
				n++
				m.Loss(tape.Input(x, batch, 3, c.config.ImageSize, c.config.ImageSize), m.Masking(m.Noise(1, n, batch), batch)).Backward(grads)
				opt.Step(grads, 1e-4, 1, w)
				grads.Zero()
				tape.Reset()
			}
			step()
			b.ReportAllocs()
			for b.Loop() {
				step()
			}
			rate := 6 * multiplyAdds(c.config) * batch * float64(b.N) / b.Elapsed().Seconds() / 1e9
			b.ReportMetric(rate, "GFLOP/s")
			b.ReportMetric(100*rate/simd.FMAPeak(threads, 50*time.Millisecond), "%peak")
		})
	}
}
