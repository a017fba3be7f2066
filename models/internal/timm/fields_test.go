package timm

import (
	"testing"

	"github.com/fovea-ml/fovea/internal/test/modeltest"
)

// TestFields expects every field that timm writes to a config.json, every argument of its VisionTransformer and every field of its
// PretrainedCfg in the tables.
func TestFields(t *testing.T) {
	t.Run("config.json", func(t *testing.T) { modeltest.Fields(t, configFields, "timm", "config.json") })
	t.Run("VisionTransformer", func(t *testing.T) { modeltest.Fields(t, argFields, "timm", "VisionTransformer") })
	t.Run("PretrainedCfg", func(t *testing.T) { modeltest.Fields(t, pretrainedFields, "timm", "PretrainedCfg") })
}
