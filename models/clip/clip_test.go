package clip

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/internal/test/golden"
	"github.com/fovea-ml/fovea/internal/test/modeltest"
	"github.com/fovea-ml/fovea/simd"
)

// load reads one of the small random models that transformers made.
func load(t testing.TB, name string) (*Model, *golden.File) {
	t.Helper()
	dir := filepath.Join("testdata", name)
	m, err := Load(os.DirFS(dir), LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return m, golden.Load(t, filepath.Join(dir, "golden.safetensors"))
}

// rows cuts ids of equal length.
func rows(ids []int, n int) [][]int {
	var out [][]int
	for row := range slices.Chunk(ids, len(ids)/n) {
		out = append(out, row)
	}
	return out
}

// texts are those of testdata/gen/models_clip.py.
var texts = []string{"a photo of a cat", "dog", "The cat & the DOG, 12 photos of a bird!"}

// TestParity compares embeddings, logits, the loss and the gradient of every parameter with transformers'. The texts
// are padded as there.
func TestParity(t *testing.T) {
	for _, name := range []string{"tiny", "old"} {
		for _, recompute := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				m, g := load(t, name)
				pixels, shape := g.Tensor("pixels")
				ids := rows(g.Ints("ids"), len(texts))
				tape := autograd.NewTape(autograd.Options{Gradients: true, Recompute: recompute, Debug: true, Workers: simd.NewWorkers(2)})
				logits := m.Forward(tape.Input(pixels, shape...), ids)
				golden.Output(t, "logits", logits.Floats(nil), g.Floats("logits"))
				loss := contrastive(logits)
				golden.Output(t, "loss", loss.Floats(nil), g.Floats("loss"))
				grads := autograd.NewGradients()
				loss.Backward(grads)
				modeltest.Gradients(t, g, &names, m, grads)

				plain := autograd.NewTape(autograd.Options{Debug: true})
				golden.Output(t, "image features", m.EmbedImages(plain.Input(pixels, shape...)).Floats(nil), g.Floats("image_features"))
				golden.Output(t, "text features", m.EmbedTexts(plain, ids).Floats(nil), g.Floats("text_features"))
				if tape.Lent() != 0 || plain.Lent() != 0 {
					t.Error("scratch buffers leaked")
				}
			})
		}
	}
}

// TestTexts compares tokens and embeddings of texts with transformers'. Padding does not count.
func TestTexts(t *testing.T) {
	for _, name := range []string{"tiny", "old"} {
		m, g := load(t, name)
		tokens, err := m.Tokenize(texts...)
		if err != nil {
			t.Fatal(err)
		}
		for i, padded := range rows(g.Ints("ids"), len(texts)) {
			if n := len(tokens[i]); !slices.Equal(tokens[i], padded[:n]) {
				t.Errorf("%s: %q: expected %d, found %d", name, texts[i], padded, tokens[i])
			}
		}
		got, err := m.EncodeTexts(context.Background(), texts...)
		if err != nil {
			t.Fatal(err)
		}
		golden.Output(t, name, slices.Concat(got...), g.Floats("text_embeds"))
	}
}

// TestOtherSize runs an image wider than configured, with interpolated positions.
func TestOtherSize(t *testing.T) {
	for _, name := range []string{"tiny", "old"} {
		m, g := load(t, name)
		pixels, shape := g.Tensor("wide/pixels")
		tape := autograd.NewTape(autograd.Options{Debug: true})
		golden.Output(t, name, m.EmbedImages(tape.Input(pixels, shape...)).Floats(nil), g.Floats("wide/image_features"))
	}
}

func TestNames(t *testing.T) {
	m, _ := load(t, "tiny")
	modeltest.Names(t, &names, m, New(tinyResNet(), nil))
}
