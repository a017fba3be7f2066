package vit

import (
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/internal/test/golden"
	"github.com/fovea-ml/fovea/nn"
	"github.com/fovea-ml/fovea/nn/lora"
	"github.com/fovea-ml/fovea/nn/quant"
	"github.com/fovea-ml/fovea/simd"
)

// everyForm returns models with each kind of blocks, positions and prefix.
func everyForm(t *testing.T) map[string]*Model {
	t.Helper()
	all := turning(t)
	for _, dir := range []string{"testdata/kinds/*", "testdata/tiny", "testdata/deit", "testdata/dinov3", "testdata/registers", "testdata/timm_clip"} {
		folders, err := filepath.Glob(dir)
		if err != nil || len(folders) == 0 {
			t.Fatalf("%s: found %d folders, %v", dir, len(folders), err)
		}
		for _, folder := range folders {
			m, err := Load(os.DirFS(folder), LoadOptions{})
			if err != nil {
				t.Fatal(err)
			}
			all[folder] = m
		}
	}
	c := preset(16, 2, 2, 4)
	c.SetSize(16, 12)
	c.InitializerRange, c.LayerNormEps = 0.3, 1e-6
	for name, change := range map[string]func(*Config){
		"parallel":       func(c *Config) { c.ParallelMLP, c.QKNorm = true, true },
		"no key bias":    func(c *Config) { c.NoKeyBias, c.GatedMLP, c.LayerScaleInit = true, true, 0.1 },
		"relative":       func(c *Config) { c.RelativePositions, c.RelativeInterpolation = true, true },
		"relative MLP":   func(c *Config) { c.RelativePositions, c.RelativeHidden = true, 8 },
		"no norm":        func(c *Config) { c.NoFinalNorm = true },
		"one block":      func(c *Config) { c.NumHiddenLayers = 1 },
		"no class":       func(c *Config) { c.NoClassToken, c.NumRegisterTokens, c.Pooling = true, 1, MeanPooling },
		"average of two": func(c *Config) { c.DistillationToken, c.Pooling = true, DistillationPooling },
	} {
		c := c
		change(&c)
		if err := c.Validate(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		all[name] = New(c, 3, rand.New(rand.NewPCG(1, 2)))
	}
	return all
}

// TestFirst expects of the first tokens the bits that they have among all: of images of other sizes, with adapters, layers that are
// frozen, quantized weights, and, on a training tape, with dropped patches and branches. The gradients agree.
func TestFirst(t *testing.T) {
	models := everyForm(t)
	for _, name := range slices.Sorted(maps.Keys(models)) {
		m := models[name]
		e, c := m.Encoder, m.Config
		height, width := c.Size()
		sizes := [][3]int{{2, height, width}}
		if c.anyGrid() && !testing.Short() {
			sizes = append(sizes, [3]int{1, height + c.PatchSize, 2 * c.PatchSize}, [3]int{3, c.PatchSize, c.PatchSize})
		}
		compare := func(what string, o autograd.Options) {
			t.Helper()
			o.Seed, o.Workers, o.Debug = 5, simd.NewWorkers(2), true
			for _, size := range sizes {
				pixels := make([]float32, size[0]*c.NumChannels*size[1]*size[2])
				rng := rand.New(rand.NewPCG(6, 7))
				for i := range pixels {
					pixels[i] = float32(rng.NormFloat64())
				}
				for _, n := range []int{1, e.Prefix() + 1} { // the least images have one patch
					run := func(part bool) ([]float32, *autograd.Gradients) {
						tape, grads := autograd.NewTape(o), autograd.NewGradients()
						defer tape.Reset()
						x := tape.Input(pixels, size[0], c.NumChannels, size[1], size[2])
						var y *autograd.Tensor
						if part {
							y = e.First(x, n)
						} else {
							y = autograd.Slice(e.Forward(x), 1, 0, n)
						}
						values := y.Floats(nil)
						if o.Gradients {
							autograd.Sum(autograd.Mul(y, y), false).Backward(grads)
						}
						return values, grads
					}
					want, wantGrads := run(false)
					got, grads := run(true)
					if !slices.Equal(got, want) {
						t.Errorf("%s: %s: %v: the first %d tokens have other bits than among all", name, what, size, n)
					}
					var all [][]float32
					for _, p := range nn.Parameters(e) {
						all = append(all, wantGrads.Of(p))
					}
					for path, p := range nn.Parameters(e) {
						if o.Gradients {
							golden.Gradient(t, name+": "+what+": "+path, grads.Of(p), wantGrads.Of(p), golden.Norm(all...))
						}
					}
				}
			}
		}
		compare("inference", autograd.Options{})
		compare("BF16", autograd.Options{Math: simd.BF16})
		compare("gradients", autograd.Options{Gradients: true, Recompute: true})
		if !c.RelativePositions {
			e.PatchDropout = 0.5
		}
		for _, b := range e.Blocks {
			b.DropPath = 0.4
		}
		compare("training", autograd.Options{Gradients: true, Training: true})
		compare("training, recomputed", autograd.Options{Gradients: true, Training: true, Recompute: true})
		e.PatchDropout = 0
		adapters := lora.Options{Layers: []string{"Encoder.Blocks.*.MLP.FC2", "Encoder.Blocks.*.Attention.Proj"}, Rank: 2}
		if e.Blocks[0].In == nil {
			adapters.Layers = append(adapters.Layers, "Encoder.Blocks.*.Attention.QKV")
		}
		if err := lora.Attach(m, adapters, rand.New(rand.NewPCG(3, 4))); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, p := range nn.Parameters(m) {
			if !p.Frozen {
				nn.Normal(rand.New(rand.NewPCG(8, 9)), p, 0.2)
			}
		}
		compare("adapters", autograd.Options{Gradients: true, Training: true})
		err := lora.Merge(m)
		if err == nil {
			_, err = quant.Quantize(m, quant.Blocks)
		}
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		compare("quantized", autograd.Options{Math: simd.Int8})
	}
}
