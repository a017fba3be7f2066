package clip

import (
	"os"
	"strings"
	"testing"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/internal/test/golden"
	"github.com/fovea-ml/fovea/simd"
	"github.com/fovea-ml/fovea/train/contrast"

	"github.com/google/go-cmp/cmp"
)

func tinyResNet() Config {
	c := resNetPreset([4]int{1, 2, 1, 1}, 2, 64, 8, 10)
	c.Vision.ResNet.Heads = 4
	c.Text.VocabSize, c.Text.MaxPositionEmbeddings, c.Text.NumHiddenLayers, c.Text.NumAttentionHeads = 40, 12, 1, 2
	c.Text.EOSTokenID = LargestID
	return c
}

// TestResNet compares with open_clip on tapes with gradients, in inference, which folds normalizations, and in
// training.
func TestResNet(t *testing.T) {
	m, err := Load(os.DirFS("testdata/resnet"), LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(tinyResNet(), m.Config); d != "" {
		t.Errorf("configuration (-expected +found):\n%s", d)
	}
	g := golden.Load(t, "testdata/resnet/golden.safetensors")
	pixels, shape := g.Tensor("pixels")
	ids := rows(g.Ints("ids"), shape[0])
	tape := autograd.NewTape(autograd.Options{Gradients: true, Debug: true, Workers: simd.NewWorkers(2)})
	golden.Output(t, "logits", m.Forward(tape.Input(pixels, shape...), ids).Floats(nil), g.Floats("logits"))

	plain := autograd.NewTape(autograd.Options{Debug: true})
	golden.Output(t, "image embeddings", contrast.Normalize(m.EmbedImages(plain.Input(pixels, shape...))).Floats(nil), g.Floats("image_embeds"))
	golden.Output(t, "text embeddings", contrast.Normalize(m.EmbedTexts(plain, ids)).Floats(nil), g.Floats("text_embeds"))

	train := autograd.NewTape(autograd.Options{Training: true, Debug: true})
	golden.Output(t, "training", m.EmbedImages(train.Input(pixels, shape...)).Floats(nil), g.Floats("train/image_features"))
	if tape.Lent() != 0 || plain.Lent() != 0 || train.Lent() != 0 {
		t.Error("scratch buffers leaked")
	}
	if _, err := Load(os.DirFS("testdata/resnet"), LoadOptions{ImageSize: 96}); err == nil || !strings.Contains(err.Error(), "ImageSize") {
		t.Errorf("another size of images: %v", err)
	}
}
