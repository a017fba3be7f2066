package mae

import (
	"testing"

	"github.com/fovea-ml/fovea/internal/test/modeltest"
)

// TestFields expects every field of transformers' ViTMAEConfig in the table.
func TestFields(t *testing.T) { modeltest.Fields(t, configFields, "transformers", "ViTMAEConfig") }
