package clip

import (
	"context"
	"encoding/json"
	"image"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/checkpoint"
	"github.com/fovea-ml/fovea/models"
	"github.com/fovea-ml/fovea/nn"
	"github.com/fovea-ml/fovea/vision"
)

// strange are values that no field expects.
var strange = []any{nil, true, -1, 0, 1, 3, 1 << 20, 1e300, -1e300, 0.5, "", "x", []any{}, []any{1, 2}, map[string]any{}, map[string]any{"a": 1}}

// replaced calls f with copies of a JSON value in which one value at a time is strange or gone.
func replaced(v any, f func(any)) {
	switch v := v.(type) {
	case map[string]any:
		for key, old := range v {
			for _, s := range strange {
				v[key] = s
				f(v)
			}
			delete(v, key)
			f(v)
			v[key] = old
			replaced(old, func(any) { f(v) })
		}
	case []any:
		for i, old := range v {
			for _, s := range strange {
				v[i] = s
				f(v)
			}
			v[i] = old
		}
	}
}

// TestHostileConfigurations loads folders whose JSON files are wrong in one place. Each loads or is an error. A model
// that loads encodes an image and a text, or says what is wrong.
func TestHostileConfigurations(t *testing.T) {
	m, _ := load(t, "tiny")
	dir := t.TempDir()
	if err := m.Save(dir, SaveOptions{Layout: models.OpenCLIP}); err != nil {
		t.Fatal(err)
	}
	open := fstest.MapFS{}
	for _, name := range []string{"open_clip_config.json", "open_clip_model.safetensors", "tokenizer.json", "tokenizer_config.json"} {
		open[name] = &fstest.MapFile{Data: file(t, dir, name)}
	}
	loaded, tried := 0, 0
	for _, c := range []struct {
		files fstest.MapFS
		names []string
	}{
		{folder(t, "tiny"), []string{"config.json", "preprocessor_config.json", "tokenizer_config.json"}},
		{folder(t, "old"), []string{"config.json"}},
		{open, []string{"open_clip_config.json"}},
		{folder(t, "siglip"), []string{"config.json"}},
		{folder(t, "naflex"), []string{"config.json"}},
	} {
		for _, name := range c.names {
			old := c.files[name]
			var v any
			if err := json.Unmarshal(old.Data, &v); err != nil {
				t.Fatal(err)
			}
			replaced(v, func(v any) {
				data, err := json.Marshal(v)
				if err != nil {
					t.Fatal(err)
				}
				c.files[name] = &fstest.MapFile{Data: data}
				if tried++; testing.Short() && tried%19 != 0 {
					return
				}
				m, err := Load(c.files, LoadOptions{})
				if err != nil {
					return
				}
				if loaded++; loaded%7 == 0 { // encoding takes longer
					m.EncodeImages(context.Background(), vision.NewImage(9, 7, 3))
					m.EncodeTexts(context.Background(), "a cat")
				}
			})
			c.files[name] = old
		}
	}
	t.Logf("%d of %d load", loaded, tried)
	if loaded == 0 || loaded > tried/2 {
		t.Errorf("%d of %d wrong configurations load", loaded, tried)
	}
}

// TestHostileWeights loads weights in which bytes of the header or the length are wrong.
func TestHostileWeights(t *testing.T) {
	files := folder(t, "tiny")
	old := files["model.safetensors"].Data
	rng := rand.New(rand.NewPCG(1, 1))
	count := 300
	if testing.Short() {
		count = 60
	}
	for range count {
		data := append([]byte(nil), old...)
		if rng.IntN(4) == 0 {
			data = data[:rng.IntN(len(data))]
		}
		for range 1 + rng.IntN(3) {
			if n := min(len(data), 4000); n > 0 {
				data[rng.IntN(n)] = byte(rng.IntN(256))
			}
		}
		files["model.safetensors"] = &fstest.MapFile{Data: data}
		Load(files, LoadOptions{}) // no panic
		Load(files, LoadOptions{Lenient: true})
	}
}

// TestHalf keeps weights of half precision as they are. Embeddings have the bits of those of widened weights.
func TestHalf(t *testing.T) {
	m, g := load(t, "tiny")
	dir := t.TempDir()
	if err := m.Save(dir, SaveOptions{DType: checkpoint.F16}); err != nil {
		t.Fatal(err)
	}
	half, err := Open(dir, LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	wide, err := Open(dir, LoadOptions{Widen: true})
	if err != nil {
		t.Fatal(err)
	}
	for path, p := range nn.Parameters(half) {
		if p.DType() != autograd.Float16 {
			t.Errorf("%s: expected float16, found %v", path, p.DType())
		}
	}
	pixels, shape := g.Tensor("pixels")
	var out [2][]float32
	for i, m := range []*Model{half, wide} {
		tape := autograd.NewTape(autograd.Options{Debug: true})
		out[i] = m.Forward(tape.Input(pixels, shape...), rows(g.Ints("ids"), len(texts))).Floats(nil)
	}
	for i := range out[0] {
		if out[0][i] != out[1][i] {
			t.Errorf("logit %d: %v with float16, %v widened", i, out[0][i], out[1][i])
		}
	}
}

func file(t *testing.T, dir, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestNaFlexInputs expects errors for images that are none, and for numbers of patches that no image can have.
func TestNaFlexInputs(t *testing.T) {
	m, err := Open("testdata/naflex", LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	usual := m.MaxPatches
	for _, c := range []struct {
		most int
		img  image.Image
		want string
	}{
		{usual, nil, "image 0: no image (nil)"},
		{usual, (*image.RGBA)(nil), "image 0: a *image.RGBA with inconsistent fields"},
		{usual, image.NewGray(image.Rect(0, 0, 0, 5)), "image 0: image of 0×5 pixels"},
		{0, image.NewGray(image.Rect(0, 0, 9, 9)), "MaxPatches: expected 1 to 65536, found 0"},
		{1 << 30, image.NewGray(image.Rect(0, 0, 9, 9)), "MaxPatches: expected 1 to 65536, found 1073741824"},
	} {
		m.MaxPatches = c.most
		if _, err := m.EncodeImages(t.Context(), c.img); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("expected %q, found %v", c.want, err)
		}
	}
}

// TestOneLabel expects certainty where one label is the only one to choose from, as softmax gives it.
func TestOneLabel(t *testing.T) {
	m, err := Open("testdata/tiny", LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	c, err := m.Classifier(t.Context(), []string{"cat"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	found, err := c.Classify(t.Context(), image.NewGray(image.Rect(0, 0, 9, 9)))
	if err != nil || found[0].Top[0].Probability != 1 || found[0].Problem != models.SingleLabel {
		t.Error(found, err)
	}
	if s := (&Features{}).Subset(nil); len(s.Labels) != 0 {
		t.Error(s)
	}
}
