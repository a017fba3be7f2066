// Package modeltest holds the checks that the tests of all models share:
//
//	modeltest.Gradients(t, g, names, model, grads)           // compare gradients with a golden
//	modeltest.Library(t, "vit", modeltest.Saved{Folder: dir, Outputs: outputs}) // load a saved model in Python
//	dir := modeltest.Forms(t, "timm_class", "hf_shards")     // models in other file formats
//
// See testdata/gen for the Python scripts.
package modeltest

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/checkpoint"
	"github.com/fovea-ml/fovea/internal/test/golden"
	"github.com/fovea-ml/fovea/nn"
)

// prefix starts the names of gradients in a golden. The rest is the parameter's name on disk.
const prefix = "grad/"

// Gradients compares the gradient of every parameter of a model with the golden's tensors "grad/NAME". The model's table
// of names maps NAME to the parameter. A frozen parameter must not have a gradient.
func Gradients(t testing.TB, g *golden.File, names *checkpoint.Names, model any, grads *autograd.Gradients) {
	t.Helper()
	reference := map[string]*autograd.Parameter{}
	for path, p := range nn.Parameters(model) {
		reference[path] = autograd.NewParameter(p.Shape()...)
	}
	table := *names
	table.Prefixes = append([]string{prefix}, table.Prefixes...)
	table.Ignore = slices.Clone(names.Ignore)
	for _, name := range g.Names() {
		if !strings.HasPrefix(name, prefix) {
			table.Ignore = append(table.Ignore, name)
		}
	}
	inOrder := func(yield func(string, *autograd.Parameter) bool) {
		for path := range nn.Parameters(model) {
			if !yield(path, reference[path]) {
				return
			}
		}
	}
	if _, err := checkpoint.Load(g.Checkpoint(), &table, inOrder, checkpoint.LoadOptions{}); err != nil {
		t.Fatal(err)
	}
	all := 0.0
	for _, p := range reference {
		for _, v := range p.Values() {
			all += float64(v) * float64(v)
		}
	}
	for path, p := range nn.Parameters(model) {
		got := grads.Of(p)
		switch {
		case p.Frozen && got != nil:
			t.Errorf("%s is frozen but has a gradient", path)
		case !p.Frozen && got == nil:
			t.Errorf("%s has no gradient", path)
		case !p.Frozen:
			golden.Gradient(t, path, got, reference[path].Values(), math.Sqrt(all))
		}
	}
}
