package vit

import (
	"testing"

	"github.com/fovea-ml/fovea/internal/test/modeltest"
)

// TestFields expects every field of transformers' ViTConfig in the table.
func TestFields(t *testing.T) { modeltest.Fields(t, configFields, "transformers", "ViTConfig") }
