package main

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
)

// TestFamilies recognizes the models in families.json, which testdata/gen/families.py wrote.
func TestFamilies(t *testing.T) {
	data, err := os.ReadFile("testdata/families.json")
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]map[string][]int
	if err := json.Unmarshal(data, &all); err != nil {
		t.Fatal(err)
	}
	if len(all) < 20 {
		t.Errorf("only %d families", len(all))
	}
	rest := map[string]string{
		"ViT (timm, original)":                 "2 blocks of width 32, patches of 16×16; 5 classes",
		"ViT (Hugging Face)":                   "2 blocks of width 32, patches of 16×16; 5 classes",
		"ViT (transformers 5 in memory)":       "2 blocks of width 32, patches of 16×16; 5 classes",
		"DeiT (timm, original)":                "2 blocks of width 32, patches of 16×16; 5 classes",
		"DeiT (Hugging Face)":                  "2 blocks of width 32, patches of 16×16; 5 classes",
		"DINOv2 (Hugging Face)":                "2 blocks of width 32, patches of 16×16",
		"DINOv2 with registers (Hugging Face)": "2 blocks of width 32, patches of 16×16; 5 classes",
		"DINOv3 (Hugging Face)":                "2 blocks of width 32, patches of 16×16",
		"MAE with decoder (original)":          "encoder of 2 blocks of width 32, patches of 16×16; decoder of 1 blocks of width 32",
		"MAE with decoder (Hugging Face)":      "encoder of 2 blocks of width 32, patches of 16×16; decoder of 1 blocks of width 32",
		"BEiT (timm, original)":                "2 blocks of width 32, 2 heads, patches of 16×16; 5 classes",
		"BEiT (Hugging Face)":                  "2 blocks of width 32, 2 heads, patches of 16×16; 5 classes",
		"CLIP (OpenAI, open_clip)":             "vision of 2 blocks of width 128, 2 heads (assuming a width of 64), patches of 16×16; text of 1 blocks of width 64, 1 heads (assuming a width of 64)",
		"CLIP (Hugging Face)":                  "vision of 2 blocks of width 32, patches of 16×16; text of 2 blocks of width 32",
		"SigLIP (Hugging Face)":                "vision of 2 blocks of width 32, patches of 16×16; text of 2 blocks of width 32",
		"BLIP (Hugging Face)":                  "vision of 2 blocks of width 32, patches of 16×16; text of 2 blocks of width 32",
		"BLIP (original)":                      "vision of 2 blocks of width 32, patches of 16×16; text of 2 blocks of width 32",
		"BERT or RoBERTa (Hugging Face)":       "2 blocks of width 32",
		"DistilBERT (Hugging Face)":            "2 blocks of width 32",
		"ResNet (torchvision, timm)":           "5 classes",
		"ResNet (Hugging Face)":                "5 classes",
		"Swin (timm, original)":                "5 classes",
		"ConvNeXt (timm)":                      "5 classes",
	}
	for want, shapes := range all {
		if rest[want] != "" {
			want += ": " + rest[want]
		}
		// The names alone and below a wrapper's prefix, with one more tensor.
		for _, prefix := range []string{"", "module.", "model."} {
			named := map[string][]int{prefix + "something.else": {3}}
			for n, s := range shapes {
				named[prefix+n] = s
			}
			g := guessFamily(named)
			if g == nil || g.String() != want {
				t.Errorf("prefix %q: found %v, expected %s", prefix, g, want)
			}
		}
	}
	for _, shapes := range []map[string][]int{{}, {"a": {1}}, {"": nil}, {"weight": {2, 2}, "bias": {2}}} {
		if g := guessFamily(shapes); g != nil {
			t.Errorf("%v: found %s", shapes, g)
		}
	}
	// A family's names with unexpected shapes.
	odd := map[string][]int{}
	for n := range all["BEiT (Hugging Face)"] {
		odd[n] = nil
	}
	if g := guessFamily(odd); g == nil || !strings.HasPrefix(g.String(), "BEiT") {
		t.Errorf("scalars: found %v", g)
	}
}
