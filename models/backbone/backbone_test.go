package backbone

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/checkpoint"
	"github.com/fovea-ml/fovea/internal/test/golden"
	"github.com/fovea-ml/fovea/internal/test/modeltest"
	"github.com/fovea-ml/fovea/models"
	"github.com/fovea-ml/fovea/nn"
)

func TestNames(t *testing.T) {
	deep := ResNet18()
	deep.DeepStem, deep.AverageDown = true, true
	for _, c := range []Config{ResNet18(), ResNet50(), deep, ShuffleNetV2x05(), DLA34(), Plain()} {
		table := tableOf(c)
		modeltest.Names(t, &table, New(c, 2, nil))
	}
}

func TestFields(t *testing.T) { modeltest.Fields(t, configFields, "transformers", "ResNetConfig") }

// TestResNet compares a ResNet of transformers: outputs, the features of all levels, and gradients.
func TestResNet(t *testing.T) {
	compareForm(t, "testdata/resnet", "testdata/resnet/golden.safetensors")
}

// TestLibraries compares networks of torchvision, timm and transformers, and expects transformers and timm to give the
// outputs of what was saved.
func TestLibraries(t *testing.T) {
	dir := t.TempDir()
	modeltest.Python(t, "backbone.py", dir)
	forms, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(forms) < 3*9 {
		t.Errorf("found %d forms", len(forms))
	}
	saved := map[string][]modeltest.Saved{}
	for _, form := range forms {
		if !form.IsDir() {
			continue
		}
		base := filepath.Join(dir, form.Name())
		folders := map[models.Layout]string{models.HuggingFace: t.TempDir(), models.Timm: t.TempDir(), models.Original: t.TempDir()} // Python reads them at the end
		t.Run(form.Name(), func(t *testing.T) {
			m, outputs := compareForm(t, base, base+".golden.safetensors")
			compareTraining(t, base, base+".train.safetensors")
			for layout, kind := range map[models.Layout]string{models.HuggingFace: "named", models.Timm: "timm", models.Original: ""} {
				saveForm(t, m, folders[layout], layout, outputs, func(s modeltest.Saved) {
					transformers := strings.HasPrefix(form.Name(), "hf") && m.Head != nil
					if kind == "named" && transformers || kind == "timm" {
						saved[kind] = append(saved[kind], s)
					}
				})
			}
		})
	}
	for kind, folders := range saved {
		if len(folders) < 2 {
			t.Errorf("%s: found %d folders", kind, len(folders))
		}
		modeltest.Library(t, kind, folders...)
	}
}

// saveForm saves a model in a layout, loads it again and expects the same bits. Layouts that the network lacks are refused.
func saveForm(t *testing.T, m *Model, folder string, layout models.Layout, outputs []checkpoint.Entry, done func(modeltest.Saved)) {
	t.Helper()
	if err := m.Save(folder, SaveOptions{Layout: layout}); err != nil {
		if layout == models.HuggingFace || !strings.Contains(err.Error(), "layout") {
			t.Errorf("layout %v: %v", layout, err)
		}
		return
	}
	again, err := Load(os.DirFS(folder), LoadOptions{})
	if err != nil {
		t.Fatalf("layout %v: %v", layout, err)
	}
	got := output(again, autograd.NewTape(autograd.Options{}).Input(outputs[0].Floats, outputs[0].Shape...))
	if d := cmp.Diff(outputs[1].Floats, got.Floats(nil)); d != "" {
		t.Errorf("layout %v: %s", layout, d)
	}
	want := m.Config
	if m.Head != nil {
		want.NameAll(m.Head.Weight.Shape()[0])
	}
	want.Architectures, again.Config.Architectures = nil, nil
	if d := cmp.Diff(want, again.Config); d != "" {
		t.Errorf("layout %v: %s", layout, d)
	}
	done(modeltest.Saved{Folder: folder, Outputs: outputs})
}

