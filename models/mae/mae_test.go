package mae

import (
	"bytes"
	"context"
	"errors"
	"image"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/internal/test/golden"
	"github.com/fovea-ml/fovea/internal/test/modeltest"
	"github.com/fovea-ml/fovea/models/internal/run"
	"github.com/fovea-ml/fovea/models/vit"
	"github.com/fovea-ml/fovea/nn"
	"github.com/fovea-ml/fovea/simd"
	"github.com/fovea-ml/fovea/vision"
)

func load(t testing.TB, name string) (*Model, *golden.File) {
	t.Helper()
	dir := filepath.Join("testdata", name)
	m, err := Load(os.DirFS(dir), LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return m, golden.Load(t, filepath.Join(dir, "golden.safetensors"))
}

// TestParity compares the mask, the prediction, the loss and the gradient of every parameter with
// transformers'.
func TestParity(t *testing.T) {
	for _, name := range []string{"tiny", "raw"} {
		for _, recompute := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				m, g := load(t, name)
				pixels, shape := g.Tensor("pixels")
				masking := m.Masking(g.Floats("noise"), shape[0])
				if d := cmp.Diff(g.Floats("mask"), masking.Mask()); d != "" {
					t.Fatal(d)
				}
				plain := autograd.NewTape(autograd.Options{Debug: true})
				pred := m.Predict(plain.Input(pixels, shape...), masking)
				golden.Output(t, "prediction", pred.Floats(nil), g.Floats("logits"))

				tape := autograd.NewTape(autograd.Options{Gradients: true, Recompute: recompute, Debug: true, Workers: simd.NewWorkers(2)})
				loss := m.Loss(tape.Input(pixels, shape...), masking)
				golden.Output(t, "loss", loss.Floats(nil), g.Floats("loss"))
				grads := autograd.NewGradients()
				loss.Backward(grads)

				modeltest.Gradients(t, g, &names, m, grads)
			})
		}
	}
}

// TestCounts compares the number of parameters, fixed positions included, with the published ones.
func TestCounts(t *testing.T) {
	for _, c := range []struct {
		name   string
		config Config
		want   int
	}{{"B", Base(), 111_907_840}, {"L", Large(), 329_541_888}, {"H", Huge(), 657_074_508}} {
		if testing.Short() {
			t.Skip("makes models of 50 MB")
		}
		one := c.config
		one.NumHiddenLayers, one.DecoderNumHiddenLayers = 1, 1
		m := New(one, nil)
		got := nn.Count(m) + (c.config.NumHiddenLayers-1)*nn.Count(m.Encoder.Blocks) +
			(c.config.DecoderNumHiddenLayers-1)*nn.Count(m.Decoder.Blocks)
		if got != c.want {
			t.Errorf("MAE-%s has %d parameters, expected %d", c.name, got, c.want)
		}
	}
}

// TestPositions compares the fixed positions with those that testdata/gen/models_vit.py computes with numpy.
func TestPositions(t *testing.T) {
	loaded, _ := load(t, "tiny")
	fresh := New(loaded.Config, rand.New(rand.NewPCG(1, 1)))
	golden.Output(t, "encoder", fresh.Encoder.Positions.Values(), loaded.Encoder.Positions.Values())
	golden.Output(t, "decoder", fresh.Decoder.Positions.Values(), loaded.Decoder.Positions.Values())
}

// small is a model quick enough to be trained in a test.
func small(seed uint64) *Model {
	c := Base()
	c.ImageSize, c.PatchSize = 16, 4
	c.HiddenSize, c.NumHiddenLayers, c.NumAttentionHeads, c.IntermediateSize = 24, 2, 3, 48
	c.DecoderHiddenSize, c.DecoderNumHiddenLayers, c.DecoderNumAttentionHeads, c.DecoderIntermediateSize = 16, 1, 2, 32
	return New(c, rand.New(rand.NewPCG(seed, 0)))
}

