package clip

import (
	"context"
	"fmt"
	"image"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/checkpoint"
	"github.com/fovea-ml/fovea/internal/test/golden"
	"github.com/fovea-ml/fovea/internal/test/modeltest"
	"github.com/fovea-ml/fovea/models"
	"github.com/fovea-ml/fovea/vision"
)

// TestLibraries compares small random models with transformers and open_clip: in the forms of transformers, of
// open_clip and of OpenAI's release; features, logits, the loss and its gradients, prepared images. Then it saves each
// in both layouts and lets the libraries compute the features. FOVEA_SEED chooses other models.
func TestLibraries(t *testing.T) {
	dir := t.TempDir()
	modeltest.Python(t, "clip_folders.py", dir, seed())
	folders, err := filepath.Glob(filepath.Join(dir, "*-*"))
	if err != nil || len(folders) < 19 {
		t.Fatal(folders, err)
	}
	args := []string{"check"}
	for i, folder := range folders {
		t.Run(filepath.Base(folder), func(t *testing.T) {
			if saved := compare(t, folder); i%2 == 0 { // the libraries take their time
				args = append(args, saved...)
			}
		})
	}
	t.Logf("%s", modeltest.Python(t, "clip_folders.py", args...))
}

// compare tests one folder and returns those that it saved.
func compare(t *testing.T, folder string) (saved []string) {
	m, err := Open(folder, LoadOptions{File: weights(t, folder)})
	if err != nil {
		t.Fatal(err)
	}
	g := golden.Load(t, filepath.Join(folder, "golden.safetensors"))
	pixels, shape := g.Tensor("pixels")
	ids := rows(g.Ints("ids"), 6)
	tape := autograd.NewTape(autograd.Options{Gradients: true, Debug: true})
	logits := m.Forward(tape.Input(pixels, shape...), ids)
	golden.Output(t, "logits", logits.Floats(nil), g.Floats("logits"))
	loss := contrastive(logits)
	golden.Output(t, "loss", loss.Floats(nil), g.Floats("loss"))
	grads := autograd.NewGradients()
	loss.Backward(grads)
	if g.Has("grad/logit_scale") {
		modeltest.Gradients(t, g, &names, m, grads)
	}
	features := m.EmbedImages(tape.Input(pixels, shape...)).Floats(nil)
	golden.Output(t, "image features", features, g.Floats("image_features"))
	words := m.EmbedTexts(tape, ids).Floats(nil)
	golden.Output(t, "text features", words, g.Floats("text_features"))

	var images []image.Image
	for _, name := range []string{"alpha.png", "gray.png", "photo.jpg", "tall.png", "tiny.png", "wide.png"} {
		x, err := vision.DecodeFile(os.DirFS(folder), name, vision.DecodeOptions{Alpha: true})
		if err != nil {
			t.Fatal(err)
		}
		images = append(images, x)
	}
	prepared, _, _, err := m.Preprocess.Pixels(nil, nil, images...)
	if err != nil {
		t.Fatal(err)
	}
	for i, n := 0, len(pixels)/len(images); i < len(images); i++ {
		if i != 2 { // the pixels of a JPEG differ by a few levels
			golden.Output(t, fmt.Sprint("pixels of image ", i), prepared[i*n:(i+1)*n], pixels[i*n:(i+1)*n])
		}
	}
	embeddings, err := m.EncodeImages(context.Background(), images...)
	if err != nil {
		t.Fatal(err)
	}
	for i, row := range embeddings {
		n := len(row)
		if cos := Similarity([][]float32{row}, [][]float32{g.Floats("image_features")[i*n : (i+1)*n]})[0][0]; cos < 1-1e-5 {
			t.Errorf("image %d: cosine %v with the reference", i, cos)
		}
	}

	entries := []checkpoint.Entry{
		{Name: "pixels", Shape: shape, Floats: pixels}, {Name: "ids", Shape: []int{6, len(ids[0])}, Ints: wide(g.Ints("ids"))},
		{Name: "image_features", Shape: []int{6, m.Config.ProjectionDim}, Floats: features},
		{Name: "text_features", Shape: []int{6, m.Config.ProjectionDim}, Floats: words},
		{Name: "logit_scale", Floats: m.LogitScale.Values()},
	}
	if m.Tokenizer != nil {
		tokens, err := m.Tokenize(texts...)
		if err != nil {
			t.Fatal(err)
		}
		for i, row := range tokens {
			entries = append(entries, checkpoint.Entry{Name: fmt.Sprintf("tokens/%d", i), Shape: []int{len(row)}, Ints: wide(row)})
		}
	}
	for _, layout := range []models.Layout{models.HuggingFace, models.OpenCLIP} {
		to := filepath.Join(folder, strings.ReplaceAll(layout.String(), " ", ""))
		err := m.Save(to, SaveOptions{Layout: layout})
		switch {
		case layout == models.HuggingFace && (m.Config.Vision.ImageWidth != 0 || m.Config.Vision.ResNet != nil):
			if err == nil {
				t.Error("saved for transformers, which has no such model")
			}
			continue
		case err != nil:
			t.Fatal(err)
		}
		at := len(images) - 1
		n := len(prepared) / len(images)
		all := slices.Clone(entries)
		if strings.HasPrefix(filepath.Base(folder), "hf-") == (layout == models.HuggingFace) {
			// The libraries cut images whose middle lies between two pixels at different places.
			all = append(all, checkpoint.Entry{Name: "prepared", Shape: shape[1:], Floats: prepared[at*n : (at+1)*n]})
		}
		if err := checkpoint.Write(filepath.Join(to, "expected.safetensors"), all, checkpoint.WriteOptions{}); err != nil {
			t.Fatal(err)
		}
		if err := os.Link(filepath.Join(folder, "wide.png"), filepath.Join(to, "wide.png")); err != nil {
			t.Fatal(err)
		}
		again, err := Open(to, LoadOptions{File: weights(t, to)})
		if err != nil {
			t.Fatal(err)
		}
		plain := autograd.NewTape(autograd.Options{})
		golden.Output(t, "saved for "+layout.String(), again.EmbedImages(plain.Input(pixels, shape...)).Floats(nil), features)
		golden.Output(t, "saved for "+layout.String(), again.EmbedTexts(plain, ids).Floats(nil), words)
		saved = append(saved, to)
	}
	return saved
}

// contrastive is the loss of CLIPModel.
func contrastive(logits *autograd.Tensor) *autograd.Tensor {
	diagonal := make([]int, logits.Dim(0))
	for i := range diagonal {
		diagonal[i] = i
	}
	return autograd.Scale(autograd.Add(
		autograd.CrossEntropy(logits, diagonal, autograd.CrossEntropyOptions{}),
		autograd.CrossEntropy(autograd.Transpose(logits, 0, 1), diagonal, autograd.CrossEntropyOptions{}),
	), 0.5)
}

// weights returns the name of the weights in a folder beside a golden.
func weights(t *testing.T, folder string) string {
	t.Helper()
	for _, name := range []string{"model.safetensors", "open_clip_model.safetensors", "ViT-tiny.pt"} {
		if _, err := os.Stat(filepath.Join(folder, name)); err == nil {
			return name
		}
	}
	t.Fatal("no weights in " + folder)
	return ""
}

func wide(ids []int) []int64 {
	out := make([]int64, len(ids))
	for i, id := range ids {
		out[i] = int64(id)
	}
	return out
}
