package vit

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fovea-ml/fovea/internal/test/modeltest"
	"github.com/fovea-ml/fovea/models"
	"github.com/fovea-ml/fovea/nn"
	"github.com/fovea-ml/fovea/train"
)

// undecayed returns timm's names of the parameters that NoDecay selects.
func undecayed(m *Model) []string {
	found := map[string]bool{}
	for path := range nn.Parameters(m) {
		if m.NoDecay(path) {
			found[names.Writing(models.Timm.String()).Tensors(path)[0][0]] = true
		}
	}
	return slices.Sorted(maps.Keys(found))
}

// TestNoDecay leaves weight decay away where it is not wanted.
func TestNoDecay(t *testing.T) {
	m, _ := load(t, "tiny")
	if d := cmp.Diff([]string{"cls_token", "pos_embed"}, undecayed(m)); d != "" {
		t.Error(d)
	}
	for _, g := range train.Groups(nn.Parameters(m), train.GroupOptions{WeightDecay: 0.1, NoDecay: m.NoDecay}) {
		for _, p := range g.Params {
			matrix := strings.HasSuffix(p.Path, ".Weight") && !strings.Contains(p.Path, "Norm")
			if (g.WeightDecay != 0) != matrix {
				t.Errorf("%s has the weight decay %v", p.Path, g.WeightDecay)
			}
		}
	}
}

// TestNoDecayTimm compares a model with every token with timm's list.
func TestNoDecayTimm(t *testing.T) {
	var theirs []string
	if err := json.Unmarshal(modeltest.Python(t, "fields.py", "timm", "no_weight_decay"), &theirs); err != nil {
		t.Fatal(err)
	}
	c := variants()[0]
	c.Pooling, c.DistillationToken, c.NumRegisterTokens = "", true, 2
	if d := cmp.Diff(theirs, undecayed(New(c, 2, nil))); d != "" {
		t.Error(d)
	}
}
