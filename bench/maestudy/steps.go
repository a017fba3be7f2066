package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/models/mae"
	"github.com/fovea-ml/fovea/simd"
)

func generator(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 0)) }

// steps times forward and backward, in turn, with the encoder on the visible patches (as in MAE) and on all patches (as
// in earlier masked models). The decoder and the loss are the same.
func steps(ctx context.Context) error {
	fmt.Printf("\n%s, 2 threads, 75 %% hidden\n", simd.Info())
	fmt.Print("\n| model | batch | pairs | visible only, s | all patches, s | ratio of medians (of pairs) |\n|---|---|---|---|---|---|\n")
	small := mae.Base()
	small.ImageSize, small.PatchSize = 28, 4
	small.HiddenSize, small.NumHiddenLayers, small.NumAttentionHeads, small.IntermediateSize = 128, 4, 2, 512
	small.DecoderHiddenSize, small.DecoderNumHiddenLayers, small.DecoderNumAttentionHeads, small.DecoderIntermediateSize = 64, 1, 1, 256
	shallow := mae.Base()
	shallow.DecoderNumHiddenLayers = 1
	for _, c := range []struct {
		name         string
		config       mae.Config
		batch, pairs int
	}{
		{"28×28 in 4×4, width 128, 4 blocks; decoder 64, 1 block", small, 64, 15},
		{"MAE-B/16 at 224; decoder 512, 1 block", shallow, 2, 7},
		{"MAE-B/16 at 224; decoder 512, 8 blocks", mae.Base(), 2, 7},
	} {
		m := mae.New(c.config, generator(1))
		pixels := make([]float32, c.batch*3*c.config.ImageSize*c.config.ImageSize)
		rng := generator(2)
		for i := range pixels {
			pixels[i] = float32(rng.NormFloat64())
		}
		noise := m.Noise(1, 1, c.batch)
		hidden := m.Masking(noise, c.batch)
		all := mae.NewMasking(noise, c.batch, c.config.Patches(), 0)
		tape := autograd.NewTape(autograd.Options{Gradients: true, Training: true, Workers: simd.NewWorkers(2)})
		grads := autograd.NewGradients()
		once := func(encoder *mae.Masking) float64 {
			start := time.Now()
			grads.Zero()
			x := tape.Input(pixels, c.batch, 3, c.config.ImageSize, c.config.ImageSize)
			loss(m, x, encoder, hidden).Backward(grads)
			tape.Reset()
			return time.Since(start).Seconds()
		}
		once(hidden)
		once(all)
		var few, many, ratios []float64
		for range c.pairs {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			f, a := once(hidden), once(all)
			few, many, ratios = append(few, f), append(many, a), append(ratios, a/f)
		}
		fmt.Printf("| %s | %d | %d | %.3f | %.3f | %.1f (%.1f) |\n", c.name, c.batch, c.pairs, median(few), median(many), median(many)/median(few), median(ratios))
	}
	return nil
}

// loss returns the loss on the patches that hidden masks, from an encoder on the patches that seen does not mask.
func loss(m *mae.Model, pixels *autograd.Tensor, seen, hidden *mae.Masking) *autograd.Tensor {
	x := m.Decode(m.Encode(pixels, seen), seen)
	var tokens, patches []int
	for b, own := range hidden.Masked {
		for _, i := range own {
			tokens = append(tokens, b*(1+hidden.Patches)+1+i)
			patches = append(patches, b*hidden.Patches+i)
		}
	}
	return autograd.MSE(m.Decoder.Pred.Forward(autograd.GatherRows(x, tokens)), autograd.GatherRows(m.Target(pixels), patches))
}
