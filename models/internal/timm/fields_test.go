package timm

import (
	"testing"

	"github.com/fovea-ml/fovea/internal/test/modeltest"
)

// TestFields expects every argument of timm's VisionTransformer and every field of its PretrainedCfg in the tables.
func TestFields(t *testing.T) {
	t.Run("VisionTransformer", func(t *testing.T) { modeltest.Fields(t, argFields, "timm", "VisionTransformer") })
	t.Run("PretrainedCfg", func(t *testing.T) { modeltest.Fields(t, pretrainedFields, "timm", "PretrainedCfg") })
}
