package clip

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fovea-ml/fovea/nn/quant"
)

// TestQuantizedHead expects a format that transformers refuses for integers of SigLIP's attention pooling: there they are a
// parameter of torch.nn.MultiheadAttention, whose scales nobody would read.
func TestQuantizedHead(t *testing.T) {
	for format, rule := range map[string]quant.Rule{`"format": "int-quantized-conv"`: quant.All, `"quant_method": "compressed-tensors"`: quant.Blocks} {
		m, _ := load(t, "siglip")
		if _, err := quant.Quantize(m, rule); err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		if err := m.Save(dir, SaveOptions{}); err != nil {
			t.Fatal(err)
		}
		config, err := os.ReadFile(filepath.Join(dir, "config.json"))
		if err != nil || !strings.Contains(string(config), format) {
			t.Errorf("config.json: %v, expected %s in %s", err, format, config)
		}
		if _, err := Open(dir, LoadOptions{}); err != nil {
			t.Error(err)
		}
	}
}
