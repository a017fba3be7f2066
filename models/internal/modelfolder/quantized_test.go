package modelfolder

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/checkpoint"
	"github.com/fovea-ml/fovea/models"
	"github.com/fovea-ml/fovea/nn/quant"
	"github.com/fovea-ml/fovea/simd"
)

// usual is a quantization_config as compressed-tensors 0.20 writes it.
const usual = `{"config_groups":{"group_0":{"format":"int-quantized","input_activations":{"dynamic":true,"group_size":null,"num_bits":8,
	"observer":null,"strategy":"token","symmetric":true,"type":"int"},"output_activations":null,"targets":["Linear"],
	"weights":{"dynamic":false,"group_size":null,"num_bits":8,"observer":"minmax","strategy":"channel","symmetric":true,"type":"int"}}},
	"format":"int-quantized","global_compression_ratio":null,"ignore":["classifier"],"kv_cache_scheme":null,"moe_sparsity_config":null,
	"quant_method":"compressed-tensors","quantization_status":"compressed"}`

// TestQuantization reads the usual description, and names the field of one that is not supported.
func TestQuantization(t *testing.T) {
	rest, quantized, err := cutQuantization("config.json", []byte(`{"a": NaN, "quantization_config": `+usual+`, "b": {"c": [1]}}`))
	if want := `{"a":NaN,"b":{"c": [1]}}`; err != nil || !quantized || string(rest) != want {
		t.Errorf("found %s, %t, %v, expected %s", rest, quantized, err, want)
	}
	for _, config := range []string{`{}`, `{"quantization_config": null, "a": 1}`} {
		if rest, quantized, err := cutQuantization("config.json", []byte(config)); err != nil || quantized || string(rest) != config {
			t.Errorf("%s: found %s, %t, %v", config, rest, quantized, err)
		}
	}
	const start = "config.json: quantization_config: quantized weights are not supported in this layout"
	for _, c := range []struct{ old, new, want string }{
		{`"compressed-tensors"`, `"gptq"`, `: quant_method: expected "compressed-tensors", found "gptq"`},
		{`"quant_method":"compressed-tensors",`, ``, `: quant_method: expected "compressed-tensors", found none`},
		{`"format":"int-quantized","global`, `"format":"pack-quantized","global`, `: format: expected "int-quantized", found "pack-quantized"`},
		{`"compressed"}`, `"initialized"}`, `: quantization_status: expected "compressed" or "frozen", found "initialized"`},
		{`"kv_cache_scheme":null`, `"kv_cache_scheme":{"num_bits":8}`, `: kv_cache_scheme: expected null or {} or [], found {"num_bits":8}`},
		{`"num_bits":8,"observer":"minmax"`, `"num_bits":4,"observer":"minmax"`, `: group_0: weights: num_bits: expected 8, found 4`},
		{`"strategy":"channel","symmetric":true`, `"strategy":"channel","symmetric":false`, `: group_0: weights: symmetric: expected true, found false`},
		{`"strategy":"channel"`, `"strategy":"group"`, `: group_0: weights: strategy: expected "channel", found "group"`},
		{`"group_size":null,"num_bits":8,"observer":"minmax"`, `"group_size":128,"num_bits":8`, `: group_0: weights: group_size: expected null or -1, found 128`},
		{`"dynamic":true`, `"dynamic":false`, `: group_0: input_activations: dynamic: expected true, found false`},
		{`"strategy":"token"`, `"strategy":"tensor"`, `: group_0: input_activations: strategy: expected "token", found "tensor"`},
		{`"output_activations":null`, `"output_activations":{"num_bits":8}`, `: group_0: output_activations: expected null or {} or [], found {"num_bits":8}`},
		{`"group_0":{`, `"group_0":null,"group_1":{`, `: group_0: `},
		{`"input_activations":{`, `"input_activations":null,"inputs":{`, `: group_0: inputs: expected null or {} or []`},
		{`"config_groups":{`, `"config_groups":{},"x":{`, `: x: expected null or {} or []`},
	} {
		if strings.Count(usual, c.old) != 1 {
			t.Fatalf("%s stands %d times in the usual configuration", c.old, strings.Count(usual, c.old))
		}
		_, _, err := cutQuantization("config.json", []byte(`{"quantization_config": `+strings.Replace(usual, c.old, c.new, 1)+`}`))
		if err == nil || !strings.HasPrefix(err.Error(), start+c.want) {
			t.Errorf("%s: found %v, expected %s", c.new, err, start+c.want)
		}
	}
	for _, value := range []string{`{}`, `[]`, `"int8"`, `{"quant_method":"compressed-tensors","format":"int-quantized"}`,
		`{"quant_method":"compressed-tensors","format":"int-quantized","quantization_status":"frozen","config_groups":[]}`} {
		if _, _, err := cutQuantization("config.json", []byte(`{"quantization_config": `+value+`}`)); err == nil || !strings.HasPrefix(err.Error(), start) {
			t.Errorf("%s: found %v, expected an error", value, err)
		}
	}
}

