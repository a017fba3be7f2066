package vit

import (
	"testing"

	"github.com/fovea-ml/fovea/internal/test/modeltest"
)

// TestFields expects every field of transformers' configurations in the tables.
func TestFields(t *testing.T) {
	modeltest.Tables(t, "transformers", modeltest.Table{Fields: configFields, Classes: []string{"ViTConfig", "DeiTConfig"}},
		modeltest.Table{Fields: dinov2Fields, Classes: []string{"Dinov2Config", "Dinov2WithRegistersConfig"}},
		modeltest.Table{Fields: dinov3Fields, Classes: []string{"DINOv3ViTConfig"}},
		modeltest.Table{Fields: beitFields, Classes: []string{"BeitConfig", "Data2VecVisionConfig"}})
}
