package lora_test

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fovea-ml/fovea/checkpoint"
	"github.com/fovea-ml/fovea/internal/test/golden"
	"github.com/fovea-ml/fovea/internal/test/oracle"
	"github.com/fovea-ml/fovea/nn/lora"
)

// TestPEFT lets PEFT load adapters that were saved, and others with changed configurations, and compares the outputs.
func TestPEFT(t *testing.T) {
	pixels := golden.Load(t, "testdata/attention/golden.safetensors").Floats("pixels")
	var arguments []string
	compare := func(m *model, dir string) {
		outputs := filepath.Join(t.TempDir(), "outputs.safetensors")
		entries := []checkpoint.Entry{{Name: "logits", Floats: m.logits(pixels), Shape: []int{3, 5}}, {Name: "pixels", Floats: pixels, Shape: []int{3, 3, 8, 8}}}
		if err := checkpoint.Write(outputs, entries, checkpoint.WriteOptions{}); err != nil {
			t.Fatal(err)
		}
		arguments = append(arguments, dir, outputs)
	}
	compare(saved(t, names.Writing("memory")))
	for _, fields := range []string{
		`"init_lora_weights": "Gaussian"`,
		`"modules_to_save": ["ssifier"]`,
		`"layers_to_transform": [1], "target_modules": ["vit.layers.0.attention.q_proj", "vit.layers.0.attention.v_proj", "v_proj", "1.attention.q_proj", "vit.layers.2.attention.v_proj", "vit.layers.2.attention.q_proj"]`,
		`"alpha_pattern": {"^vit\\.layers\\.0\\.attention\\.q_proj": 9, "^attention.v_proj": 1}`,
		`"modules_to_save": null`, // of the ViTModel inside
	} {
		m, dir := newModel(t), filepath.Join(t.TempDir(), "adapter")
		changed(t, dir, fields)
		if err := lora.Load(os.DirFS(dir), m, &names); err != nil {
			t.Errorf("%s: %v", fields, err)
			continue
		}
		compare(m, dir)
	}
	base, err := filepath.Abs("testdata/base")
	if err != nil {
		t.Fatal(err)
	}
	const needs = "torch, transformers and peft"
	out, err := oracle.Command(t, needs, "check_lora.py", append([]string{base}, arguments...)...).CombinedOutput()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && exit.ExitCode() == 3 {
		t.Skipf("needs FOVEA_PYTHON, the path of a Python with %s; this one has no peft", needs)
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
}

// changed writes testdata/attention to a folder with other fields in the configuration. Without modules_to_save it is an
// adapter of the ViTModel inside.
func changed(t *testing.T, dir, fields string) {
	t.Helper()
	config, err := os.ReadFile("testdata/attention/adapter_config.json")
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]json.RawMessage
	if err := errors.Join(json.Unmarshal(config, &all), json.Unmarshal([]byte("{"+fields+"}"), &all)); err != nil {
		t.Fatal(err)
	}
	inner := string(all["modules_to_save"]) == "null"
	config, err = json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	f, err := checkpoint.Open("testdata/attention/adapter_model.safetensors", checkpoint.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var entries []checkpoint.Entry
	for x := range f.Tensors() {
		name, values := x.Name, make([]float32, x.Len())
		if err := x.Floats(values); err != nil {
			t.Fatal(err)
		}
		if inner && strings.Contains(name, "classifier") {
			continue
		}
		if inner {
			name = strings.Replace(name, "model.vit.", "model.", 1)
		}
		entries = append(entries, checkpoint.Entry{Name: name, Floats: values, Shape: x.Shape})
	}
	if err := errors.Join(
		os.MkdirAll(dir, 0o777),
		os.WriteFile(filepath.Join(dir, lora.ConfigName), config, 0o666),
		checkpoint.Write(filepath.Join(dir, lora.SafetensorsName), entries, checkpoint.WriteOptions{}),
	); err != nil {
		t.Fatal(err)
	}
}
