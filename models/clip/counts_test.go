package clip

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"strings"
	"testing"

	"github.com/fovea-ml/fovea/nn"
)

// TestCounts compares the numbers of parameters of the presets with those of OpenAI's models, of open_clip (RN) and of
// transformers (SigLIP), and with the comments of the presets.
func TestCounts(t *testing.T) {
	comments := presetComments(t)
	presets := []struct {
		name   string
		config Config
		want   int
	}{
		{"BasePatch32", BasePatch32(), 151_277_313}, {"BasePatch16", BasePatch16(), 149_620_737},
		{"LargePatch14", LargePatch14(), 427_616_513}, {"LargePatch14At336", LargePatch14At336(), 427_944_193},
		{"ResNet50", ResNet50(), 102_007_137}, {"ResNet101", ResNet101(), 119_688_033}, {"ResNet50x4", ResNet50x4(), 178_300_601},
		{"ResNet50x16", ResNet50x16(), 290_979_217}, {"ResNet50x64", ResNet50x64(), 623_258_305},
		{"SigLIPBasePatch16", SigLIPBasePatch16(), 203_155_970}, {"SigLIPLargePatch16", SigLIPLargePatch16(), 652_150_786},
		{"SigLIPSo400mPatch14", SigLIPSo400mPatch14(), 877_960_498}, {"NaFlexBasePatch16", NaFlexBasePatch16(), 375_234_050},
	}
	for _, c := range presets {
		if got := parameters(c.config); got != c.want {
			t.Errorf("%s: expected %d parameters, found %d", c.name, c.want, got)
		}
		if said := fmt.Sprintf(" %.0f M parameters", float64(c.want)/1e6); !strings.Contains(comments[c.name], said) {
			t.Errorf("%s: expected a comment with %q, found %q", c.name, said, comments[c.name])
		}
	}
	if len(comments) != len(presets) {
		t.Errorf("%d presets, %d of them tested", len(comments), len(presets))
	}
}

// presetComments returns the comments of the exported functions without arguments that return a Config.
func presetComments(t *testing.T) map[string]string {
	comments := map[string]string{}
	for _, name := range []string{"config.go", "resnet.go", "siglip_config.go"} {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || f.Recv != nil || !f.Name.IsExported() || f.Type.Params.NumFields() > 0 || f.Type.Results.NumFields() != 1 {
				continue
			}
			if result, ok := f.Type.Results.List[0].Type.(*ast.Ident); ok && result.Name == "Config" {
				comments[f.Name.Name] = strings.Join(strings.Fields(f.Doc.Text()), " ")
			}
		}
	}
	return comments
}

// parameters returns the number of parameters of a model without making it: one block stands for all blocks that are
// alike, and the vocabulary counts apart.
func parameters(c Config) int {
	one := c
	one.Text.NumHiddenLayers, one.Text.VocabSize = 1, 1
	rest := (c.Text.VocabSize - 1) * c.Text.HiddenSize
	if r := c.Vision.ResNet; r != nil {
		least := *r
		least.Layers = [4]int{1, 1, 1, 1}
		one.Vision.ResNet = &least
		first := nn.Count(New(one, nil))
		for stage, n := range r.Layers {
			two := least
			two.Layers[stage] = 2
			one.Vision.ResNet = &two
			rest += (n - 1) * (nn.Count(New(one, nil)) - first)
		}
		one.Vision.ResNet = &least
	} else {
		one.Vision.NumHiddenLayers = 1
	}
	m := New(one, nil)
	rest += (c.Text.NumHiddenLayers - 1) * nn.Count(m.Text.(*TextTransformer).Blocks)
	switch v := m.Vision.(type) {
	case *VisionTransformer:
		rest += (c.Vision.NumHiddenLayers - 1) * nn.Count(v.Encoder.Blocks)
	case *SigLIP:
		rest += (c.Vision.NumHiddenLayers - 1) * nn.Count(v.Encoder.Blocks)
	case *NaFlex:
		rest += (c.Vision.NumHiddenLayers - 1) * nn.Count(v.Blocks)
	}
	return nn.Count(m) + rest
}
