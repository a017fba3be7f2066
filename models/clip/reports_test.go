package clip

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/checkpoint"
	"github.com/fovea-ml/fovea/vision"
)

// The tests in this file try situations of public reports about other implementations, with inputs of their own. The
// comments name the threads.

// embedTexts returns the embeddings of tokens, one after the other.
func embedTexts(m *Model, texts ...[]int) []float32 {
	return m.EmbedTexts(autograd.NewTape(autograd.Options{}), texts).Floats(nil)
}

// TestPadding pads with either token, which changes no bit (openai/CLIP#183, huggingface/candle#1798).
func TestPadding(t *testing.T) {
	m, _ := load(t, "tiny")
	end := m.Config.Text.EOSTokenID
	text := []int{end - 1, 5, 9, end}
	want := embedTexts(m, text)
	for _, pad := range []int{0, end} {
		padded := slices.Concat(text, slices.Repeat([]int{pad}, 20))
		if got := embedTexts(m, padded, text)[:len(want)]; !slices.Equal(got, want) {
			t.Errorf("padded with %d: found other bits", pad)
		}
	}
}

// TestEnd takes the features at the end token where ids above it were added for new words
// (huggingface/transformers#21029, #24773, huggingface/diffusers#10754) and where the end is a low id
// (Lednik7/CLIP-ONNX#12). What follows does not count.
func TestEnd(t *testing.T) {
	m, _ := load(t, "tiny")
	tower := m.Text.(*TextTransformer)
	for _, c := range []struct {
		eos  int
		text []int
		end  int
	}{
		{300, []int{299, 510, 7, 300, 511, 300}, 3},    // a word of an id above the end
		{3, []int{2, 40, 41, 3, 0, 0}, 3},              // a low id
		{LargestID, []int{299, 510, 7, 300, 0}, 1},     // as transformers and OpenAI's code with such an id
		{300, []int{299, 7, 8}, 0},                     // none: the first place, as in transformers
		{LargestID, []int{299, 7, 300, 300, 300}, 2},   // the first of equals
		{m.Config.Text.EOSTokenID, []int{523, 524}, 1}, // an empty text
	} {
		tower.eos = c.eos
		got := embedTexts(m, c.text)
		if want := embedTexts(m, c.text[:c.end+1]); !slices.Equal(got, want) || tower.end(c.text) != c.end {
			t.Errorf("%d with end %d: expected the place %d, found %d", c.text, c.eos, c.end, tower.end(c.text))
		}
	}
}

// TestLong cuts a long text and keeps its end token (openai/CLIP#187, #212, #468, ultralytics/ultralytics#22647).
// Longer tokens than the model takes are an error that names both lengths (mlfoundations/open_clip#1118).
func TestLong(t *testing.T) {
	m, _ := load(t, "tiny")
	for _, text := range []string{strings.Repeat("cat ", 500), strings.Repeat("1 4 9 11 ", 50)} {
		tokens, err := m.Tokenize(text)
		if n := m.Config.Text.MaxPositionEmbeddings; err != nil || len(tokens[0]) != n || tokens[0][n-1] != m.Config.Text.EOSTokenID {
			t.Errorf("found %d, %v", tokens, err)
		}
	}
	tape := autograd.NewTape(autograd.Options{})
	err := tape.Try(func() error { m.EmbedTexts(tape, [][]int{make([]int, 77)}); return nil })
	if shape := (*autograd.ShapeError)(nil); !errors.As(err, &shape) || !strings.Contains(err.Error(), "77") || !strings.Contains(err.Error(), "24") {
		t.Errorf("found %v", err)
	}
}

// TestOldNames loads weights with the counters of older transformers (huggingface/transformers#45385, gligen/GLIGEN#67,
// mlfoundations/open_clip#595), and with the prefixes of programs that wrap the model (VamosC/CLIP4STR#13).
func TestOldNames(t *testing.T) {
	files := folder(t, "tiny")
	f, err := checkpoint.Parse("weights", files["model.safetensors"].Data, checkpoint.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	m, g := load(t, "tiny")
	for _, prefix := range []string{"", "module.", "clip_model.", "model.module."} {
		entries := []checkpoint.Entry{
			{Name: prefix + "text_model.embeddings.position_ids", Shape: []int{1, 2}, Ints: []int64{0, 1}},
			{Name: prefix + "vision_model.embeddings.position_ids", Shape: []int{1, 2}, Ints: []int64{0, 1}},
		}
		for x := range f.Tensors() {
			e := x.Entry()
			e.Name = prefix + e.Name
			entries = append(entries, e)
		}
		var data bytes.Buffer
		if err := checkpoint.Encode(&data, entries, checkpoint.WriteOptions{}); err != nil {
			t.Fatal(err)
		}
		changed := maps.Clone(files)
		changed["model.safetensors"] = &fstest.MapFile{Data: data.Bytes()}
		again, err := Load(changed, LoadOptions{})
		if err != nil {
			t.Errorf("prefix %q: %v", prefix, err)
			continue
		}
		ids := rows(g.Ints("ids"), len(texts))
		if !slices.Equal(embedTexts(again, ids...), embedTexts(m, ids...)) {
			t.Errorf("prefix %q: other embeddings", prefix)
		}
	}
}

// TestCrop refuses a preparation of another size than the model's, where transformers fails within the model
// (huggingface/transformers#30282).
func TestCrop(t *testing.T) {
	m, _ := load(t, "tiny")
	m.Preprocess.CropHeight, m.Preprocess.CropWidth = 12, 12
	if _, err := m.EncodeImages(context.Background(), vision.NewImage(40, 40, 3)); err == nil || !strings.Contains(err.Error(), "preprocessing gives 12×12 pixels, the model takes 16×16") {
		t.Errorf("found %v", err)
	}
}

// TestExtremes encodes images of one pixel, and very long ones. Vectors of zeros have no direction and similarity 0.
func TestExtremes(t *testing.T) {
	m, _ := load(t, "tiny")
	for _, size := range [][2]int{{1, 1}, {1, 300}, {300, 1}} {
		x, err := m.EncodeImages(context.Background(), vision.NewImage(size[0], size[1], 3))
		if err != nil {
			t.Fatal(err)
		}
		if one := Similarity(x, x)[0][0]; !(one > 0.9999 && one < 1.0001) {
			t.Errorf("%d: the similarity to itself is %v", size, one)
		}
	}
	if got := Similarity([][]float32{{0, 0}}, [][]float32{{1, 0}})[0][0]; got != 0 {
		t.Errorf("the similarity of zeros is %v", got)
	}
}
