package detect

import (
	"slices"
	"testing"

	"github.com/fovea-ml/fovea/checkpoint"
)

// TestKinds wants every entry complete: one of both ways of reading files, and a function for each question.
func TestKinds(t *testing.T) {
	types := modelTypes()
	for i, k := range kinds() {
		if k.modelType == "" || slices.Index(types, k.modelType) != i {
			t.Errorf("entry %d: the model_type %q is empty or given twice", i, k.modelType)
		}
		if k.check == nil || k.fits == nil || k.names == nil || k.claim == nil || k.network == nil || k.rows == nil {
			t.Errorf("%s: a function is missing", k.modelType)
		}
		if x := k.transformers; (x == nil) == (k.resize == nil) {
			t.Errorf("%s: expected either resize or transformers", k.modelType)
		} else if x != nil && (x.described == nil || x.fields == nil || x.unmarshal == nil || x.marshal == nil || x.preprocess == nil || x.processor == "") {
			t.Errorf("%s: a part of transformers is missing", k.modelType)
		}
	}
	if k := kindOf("unknown"); k.modelType != "" {
		t.Errorf("found %q for an unknown model_type", k.modelType)
	}
}

// namesOf returns the names of the tensors of a configuration.
func namesOf(c Config) *checkpoint.Names {
	names := kindOf(c.ModelType).names(c)
	return &names
}
