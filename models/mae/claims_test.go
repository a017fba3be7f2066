package mae

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"testing/fstest"
)

// TestClaims loads small folders that describe large decoders: each is an error, before memory is set aside.
func TestClaims(t *testing.T) {
	weights, err := os.ReadFile("testdata/tiny/model.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	good, err := os.ReadFile("testdata/tiny/config.json")
	if err != nil {
		t.Fatal(err)
	}
	const block = ", as in decoder.decoder_encoder.layer.0.intermediate.dense.weight"
	for want, lie := range map[string]map[string]any{
		"decoder_hidden_size: expected 24" + block + ", found 262144": {"decoder_hidden_size": 1 << 18, "decoder_num_attention_heads": 1},
		"decoder_num_hidden_layers: expected 2":                       {"decoder_intermediate_size": 1 << 20, "decoder_num_hidden_layers": 1 << 10},
		"decoder_num_hidden_layers: expected 2, as in":                {"decoder_num_hidden_layers": 1 << 20},
		"decoder_intermediate_size: expected 40" + block:              {"decoder_intermediate_size": 1 << 20},
		"decoder_hidden_size: expected 24" + block + ", found 4":      {"decoder_num_hidden_layers": 50, "decoder_hidden_size": 4, "decoder_intermediate_size": 1, "decoder_num_attention_heads": 1},
		"config.json: hidden_size: expected 32":                       {"hidden_size": 64, "num_hidden_layers": 1 << 20},
	} {
		config := map[string]any{}
		if err := json.Unmarshal(good, &config); err != nil {
			t.Fatal(err)
		}
		for k, v := range lie {
			config[k] = v
		}
		data, err := json.Marshal(config)
		if err != nil {
			t.Fatal(err)
		}
		fsys := fstest.MapFS{"config.json": {Data: data}, "model.safetensors": {Data: weights}}
		for _, lenient := range []bool{false, true} {
			expect := want
			if lenient {
				expect = "describes a model"
			}
			if _, err := Load(fsys, LoadOptions{Lenient: lenient}); err == nil || !strings.Contains(err.Error(), expect) {
				t.Errorf("%v: expected %q, found %v", lie, expect, err)
			}
		}
	}
}