// output returns the logits, or the features of a model without a classifier.
func output(m *Model, pixels *autograd.Tensor) *autograd.Tensor {
	if m.Head == nil {
		return m.Pooled(pixels)
	}
	return m.Forward(pixels)
}

// compareForm compares a folder with its golden, and returns the model, the pixels and the output.
func compareForm(t *testing.T, dir, file string) (*Model, []checkpoint.Entry) {
	t.Helper()
	g := golden.Load(t, file)
	m, err := Load(os.DirFS(dir), LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := nn.Count(m), int(g.Floats("parameters")[0]); got != want {
		t.Errorf("found %d parameters, expected %d", got, want)
	}
	pixels, shape := g.Tensor("pixels")
	plain := autograd.NewTape(autograd.Options{Debug: true})
	for i, level := range m.Body.Forward(plain.Input(pixels, shape...)) {
		golden.Output(t, fmt.Sprintf("level %d", i), level.Floats(nil), g.Floats(fmt.Sprintf("level.%d", i)))
		if got := m.Body.Channels()[i]; got != level.Dim(1) {
			t.Errorf("level %d: found %d channels, expected %d", i, got, level.Dim(1))
		}
	}
	values := output(m, plain.Input(pixels, shape...)).Floats(nil)
	golden.Output(t, "inference", values, g.Floats("output"))
	for i := range 2 {
		name := fmt.Sprintf("other.%d", i)
		pixels, shape := g.Tensor(name + "/pixels")
		golden.Output(t, name, output(m, plain.Input(pixels, shape...)).Floats(nil), g.Floats(name+"/output"))
	}
	gradients(t, g, m, autograd.NewTape(autograd.Options{Gradients: true, Debug: true}))
	return m, []checkpoint.Entry{{Name: "pixels", Shape: shape, Floats: pixels}, {Name: "logits", Shape: []int{shape[0], len(values) / shape[0]}, Floats: values}}
}

// gradients compares the output on a tape, and the gradient of every parameter.
func gradients(t *testing.T, g *golden.File, m *Model, tape *autograd.Tape) {
	t.Helper()
	pixels, shape := g.Tensor("pixels")
	out := output(m, tape.Input(pixels, shape...))
	golden.Output(t, "output", out.Floats(nil), g.Floats("output"))
	grads := autograd.NewGradients()
	autograd.Sum(autograd.Mul(out, out), false).Backward(grads)
	table := tableOf(m.Config)
	modeltest.Gradients(t, g, &table, m, grads)
}

// compareTraining compares a training step with its golden: the output, the gradients, and the running statistics.
func compareTraining(t *testing.T, dir, file string) {
	t.Helper()
	g := golden.Load(t, file)
	m, err := Load(os.DirFS(dir), LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	tape := autograd.NewTape(autograd.Options{Gradients: true, Training: true, Debug: true})
	gradients(t, g, m, tape)
	tape.Commit()
	got := map[string][]float32{}
	for path, b := range nn.Buffers(m) {
		got[path] = slices.Clone(b.Values())
	}
	buffers := func(yield func(string, checkpoint.Value) bool) {
		for path, b := range nn.Buffers(m) {
			if !yield(path, b) {
				return
			}
		}
	}
	table := tableOf(m.Config)
	table.Ignore = append(table.Ignore, "*")
	if _, err := checkpoint.Load(g.Checkpoint(), &table, buffers, checkpoint.LoadOptions{}); err != nil {
		t.Fatal(err)
	}
	for path, b := range nn.Buffers(m) {
		golden.Output(t, path, got[path], b.Values())
	}
}

// TestCounts compares the numbers of parameters with those of torchvision and timm, with 1000 classes.
func TestCounts(t *testing.T) {
	for _, c := range []struct {
		name   string
		config Config
		want   int
	}{
		{"ResNet-18", ResNet18(), 11_689_512}, {"ResNet-34", ResNet34(), 21_797_672}, {"ResNet-50", ResNet50(), 25_557_032},
		{"ResNet-101", ResNet101(), 44_549_160}, {"ResNet-152", ResNet152(), 60_192_808},
		{"ShuffleNetV2 x0.5", ShuffleNetV2x05(), 1_366_792}, {"ShuffleNetV2 x1.0", ShuffleNetV2x10(), 2_278_604},
		{"DLA-34", DLA34(), 15_742_104},
	} {
		if got := nn.Count(New(c.config, 1000, nil)); got != c.want {
			t.Errorf("%s has %d parameters, expected %d", c.name, got, c.want)
		}
	}
}

// TestClaim compares what a configuration claims with what a network has: not more, and not much less.
func TestClaim(t *testing.T) {
	wide := ResNet50()
	wide.EmbeddingSize, wide.HiddenSizes = 2048, []int{64, 64, 64, 64}
	deep := ResNet18()
	deep.DeepStem, deep.AverageDown, deep.NumChannels = true, true, 500
	for _, c := range []Config{ResNet18(), ResNet50(), wide, deep, ShuffleNetV2x05(), ShuffleNetV2x10(), DLA34(), Plain()} {
		count := float64(nn.Count(New(c, 0, nil)))
		if claim := c.Claim().Values; claim > count || claim < count/4 {
			t.Errorf("%s: claims %.0f values, has %.0f", c.ModelType, claim, count)
		}
	}
}

// TestFreeze trains a network whose norms and first stages are frozen: they have no gradients, and running statistics stay.
func TestFreeze(t *testing.T) {
	c := ResNet18()
	c.EmbeddingSize, c.HiddenSizes, c.Depths = 8, []int{8, 8, 16, 16}, []int{1, 1, 1, 1}
	m := New(c, 2, rand.New(rand.NewPCG(1, 2)))
	FreezeNorms(m)
	m.Body.(*ResNet).Freeze(2)
	before := append([]float32(nil), m.Body.(*ResNet).Stages[3][0].Convs[0].Norm.Mean.Values()...)
	tape := autograd.NewTape(autograd.Options{Gradients: true, Training: true, Debug: true})
	x := make([]float32, 2*3*32*32)
	for i := range x {
		x[i] = float32(i%17) / 17
	}
	grads := autograd.NewGradients()
	autograd.Sum(m.Forward(tape.Input(x, 2, 3, 32, 32)), false).Backward(grads)
	tape.Commit()
	if d := cmp.Diff(before, m.Body.(*ResNet).Stages[3][0].Convs[0].Norm.Mean.Values()); d != "" {
		t.Error(d)
	}
	for path, p := range nn.Parameters(m) {
		frozen := strings.HasPrefix(path, "Body.Stem") || strings.HasPrefix(path, "Body.Stages.0") || strings.HasPrefix(path, "Body.Stages.1") || strings.Contains(path, "Norm")
		if has := grads.Of(p) != nil; has == frozen {
			t.Errorf("%s: frozen %v, has a gradient %v", path, frozen, has)
		}
	}
}

// TestInnerActivation expects ReLU inside the blocks of ResNets, whatever hidden_act, as in transformers.
func TestInnerActivation(t *testing.T) {
	for _, c := range []Config{ResNet18(), ResNet50(), ResNetVD(ResNet18()), ResNetVD(ResNet50())} {
		c.HiddenAct = "gelu"
		r := NewResNet(c)
		convs := r.Stages[1][0].Convs
		for i, conv := range convs {
			want := autograd.ActRelu
			if i == len(convs)-1 {
				want = c.act()
			}
			if conv.Act != want {
				t.Errorf("%s %s: convolution %d of a block: expected the activation %v, found %v", c.ModelType, c.LayerType, i, want, conv.Act)
			}
		}
		if r.Stem[0].Act != c.act() {
			t.Errorf("%s: the stem has the activation %v", c.ModelType, r.Stem[0].Act)
		}
	}
}