func FuzzQuantization(f *testing.F) {
	f.Add(`{"quantization_config": ` + usual + `, "a": 1}`)
	f.Add(`{"quantization_config": {"config_groups": {"": {}}}}`)
	f.Add(`{"quantization_config": {"format": "int-quantized-conv", "quant_method": null}}`)
	f.Fuzz(func(t *testing.T, config string) {
		rest, quantized, err := cutQuantization("config.json", []byte(config))
		if err != nil || !quantized {
			return
		}
		if _, again, err := cutQuantization("config.json", rest); again || err != nil {
			t.Errorf("%q: found %t, %v in what was left", config, again, err)
		}
	})
}

// TestQuantizedFolder saves a quantized model and reads it again: the types, and the arithmetic of each weight.
func TestQuantizedFolder(t *testing.T) {
	m := newTwo()
	m.Layer.Weight.Update(func(v []float32) { copy(v, []float32{1, -2, 3, 4, 0.1, -0.2}) })
	if _, err := quant.Quantize(m, quant.All); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	c := Contents{Config: map[string]any{"model_type": "small", "size": 7}, Model: m}
	if err := small.Save(dir, c, models.SaveOptions{}); err != nil {
		t.Fatal(err)
	}
	config, err := os.ReadFile(filepath.Join(dir, ConfigName))
	if err != nil {
		t.Fatal(err)
	}
	var written map[string]json.RawMessage
	if err := json.Unmarshal(config, &written); err != nil {
		t.Fatal(err)
	}
	if err := checkQuantization(ConfigName, written[quantizationKey]); err != nil {
		t.Error(err)
	}
	f, err := checkpoint.OpenFolder(os.DirFS(dir), checkpoint.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	folder := &Folder{FS: os.DirFS(dir), Weights: f, family: small, quantized: true}
	got := newTwo()
	if err := folder.Fill(got); err != nil {
		t.Fatal(err)
	}
	if w := got.Layer.Weight; w.DType() != autograd.Int8 || w.MathLimit() != simd.Int8 || folder.Math() != simd.Int8 {
		t.Errorf("the weight is %v in %v", w.DType(), w.MathLimit())
	}
	if p := got.Norm.Weight; p.DType() != autograd.Float32 || p.MathLimit() != simd.Strict {
		t.Errorf("the norm is %v in %v", p.DType(), p.MathLimit())
	}
	a, b := m.Layer.Weight.Values(), got.Layer.Weight.Values()
	for i := range a {
		if a[i] != b[i] {
			t.Errorf("value %d: %v, expected %v", i, b[i], a[i])
		}
	}
	// A layer whose products are float32 keeps its type, whatever the others are saved in.
	if err := small.Save(dir, c, models.SaveOptions{DType: checkpoint.BF16}); err != nil {
		t.Fatal(err)
	}
	if f, err = checkpoint.OpenFolder(os.DirFS(dir), checkpoint.OpenOptions{}); err != nil {
		t.Fatal(err)
	}
	folder.Weights = f
	if got = newTwo(); folder.Fill(got) != nil || got.Norm.Weight.DType() != autograd.Float32 || got.Norm.Weight.MathLimit() != simd.Strict {
		t.Errorf("saved as bfloat16, the norm is %v in %v", got.Norm.Weight.DType(), got.Norm.Weight.MathLimit())
	}
	folder.quantized = false
	if err := folder.Fill(newTwo()); err == nil || !strings.Contains(err.Error(), "expected a floating-point type, found I8") {
		t.Errorf("without a description: %v", err)
	}
	// A configuration that is not transformers' has no place for the description.
	if _, err := describeQuantized([]byte(`{"architecture":"x"}`), small.Names, Contents{Model: m}, models.Timm); err == nil || err.Error() != `layout: expected "Hugging Face" for a model with quantized weights, found "timm"` {
		t.Errorf("timm: %v", err)
	}
}
