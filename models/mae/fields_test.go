package mae

import (
	"bytes"
	"context"
	"encoding/json"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/fovea-ml/fovea/internal/test/modeltest"
	"github.com/fovea-ml/fovea/vision"
)

// TestFields expects every field of transformers' ViTMAEConfig in the table.
func TestFields(t *testing.T) { modeltest.Fields(t, configFields, "transformers", "ViTMAEConfig") }

// TestConfigFloats writes whole numbers with a point where transformers refuses them without: "expected float, got int".
func TestConfigFloats(t *testing.T) {
	c := Base()
	c.InitializerRange, c.LayerNormEps, c.MaskRatio = 1, 0, 0
	text, err := json.Marshal(c)
	for _, want := range []string{`"initializer_range":1.0,`, `"layer_norm_eps":0.0,`, `"mask_ratio":0.0,`} {
		if err != nil || strings.Count(string(text), want) != 1 {
			t.Errorf("found %s, %v, expected %s", text, err, want)
		}
	}
	var back Config
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(c, back); d != "" {
		t.Error(d)
	}
}

// TestConfigRules reads config.json by the rules of transformers. Its ViTMAE takes square images alone.
func TestConfigRules(t *testing.T) {
	data, err := os.ReadFile("testdata/tiny/config.json")
	if err != nil {
		t.Fatal(err)
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(data, &fields); err != nil {
		t.Fatal(err)
	}
	size := string(fields["image_size"])
	for _, c := range []struct{ name, value, want string }{
		{"image_size", "[" + size + ", " + size + "]", ""},
		{"image_size", "[" + size + ", 48]", "image_size: expected square images"},
		{"image_size", "null", "image_size: expected a whole number, or a list of height and width, found null"},
		{"patch_size", "[4, 2]", "patch_size: expected square patches, found 4×2"},
		{"norm_pix_loss", "null", "norm_pix_loss: expected true or false, found null"},
		{"mask_ratio", `"0.75"`, "mask_ratio: expected a number, found string"},
		{"problem_type", `"regression"`, ""},
		{"per_layer_config", `{"0": {"hidden_act": "relu"}}`, "per_layer_config: layers that differ are not supported"},
	} {
		old, had := fields[c.name]
		fields[c.name] = json.RawMessage(c.value)
		text, err := json.Marshal(fields)
		if err != nil {
			t.Fatal(err)
		}
		_, err = ReadConfig(fstest.MapFS{"config.json": {Data: text}}, "config.json")
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %s: expected %q, found %v", c.name, c.value, c.want, err)
		}
		if fields[c.name] = old; !had {
			delete(fields, c.name)
		}
	}
}

// TestGray masks a gray image with a model of one channel, before and after saving.
func TestGray(t *testing.T) {
	c := Base()
	c.ImageSize, c.PatchSize, c.NumChannels, c.HiddenSize, c.NumHiddenLayers, c.NumAttentionHeads, c.IntermediateSize = 16, 4, 1, 16, 1, 2, 32
	c.DecoderHiddenSize, c.DecoderNumHiddenLayers, c.DecoderNumAttentionHeads, c.DecoderIntermediateSize = 16, 1, 2, 32
	m := New(c, rand.New(rand.NewPCG(1, 2)))
	img := vision.NewImage(16, 16, 1)
	for i := range img.Pix {
		img.Pix[i] = uint8(i)
	}
	if p := m.Preprocess; !p.Gray || p.Mean != [3]float32{0.449, 0.449, 0.449} || p.Std != [3]float32{0.226, 0.226, 0.226} {
		t.Errorf("a new model has %+v", p)
	}
	m.Preprocess = vision.Half(16)
	if _, err := m.Reconstruct(context.Background(), 1, img); err == nil || !strings.Contains(err.Error(), "3 channels") {
		t.Errorf("color: %v", err)
	}
	m.Preprocess.Gray = true
	dir := t.TempDir()
	if err := m.Save(dir, SaveOptions{}); err != nil {
		t.Fatal(err)
	}
	m, err := Load(os.DirFS(dir), LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	r, err := m.Reconstruct(context.Background(), 1, img)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(r[0].Original.Gray().Pix, img.Pix) || !bytes.Equal(r[0].Filled.Gray().RGB().Pix, r[0].Filled.Pix) {
		t.Error("the original or the reconstruction is another")
	}
}
