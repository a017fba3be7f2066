package vit

import (
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/internal/test/golden"
	"github.com/fovea-ml/fovea/internal/test/modeltest"
	"github.com/fovea-ml/fovea/nn"
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

// TestParity compares logits, the loss and the gradient of every parameter with transformers'.
func TestParity(t *testing.T) {
	for _, name := range []string{"tiny", "odd"} {
		for _, recompute := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				m, g := load(t, name)
				pixels, shape := g.Tensor("pixels")
				want, _ := g.Tensor("logits")
				tape := autograd.NewTape(autograd.Options{Gradients: true, Recompute: recompute, Debug: true, Workers: simd.NewWorkers(2)})
				logits := m.Forward(tape.Input(pixels, shape...))
				golden.Output(t, "logits", logits.Floats(nil), want)
				loss := autograd.CrossEntropy(logits, g.Ints("labels"), autograd.CrossEntropyOptions{})
				golden.Output(t, "loss", loss.Floats(nil), g.Floats("loss"))
				grads := autograd.NewGradients()
				loss.Backward(grads)
				modeltest.Gradients(t, g, &names, m, grads)

				plain := autograd.NewTape(autograd.Options{Debug: true})
				golden.Output(t, "logits without gradients", m.Forward(plain.Input(pixels, shape...)).Floats(nil), want)
				if tape.Lent() != 0 || plain.Lent() != 0 {
					t.Error("scratch buffers leaked")
				}
			})
		}
	}
}

// TestOtherSize runs an image twice as wide as configured, with interpolated positions.
func TestOtherSize(t *testing.T) {
	for _, name := range []string{"tiny", "odd"} {
		m, g := load(t, name)
		pixels, shape := g.Tensor("wide/pixels")
		tape := autograd.NewTape(autograd.Options{Debug: true})
		golden.Output(t, name, m.Forward(tape.Input(pixels, shape...)).Floats(nil), g.Floats("wide/logits"))
	}
}

// TestCounts compares the number of parameters with the published ones, without making the large models.
func TestCounts(t *testing.T) {
	for _, c := range []struct {
		name   string
		config Config
		want   int
	}{
		{"Ti/16", Tiny16(), 5_717_416}, {"S/16", Small16(), 22_050_664}, {"B/32", Base32(), 88_224_232},
		{"B/16", Base16(), 86_567_656}, {"L/16", Large16(), 304_326_632}, {"H/14", Huge14(), 632_045_800},
	} {
		if testing.Short() && c.want > 30_000_000 {
			continue
		}
		// One block stands for all: they are alike.
		one := c.config
		one.NumHiddenLayers = 1
		m := New(one, 1000, nil)
		got := nn.Count(m) + (c.config.NumHiddenLayers-1)*nn.Count(m.Encoder.Blocks)
		if got != c.want {
			t.Errorf("ViT-%s has %d parameters, expected %d", c.name, got, c.want)
		}
	}
}

// TestBatchPosition demands of an image the same bits wherever it sits in a batch, on any number of threads.
func TestBatchPosition(t *testing.T) {
	c := Tiny16()
	c.ImageSize, c.NumHiddenLayers = 64, 2
	m := New(c, 10, rand.New(rand.NewPCG(1, 2)))
	rng := rand.New(rand.NewPCG(3, 4))
	size := 3 * 64 * 64
	pixels := make([]float32, 5*size)
	for i := range pixels {
		pixels[i] = float32(rng.NormFloat64())
	}
	run := func(w *simd.Workers, pixels []float32) []float32 {
		tape := autograd.NewTape(autograd.Options{Workers: w, Debug: true})
		return m.Forward(tape.Input(pixels, len(pixels)/size, 3, 64, 64)).Floats(nil)
	}
	whole := run(nil, pixels)
	for threads := 2; threads <= 4; threads++ {
		for i, v := range run(simd.NewWorkers(threads), pixels) {
			if math.Float32bits(v) != math.Float32bits(whole[i]) {
				t.Fatalf("%d threads: logit %d is %v, expected %v", threads, i, v, whole[i])
			}
		}
	}
	for b := range 5 {
		for i, v := range run(simd.NewWorkers(2), pixels[b*size:(b+1)*size]) {
			if w := whole[b*10+i]; math.Float32bits(v) != math.Float32bits(w) {
				t.Fatalf("image %d alone: logit %d is %v, expected %v", b, i, v, w)
			}
		}
	}
}