func TestReconstruct(t *testing.T) {
	m := small(1)
	m.Preprocess = vision.Half(16)
	img := image.NewRGBA(image.Rect(0, 0, 40, 31))
	for i := range img.Pix {
		img.Pix[i] = uint8(i * 7)
	}
	out, err := m.Reconstruct(context.Background(), 3, img, img)
	if err != nil {
		t.Fatal(err)
	}
	again, err := m.Reconstruct(context.Background(), 3, img, img)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(out, again); d != "" {
		t.Error("the same seed gave another image", d)
	}
	grays := 0
	for i := 0; i < len(out[0].Masked.Pix); i += 3 {
		p := out[0].Masked.Pix[i : i+3]
		if p[0] == gray && p[1] == gray && p[2] == gray {
			grays++
			continue
		}
		if d := cmp.Diff(p, out[0].Original.Pix[i:i+3]); d != "" {
			t.Fatal("a visible pixel changed", d)
		}
		if d := cmp.Diff(p, out[0].Filled.Pix[i:i+3]); d != "" {
			t.Fatal("a visible pixel is not in the reconstruction", d)
		}
	}
	if want := 16 * 16 * 3 / 4; grays < want {
		t.Errorf("%d pixels are masked, expected %d", grays, want)
	}
	many, err := m.Reconstruct(context.Background(), 3, slices.Repeat([]image.Image{img}, run.Batch+1)...)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(out, many[:2]); len(many) != run.Batch+1 || d != "" {
		t.Errorf("%d of %d images, or others than alone: %s", len(many), run.Batch+1, d)
	}
	if cmp.Equal(many[0].Masked, many[run.Batch].Masked) {
		t.Error("the second batch has the masks of the first")
	}
	done, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := m.Reconstruct(done, 3, img); err == nil {
		t.Error("a canceled context gave no error")
	}
	if _, err := m.Reconstruct(context.Background(), 3, img); err != nil {
		t.Error("the model is not usable after a cancel:", err)
	}
}

