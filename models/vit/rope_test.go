package vit

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/internal/test/golden"
	"github.com/fovea-ml/fovea/nn"
)

// turning returns models with each kind of rotary positions.
func turning(t *testing.T) map[string]*Model {
	t.Helper()
	models := map[string]*Model{}
	for _, order := range []string{"", RowRope, ColumnRope, MixedRope} {
		c := preset(16, 2, 2, 4)
		c.SetSize(16, 12)
		c.RopeTheta, c.RopeOrder, c.NumRegisterTokens = 100, order, 1
		if order == RowRope {
			c.RopeReference, c.RopeOffset, c.RopePositions = 5, 1, true
		}
		c.InitializerRange = 0.3
		models["order "+order] = New(c, 3, rand.New(rand.NewPCG(1, 2)))
	}
	return models
}

// TestPatchDropoutRotary drops patches on a training tape: the others turn by their own positions, as if attention did not see
// the dropped ones.
func TestPatchDropoutRotary(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	pixels := make([]float32, 2*3*16*12)
	for i := range pixels {
		pixels[i] = float32(rng.NormFloat64())
	}
	for name, m := range turning(t) {
		e := m.Encoder
		still := autograd.NewTape(autograd.Options{})
		x := still.Input(pixels, 2, 3, 16, 12)
		grid := e.size(x)
		e.PatchDropout = 0.5
		tape := autograd.NewTape(autograd.Options{Training: true, Gradients: true, Seed: 7})
		some, places := e.embed(tape.Input(pixels, 2, 3, 16, 12))
		all, none := e.embed(x)
		length, kept := all.Dim(1), some.Dim(1)
		if length != 14 || kept != 8 || len(places) != 2*kept || none != nil {
			t.Fatalf("%s: found %d tokens of %d, %d places, %d without dropping", name, kept, length, len(places), len(none))
		}
		mask := make([]bool, 2*length)
		var rows []int
		for i, place := range places {
			rows = append(rows, i/kept*length+place)
			mask[i/kept*length+place] = true
		}
		for i, b := range e.Blocks {
			in := e.input(i, grid, nil)
			in.KeyMask = mask
			all = b.Forward(all, in)
		}
		all = autograd.GatherRows(autograd.Reshape(e.Norm.Forward(all), 2*length, 16), rows)
		golden.Within(t, name, e.encode(some, grid, places, 0).Floats(nil), all.Floats(nil), 1e-5)

		grads := autograd.NewGradients()
		tape.Reset()
		autograd.Sum(m.Forward(tape.Input(pixels, 2, 3, 16, 12)), false).Backward(grads)
		for path, p := range nn.Parameters(m) {
			if grads.Of(p) == nil {
				t.Errorf("%s: %s has no gradient", name, path)
			}
		}
	}
}

// TestRopeSaved saves models with rotary positions and loads them again, to the same outputs.
func TestRopeSaved(t *testing.T) {
	for name, m := range turning(t) {
		dir := t.TempDir()
		if err := m.Save(dir, SaveOptions{}); err != nil {
			t.Fatal(err)
		}
		again, err := Open(dir, LoadOptions{})
		if err != nil {
			t.Fatal(err)
		}
		x := autograd.NewTape(autograd.Options{}).Full(0.5, 1, 3, 16, 12)
		golden.Within(t, name, again.Forward(x).Floats(nil), m.Forward(x).Floats(nil), 0)
		if m.Config.RopeOrder != again.Config.RopeOrder || m.Config.RopeOffset != again.Config.RopeOffset {
			t.Errorf("%s: found %+v", name, again.Config)
		}
	}
}

