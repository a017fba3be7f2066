package clip

import (
	"testing"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/checkpoint"
	"github.com/fovea-ml/fovea/internal/test/golden"
	"github.com/fovea-ml/fovea/internal/test/modeltest"
	"github.com/fovea-ml/fovea/nn"
	"github.com/fovea-ml/fovea/simd"
)

func tinySigLIP(patches int) Config {
	c := Config{
		Vision: VisionConfig{
			ImageSize: 19, PatchSize: 8, NumChannels: 3, HiddenSize: 12, NumHiddenLayers: 2, NumAttentionHeads: 3, IntermediateSize: 20,
			HiddenAct: "gelu_pytorch_tanh", LayerNormEps: 1e-6, Pooled: true,
		},
		Text: TextConfig{
			VocabSize: 50, MaxPositionEmbeddings: 9, HiddenSize: 8, NumHiddenLayers: 2, NumAttentionHeads: 2, IntermediateSize: 12,
			HiddenAct: "gelu_pytorch_tanh", LayerNormEps: 1e-6, Bidirectional: true,
		},
		ProjectionDim: 12,
	}
	if patches > 0 {
		c.Vision.ImageSize, c.Vision.PatchSize, c.Vision.NumPatches = 0, 4, patches
	}
	return c
}

// TestSigLIP compares logits, the loss and gradients with transformers, and embeddings in inference.
func TestSigLIP(t *testing.T) {
	for name, c := range map[string]Config{"siglip": tinySigLIP(0), "naflex": tinySigLIP(9)} {
		t.Run(name, func(t *testing.T) {
			m := New(c, nil)
			f, err := checkpoint.Open("testdata/"+name+"/model.safetensors", checkpoint.OpenOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := checkpoint.Load(f, &siglipNames, nn.Values(m), checkpoint.LoadOptions{}); err != nil {
				t.Fatal(err)
			}
			g := golden.Load(t, "testdata/"+name+"/golden.safetensors")
			values, shape := g.Tensor("pixels")
			ids := rows(g.Ints("ids"), 3)
			embed := func(t *autograd.Tape) *autograd.Tensor {
				if name == "siglip" {
					return m.EmbedImages(t.Input(values, shape...))
				}
				var grids [][2]int
				var patches []float32
				for i, s := range rows(g.Ints("shapes"), 3) {
					grids = append(grids, [2]int{s[0], s[1]})
					patches = append(patches, values[i*shape[1]*shape[2]:][:s[0]*s[1]*shape[2]]...)
				}
				return m.Vision.(*NaFlex).Patches(t.Input(patches, len(patches)/shape[2], shape[2]), grids)
			}
			tape := autograd.NewTape(autograd.Options{Gradients: true, Debug: true, Workers: simd.NewWorkers(2)})
			logits := m.logits(embed(tape), m.EmbedTexts(tape, ids))
			golden.Output(t, "logits", logits.Floats(nil), g.Floats("logits"))
			targets := make([]float32, 9)
			for i := range 3 {
				targets[4*i] = 1
			}
			loss := autograd.Scale(autograd.BCEWithLogits(logits, tape.Input(targets, 3, 3), autograd.BCEOptions{Reduction: autograd.LossSum}), 1./3)
			golden.Output(t, "loss", loss.Floats(nil), g.Floats("loss"))
			grads := autograd.NewGradients()
			loss.Backward(grads)
			modeltest.Gradients(t, g, &siglipNames, m, grads)

			plain := autograd.NewTape(autograd.Options{Debug: true})
			golden.Output(t, "image embeddings", normalize(embed(plain)).Floats(nil), g.Floats("image_embeds"))
			golden.Output(t, "text embeddings", normalize(m.EmbedTexts(plain, ids)).Floats(nil), g.Floats("text_embeds"))
			if g.Has("wide/pixels") {
				values, shape := g.Tensor("wide/pixels")
				golden.Output(t, "wide", m.EmbedImages(plain.Input(values, shape...)).Floats(nil), g.Floats("wide/image_features"))
			}
			if tape.Lent() != 0 || plain.Lent() != 0 {
				t.Error("scratch buffers leaked")
			}
		})
	}
}

func TestSigLIPNames(t *testing.T) {
	modeltest.Names(t, &siglipNames, New(tinySigLIP(0), nil), New(tinySigLIP(9), nil))
}