// TestSaveLoad writes a model and reads it back.
func TestSaveLoad(t *testing.T) {
	for _, pooling := range []string{"", MeanPooling} {
		c := Tiny16()
		c.ImageSize, c.PatchSize, c.NumHiddenLayers, c.HiddenSize, c.Pooling = 16, 8, 2, 24, pooling
		c.IntermediateSize = 32
		c.SetLabels([]string{"cat", "dog"})
		m := New(c, 2, rand.New(rand.NewPCG(5, 6)))
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
		n := 0
		for path, p := range nn.Parameters(back) {
			n++
			for i, v := range p.Values() {
				if v != from[path][i] {
					t.Fatalf("%s changed", path)
				}
			}
		}
		if n != len(from) {
			t.Errorf("read %d parameters, wrote %d", n, len(from))
		}
		if l := back.Config.Labels(); len(l) != 2 || l[0] != "cat" {
			t.Errorf("labels: %v", l)
		}
	}
}

// TestBadFolder expects one clear error from each broken model folder.
func TestBadFolder(t *testing.T) {
	good, err := os.ReadFile("testdata/tiny/config.json")
	if err != nil {
		t.Fatal(err)
	}
	weights, err := os.ReadFile("testdata/tiny/model.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	replace := func(old, new string) []byte {
		s := strings.Replace(string(good), old, new, 1)
		if s == string(good) {
			t.Fatalf("config.json has no %s", old)
		}
		return []byte(s)
	}
	for name, c := range map[string]struct {
		config, weights []byte
		want            string
	}{
		"no config":     {nil, weights, "config.json"},
		"not json":      {[]byte("{"), weights, "config.json"},
		"other model":   {replace(`"vit"`, `"bert"`), weights, `expected "vit", found "bert"`},
		"zero size":     {replace(`"patch_size": 8`, `"patch_size": 0`), weights, "patch_size"},
		"heads":         {replace(`"num_attention_heads": 4`, `"num_attention_heads": 5`), weights, "divisor"},
		"deviation":     {replace(`"initializer_range": 0.02`, `"initializer_range": 1e300`), weights, "initializer_range"},
		"many layers":   {replace(`"num_hidden_layers": 2`, `"num_hidden_layers": 1000000`), weights, "num_hidden_layers: expected 2"},
		"huge":          {replace(`"hidden_size": 32`, `"hidden_size": 1000000`), weights, "hidden_size: expected 32"},
		"layers":        {replace(`"num_hidden_layers": 2`, `"num_hidden_layers": 1`), weights, "num_hidden_layers: expected 2"},
		"activation":    {replace(`"hidden_act": "gelu"`, `"hidden_act": "gelu_10"`), weights, `hidden_act: expected an activation (linear, relu, gelu,`},
		"no weights":    {good, nil, "model.safetensors"},
		"short weights": {good, weights[:len(weights)-5], "model.safetensors"},
	} {
		dir := t.TempDir()
		if c.config != nil {
			os.WriteFile(filepath.Join(dir, "config.json"), c.config, 0o666)
		}
		if c.weights != nil {
			os.WriteFile(filepath.Join(dir, "model.safetensors"), c.weights, 0o666)
		}
		_, err := Load(os.DirFS(dir), LoadOptions{})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: expected an error with %q, got %v", name, c.want, err)
		}
	}
}

// TestBadClassifier expects an error for a classifier of another width, whose rows could be many in a small file.
func TestBadClassifier(t *testing.T) {
	m, _ := load(t, "tiny")
	dir := t.TempDir()
	rows := 100_000
	if testing.Short() {
		rows = 5000
	}
	m.Head = nn.NewLinear(1, rows, false)
	if err := m.Save(dir, SaveOptions{}); err != nil {
		t.Fatal(err)
	}
	_, err := Load(os.DirFS(dir), LoadOptions{})
	if err == nil || !strings.Contains(err.Error(), "classifier.weight: expected the shape [classes 32]") {
		t.Errorf("got %v", err)
	}
}

// TestForwardWithoutHead expects a panic that names the missing head.
func TestForwardWithoutHead(t *testing.T) {
	m, _ := load(t, "tiny")
	m.Head = nil
	defer func() {
		if _, ok := recover().(*autograd.UseError); !ok {
			t.Error("no UseError")
		}
	}()
	m.Forward(autograd.NewTape(autograd.Options{}).Full(0, 1, 3, 24, 24))
}
