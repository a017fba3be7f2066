package vit

import (
	"errors"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/checkpoint"
	"github.com/fovea-ml/fovea/internal/test/oracle"
	"github.com/fovea-ml/fovea/nn"
	"github.com/fovea-ml/fovea/nn/lora"
)

// adapt adds adapters with random values to all layers of attention and of the feed-forward part, saves them to a folder, and
// expects them in the base model again, with the same outputs, which it returns as a file.
func adapt(t *testing.T, base, dir string, pixels []float32, shape []int) string {
	t.Helper()
	open := func() *Model {
		m, err := Open(base, LoadOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	m, rng := open(), rand.New(rand.NewPCG(5, 6))
	layers := []string{"Encoder.Blocks.*.Attention.QKV", "Encoder.Blocks.*.Attention.Proj", "Encoder.Blocks.*.MLP.*"}
	o := lora.Options{Layers: layers, Rank: 2}
	if m.Head != nil {
		o.Train = []string{"Head.*"}
		if m.DistillationHead != nil {
			o.Train = append(o.Train, "DistillationHead.*")
		}
	}
	if err := lora.Attach(m, o, rng); err != nil {
		t.Fatal(err)
	}
	for _, p := range nn.Parameters(m) {
		if !p.Frozen {
			nn.Normal(rng, p, 0.3)
		}
	}
	if err := lora.Save(dir, m, m.AdapterNames()); err != nil {
		t.Fatal(err)
	}
	again := open()
	if err := lora.Load(os.DirFS(dir), again, again.AdapterNames()); err != nil {
		t.Fatal(err)
	}
	values := output(m, autograd.NewTape(autograd.Options{}).Input(pixels, shape...))
	got := output(again, autograd.NewTape(autograd.Options{}).Input(pixels, shape...)).Floats(nil)
	for i, v := range values.Floats(nil) {
		if d := v - got[i]; !(d < 1e-5 && d > -1e-5) { // a gated layer has one adapter here, and two after loading
			t.Fatalf("%s: loaded again: found %v, expected %v", base, got[i], v)
		}
	}
	file := dir + ".safetensors"
	entries := []checkpoint.Entry{{Name: "pixels", Shape: shape, Floats: pixels}, {Name: "logits", Shape: values.Shape(), Floats: values.Floats(nil)}}
	if err := checkpoint.Write(file, entries, checkpoint.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	return file
}

// TestAdapterNames saves adapters of each model type under the names that PEFT finds in transformers.
func TestAdapterNames(t *testing.T) {
	for name, want := range map[string][]string{
		"tiny":      {"vit.layers.0.attention.q_proj", "vit.layers.1.mlp.fc2"},
		"deit":      {"deit.layers.0.attention.q_proj", "deit.layers.1.mlp.fc2"},
		"registers": {"dinov2_with_registers.encoder.layer.0.attention.v_proj", "dinov2_with_registers.encoder.layer.1.mlp.fc1"},
		"dinov3":    {"model.layer.0.attention.o_proj", "model.layer.0.mlp.gate_proj", "model.layer.0.mlp.up_proj"},
		"beit":      {"beit.layers.0.attention.q_proj", "beit.layers.1.mlp.fc2"},
	} {
		base, dir := filepath.Join("testdata", name), filepath.Join(t.TempDir(), "adapter")
		_, g := load(t, name)
		pixels, shape := g.Tensor("pixels")
		adapt(t, base, dir, pixels, shape)
		f, err := checkpoint.Open(filepath.Join(dir, lora.SafetensorsName), checkpoint.OpenOptions{})
		if err != nil {
			t.Fatal(err)
		}
		found := slices.Collect(f.Names())
		for _, module := range want {
			if !slices.Contains(found, "base_model.model."+module+".lora_A.weight") {
				t.Errorf("%s: %s is not among %q", name, module, found)
			}
		}
		f.Close()
	}
	headless, _ := load(t, "registers")
	headless.Head, headless.Config.Pooling = nil, ""
	if d := cmp.Diff([]string{"encoder.layer.0.attention.o_proj.weight"}, headless.AdapterNames().Tensors("Encoder.Blocks.0.Attention.Proj.Weight")[0]); d != "" {
		t.Error(d)
	}
	own, _ := load(t, "dinov3")
	own.NewHead([]string{"a", "b"}, rand.New(rand.NewPCG(1, 2)))
	if d := cmp.Diff([]string{"model.layer.0.attention.o_proj.weight"}, own.AdapterNames().Tensors("Encoder.Blocks.0.Attention.Proj.Weight")[0]); d != "" {
		t.Error(d)
	}
}

// TestPEFT lets PEFT load adapters of every model type, and compares the outputs.
func TestPEFT(t *testing.T) {
	args := []string{"--named"}
	for _, name := range []string{"tiny", "deit", "registers", "dinov3", "beit"} {
		_, g := load(t, name)
		pixels, shape := g.Tensor("pixels")
		dir := filepath.Join(t.TempDir(), name)
		base, err := filepath.Abs(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		args = append(args, base, dir, adapt(t, base, dir, pixels, shape))
	}
	for _, name := range []string{"tiny", "registers"} { // without their classifiers, as ViTModel and Dinov2WithRegistersModel
		m, g := load(t, name)
		m.Head, m.Config.Pooling = nil, ""
		base, dir := t.TempDir(), filepath.Join(t.TempDir(), name)
		if err := m.Save(base, SaveOptions{}); err != nil {
			t.Fatal(err)
		}
		pixels, shape := g.Tensor("pixels")
		args = append(args, base, dir, adapt(t, base, dir, pixels, shape))
	}
	const needs = "torch, transformers and peft"
	out, err := oracle.Command(t, needs, "check_lora.py", args...).CombinedOutput()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && exit.ExitCode() == 3 {
		t.Skipf("needs FOVEA_PYTHON, the path of a Python with %s; this one has no peft", needs)
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
}
