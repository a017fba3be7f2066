package modeltest

import (
	"slices"
	"testing"

	"github.com/fovea-ml/fovea/checkpoint"
	"github.com/fovea-ml/fovea/nn"
)

// Names checks a table of names against models that together have every part a rule is about: each parameter and buffer
// has a rule, and each rule matches at least one. So a misspelled path fails here, and not in the file of a user.
func Names(t *testing.T, names *checkpoint.Names, models ...any) {
	t.Helper()
	used := make([]bool, len(names.Rules))
	for _, m := range models {
		for path := range nn.Values(m) {
			named := false
			for i, rule := range names.Rules {
				one := checkpoint.Names{Rules: []checkpoint.Rule{rule}}
				if !slices.EqualFunc(one.Tensors(path), [][]string{{path}}, slices.Equal[[]string]) {
					used[i], named = true, true
				}
			}
			if !named {
				t.Errorf("%s has no rule in the table of names", path)
			}
		}
	}
	for i, rule := range names.Rules {
		if !used[i] {
			t.Errorf("the rule %q is about no parameter", []string(rule))
		}
	}
}
