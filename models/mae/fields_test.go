package mae

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/fovea-ml/fovea/internal/test/modeltest"
)

// TestFields expects every field of transformers' ViTMAEConfig in the table.
func TestFields(t *testing.T) { modeltest.Fields(t, configFields, "transformers", "ViTMAEConfig") }

// TestConfigRules reads config.json by the rules of transformers. Its ViTMAE takes square images alone.
func TestConfigRules(t *testing.T) {
	data, err := os.ReadFile("testdata/tiny/config.json")
	if err != nil {
		t.Fatal(err)
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(data, &fields); err != nil {
		t.Fatal(err)
	}
	size := string(fields["image_size"])
	for _, c := range []struct{ name, value, want string }{
		{"image_size", "[" + size + ", " + size + "]", ""},
		{"image_size", "[" + size + ", 48]", "image_size: expected square images"},
		{"image_size", "null", "image_size: expected a whole number, or a list of height and width, found null"},
		{"patch_size", "[4, 2]", "patch_size: expected square patches, found 4×2"},
		{"norm_pix_loss", "null", "norm_pix_loss: expected true or false, found null"},
		{"mask_ratio", `"0.75"`, "mask_ratio: expected a number, found string"},
		{"problem_type", `"regression"`, ""},
		{"per_layer_config", `{"0": {"hidden_act": "relu"}}`, "per_layer_config: layers that differ are not supported"},
	} {
		old, had := fields[c.name]
		fields[c.name] = json.RawMessage(c.value)
		text, err := json.Marshal(fields)
		if err != nil {
			t.Fatal(err)
		}
		_, err = ReadConfig(fstest.MapFS{"config.json": {Data: text}}, "config.json")
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %s: expected %q, found %v", c.name, c.value, c.want, err)
		}
		if fields[c.name] = old; !had {
			delete(fields, c.name)
		}
	}
}