// TestReconstructOriginal demands the image itself back, whatever arithmetic prepares it.
func TestReconstructOriginal(t *testing.T) {
	m := small(1)
	img := vision.NewImage(16, 16, 3)
	for i := range img.Pix {
		img.Pix[i] = uint8(i * 7)
	}
	for name, p := range map[string]vision.Preprocess{
		"default deviation": {}, "half": vision.Half(16),
		"ImageNet":       {Mean: vision.ImageNetMean, Std: vision.ImageNetStd, Backend: vision.Timm},
		"not normalized": {Mean: vision.HalfMean, Std: vision.HalfStd, NoNormalize: true},
		"not rescaled":   {Std: vision.HalfStd, NoRescale: true},
		"other scale":    {Mean: vision.HalfMean, Std: vision.HalfStd, Scale: 1. / 127.5},
	} {
		p.Width, p.Height = 16, 16
		m.Preprocess = p
		out, err := m.Reconstruct(context.Background(), 3, img)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(img.Pix, out[0].Original.Pix); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
}

func TestClassifier(t *testing.T) {
	m := small(2)
	v := m.Classifier([]string{"a", "b", "c"}, ClassifierOptions{Pooling: vit.MeanPooling, DropPath: 0.1}, rand.New(rand.NewPCG(1, 0)))
	if d := cmp.Diff(m.Encoder.Blocks[1].MLP.FC1.Weight.Values(), v.Encoder.Blocks[1].MLP.FC1.Weight.Values()); d != "" {
		t.Error("the encoder was not handed over", d)
	}
	if v.Encoder.Positions.Frozen {
		t.Error("positions stay fixed")
	}
	before := m.Encoder.Patch.Weight.Values()[0]
	v.Encoder.Patch.Weight.Update(func(w []float32) { w[0]++ })
	if m.Encoder.Patch.Weight.Values()[0] != before {
		t.Error("the classifier shares the encoder's memory")
	}

	fc := m.Encoder.Blocks[1].MLP.FC1
	out, in := fc.Weight.Shape()[0], fc.Weight.Shape()[1]
	fc.Adapter = []*nn.LowRank{{A: autograd.NewParameter(1, in), B: autograd.NewParameter(out, 1), Alpha: 1}}
	defer func() {
		if r, ok := recover().(error); !ok || !strings.Contains(r.Error(), "Blocks.1.MLP.FC1 has an adapter that is not merged") {
			t.Errorf("a model with an adapter: %v", r)
		}
	}()
	m.Classifier([]string{"a"}, ClassifierOptions{}, rand.New(rand.NewPCG(1, 0)))
}

// TestShapes expects a ShapeError from pixels and maskings that do not go together.
func TestShapes(t *testing.T) {
	m := small(5)
	for name, c := range map[string]struct{ images, size, masked, patches int }{
		"fewer images":   {1, 16, 2, 16},
		"more images":    {3, 16, 2, 16},
		"larger images":  {2, 20, 2, 16},
		"smaller images": {2, 12, 2, 16},
		"other patches":  {2, 16, 2, 25},
	} {
		masking := NewMasking(make([]float32, c.masked*c.patches), c.masked, c.patches, 0.75)
		for _, f := range []func(x *autograd.Tensor){
			func(x *autograd.Tensor) { m.Loss(x, masking) },
			func(x *autograd.Tensor) { m.Predict(x, masking) },
		} {
			tape := autograd.NewTape(autograd.Options{})
			err := tape.Try(func() error { f(tape.Full(0, c.images, 3, c.size, c.size)); return nil })
			var shape *autograd.ShapeError
			if !errors.As(err, &shape) {
				t.Errorf("%s: %v, expected a ShapeError", name, err)
			}
		}
	}
}

// TestSaveLoad writes a model and reads it back.
func TestSaveLoad(t *testing.T) {
	m := small(4)
	dir := t.TempDir()
	if err := m.Save(dir, SaveOptions{}); err != nil {
		t.Fatal(err)
	}
	back, err := Load(os.DirFS(dir), LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	from := map[string][]float32{}
	for path, p := range nn.Parameters(m) {
		from[path] = p.Values()
	}
	for path, p := range nn.Parameters(back) {
		if d := cmp.Diff(from[path], p.Values()); d != "" {
			t.Errorf("%s changed: %s", path, d)
		}
	}
	if d := cmp.Diff(m.Config.MaskRatio, back.Config.MaskRatio); d != "" {
		t.Error(d)
	}
}

// TestBadFolder expects one clear error from a configuration that asks for more than the weights hold, in the
// decoder too, and from one that contradicts itself.
func TestBadFolder(t *testing.T) {
	good, err := os.ReadFile("testdata/tiny/config.json")
	if err != nil {
		t.Fatal(err)
	}
	weights, err := os.ReadFile("testdata/tiny/model.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ old, new, want string }{
		{`"vit_mae"`, `"vit"`, `expected "vit_mae", found "vit"`},
		{`"decoder_num_attention_heads": 3`, `"decoder_num_attention_heads": 5`, "decoder_num_attention_heads"},
		{`"mask_ratio": 0.75`, `"mask_ratio": 0.99`, "mask_ratio"},
	} {
		config := strings.Replace(string(good), c.old, c.new, 1)
		if config == string(good) {
			t.Fatalf("config.json has no %s", c.old)
		}
		folder := fstest.MapFS{"config.json": {Data: []byte(config)}, "model.safetensors": {Data: weights}}
		for _, lenient := range []bool{false, true} {
			_, err := Load(folder, LoadOptions{Lenient: lenient})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s, lenient %v: expected an error with %q, got %v", c.new, lenient, c.want, err)
			}
		}
	}
}

// TestLoadEncoderAlone loads the weights of a classifier leniently into an encoder and an unfilled decoder.
func TestLoadEncoderAlone(t *testing.T) {
	m := small(6)
	dir := t.TempDir()
	if err := m.Classifier([]string{"a"}, ClassifierOptions{}, rand.New(rand.NewPCG(1, 0))).Save(dir, vit.SaveOptions{}); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "config.json")
	config, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, bytes.Replace(config, []byte(`"vit"`), []byte(`"vit_mae"`), 1), 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(os.DirFS(dir), LoadOptions{}); err == nil {
		t.Error("a file without a decoder loads strictly")
	}
	back, err := Load(os.DirFS(dir), LoadOptions{Lenient: true})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(m.Encoder.Blocks[1].MLP.FC1.Weight.Values(), back.Encoder.Blocks[1].MLP.FC1.Weight.Values()); d != "" {
		t.Error("the encoder was not read", d)
	}
}

func TestMasking(t *testing.T) {
	m := NewMasking([]float32{.5, .1, .9, .1, .2, .3, .4, .0}, 2, 4, 0.5)
	if d := cmp.Diff([][]int{{1, 3}, {3, 0}}, m.Visible); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([][]int{{0, 2}, {1, 2}}, m.Masked); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]float32{1, 0, 1, 0, 0, 1, 1, 0}, m.Mask()); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]int{0, 6, 1, 6, 2, 3, 5, 6, 6, 4}, m.unshuffle()); d != "" {
		t.Error(d)
	}
}