// TestRelativePositions saves a model with relative positions, which fit one size.
func TestRelativePositions(t *testing.T) {
	c := preset(16, 2, 2, 4)
	c.SetSize(16, 12)
	c.RelativePositions, c.InitializerRange = true, 0.3
	m, dir := New(c, 3, rand.New(rand.NewPCG(1, 2))), t.TempDir()
	if err := m.Save(dir, SaveOptions{}); err != nil {
		t.Fatal(err)
	}
	again, err := Open(dir, LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	tape := autograd.NewTape(autograd.Options{})
	x := tape.Full(0.5, 1, 3, 16, 12)
	golden.Within(t, "saved", again.Forward(x).Floats(nil), m.Forward(x).Floats(nil), 0)
	if _, err := Open(dir, LoadOptions{ImageSize: 24}); err == nil || !strings.Contains(err.Error(), "images of 16×12 pixels") {
		t.Errorf("found %v", err)
	}
	if a, b := m.Encoder.Blocks[0].Attention.Relative.Index, m.Encoder.Blocks[1].Attention.Relative.Index; &a[0] != &b[0] {
		t.Error("each block has an index of its own")
	}
	defer func() {
		if shape, ok := recover().(*autograd.ShapeError); !ok || !strings.Contains(shape.Error(), "16×12 pixels") {
			t.Errorf("found %v", shape)
		}
	}()
	m.Forward(tape.Full(0.5, 1, 3, 16, 16))
}

// TestRelativeClaims changes the size of images in the folder of a small model with relative positions. It is an error
// before memory is set aside for each pair of patches.
func TestRelativeClaims(t *testing.T) {
	c := preset(4, 1, 1, 1)
	c.SetSize(4, 4)
	c.RelativePositions = true
	dir := t.TempDir()
	if err := New(c, 0, nil).Save(dir, SaveOptions{}); err != nil {
		t.Fatal(err)
	}
	weights, err := os.ReadFile(filepath.Join(dir, "model.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	own, err := os.ReadFile(filepath.Join(dir, "config.json"))
	if err != nil {
		t.Fatal(err)
	}
	timm := func(architecture string, size int) string {
		return fmt.Sprintf(`{"architecture":%q,"num_classes":0,"model_args":{"patch_size":1,"embed_dim":4,"depth":1,"num_heads":1%s},"pretrained_cfg":{"input_size":[3,4,4]}}`,
			architecture, map[bool]string{true: fmt.Sprintf(`,"img_size":%d`, size)}[size != 0])
	}
	stated := func(size int) string {
		return regexp.MustCompile(`"image_size":\s*4,`).ReplaceAllString(string(own), fmt.Sprintf(`"image_size": %d,`, size))
	}
	for _, x := range []struct {
		name, config string
		strict, lax  string // errors; lax that of LoadOptions.Lenient
	}{
		{"own", string(own), "", ""},
		{"other size", stated(16), "image_size: expected 4, as in blocks.0.attn.relative_position_bias_table, found 16", "describes a model"},
		{"too many", stated(2048), "image_size: expected at most 4096 patches", "image_size: expected at most 4096 patches"},
		{"timm", timm("beit_base_patch16_224", 4), "", ""},
		{"timm, other size", timm("beit_base_patch16_224", 64), "img_size: expected 4, as in blocks.0.attn.relative_position_bias_table, found 64", ""},
		{"timm, too many", timm("beit_base_patch16_224", 2048), "2048", ""},
		{"timm, by name", timm("beit_base_patch16_65536", 0), "65536", ""},
	} {
		for lenient, want := range map[bool]string{false: x.strict, true: cmp.Or(x.lax, x.strict)} {
			fsys := fstest.MapFS{"config.json": {Data: []byte(x.config)}, "model.safetensors": {Data: weights}}
			_, err := Load(fsys, LoadOptions{Lenient: lenient})
			if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
				t.Errorf("%s, lenient %v: expected %q, found %v", x.name, lenient, want, err)
			}
		}
	}
}

// TestRopeRefused expects errors that name a field of rotary positions.
func TestRopeRefused(t *testing.T) {
	for want, change := range map[string]func(c *Config){
		"rope_theta":     func(c *Config) { c.RopeTheta = 0 },
		"rope_order":     func(c *Config) { c.RopeOrder = "diagonal" },
		"rope_reference": func(c *Config) { c.RopeReference = -1 },
		"rope_offset":    func(c *Config) { c.RopeOffset = 1e9 },
		`"rows" or "columns" beside rope_reference`: func(c *Config) { c.RopeOrder, c.RopeReference = MixedRope, 3 },
	} {
		c := Tiny16()
		c.RopeTheta, c.RopeOrder = 10, RowRope
		change(&c)
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("expected an error with %s, found %v", want, err)
		}
	}
}
