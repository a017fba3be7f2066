package checkpoint

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestTensors lists the forms of parameters in files.
func TestTensors(t *testing.T) {
	n := &Names{
		Columns: []string{"a", "b"},
		Rules: []Rule{
			{"Blocks.{}.QKV.Bias", "layer.{}.{query,0,value}.bias", "blocks.{}.qkv.bias"},
			{"Blocks.{}.QKV", "layer.{}.{query,key,value}", "blocks.{}.qkv T"},
			{"Class", "cls [1,1,*]", ""},
		},
		Prefixes: []string{"vit."},
		Renames:  []Rename{{"gamma", "weight"}},
	}
	for param, want := range map[string][][]string{
		"Blocks.3.QKV.Weight": {{"layer.3.query.weight", "layer.3.key.weight", "layer.3.value.weight"}, {"blocks.3.qkv.weight"}},
		"Blocks.3.QKV.Bias":   {{"layer.3.query.bias", "", "layer.3.value.bias"}, {"blocks.3.qkv.bias"}, {"layer.3.query.bias", "layer.3.key.bias", "layer.3.value.bias"}, {"blocks.3.qkv.bias"}},
		"Class":               {{"cls"}},
		"Head.Weight":         {{"Head.Weight"}},
	} {
		if d := cmp.Diff(want, n.Tensors(param)); d != "" {
			t.Errorf("%s: %s", param, d)
		}
	}
	if d := cmp.Diff([]string{"blocks.3.qkv.weight"}, n.Writing("b").Tensors("Blocks.3.QKV.Weight")[0]); d != "" {
		t.Error(d)
	}
	if c := n.Canonical("vit.vit.norm.gamma"); c != "norm.weight" {
		t.Errorf("canonical name %q", c)
	}
}
