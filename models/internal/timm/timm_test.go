package timm

import (
	"cmp"
	"encoding/json"
	"maps"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/fovea-ml/fovea/internal/test/modeltest"
	"github.com/fovea-ml/fovea/models/internal/config"
	"github.com/fovea-ml/fovea/models/internal/tower"
	"github.com/fovea-ml/fovea/vision"
)

// TestArchitectures asks timm what every name of a Vision Transformer that loads stands for.
func TestArchitectures(t *testing.T) {
	var theirs map[string]struct {
		Width, Heads int
		Act          string
		Eps          float64
		Pool         string
		ClassToken   bool `json:"class_token"`
		Norm         bool
		FCNorm       bool `json:"fc_norm"`
		Rope         float64
		Eva          bool
		SplitGate    bool `json:"split_gate"`
		BranchNorm   bool `json:"branch_norm"`
		SplitQKV     bool `json:"split_qkv"`
		PoolHeads    int  `json:"pool_heads"`

		RopeOrder     string  `json:"rope_order"`
		RopeReference int     `json:"rope_reference"`
		RopeOffset    float64 `json:"rope_offset"`
		RopePositions bool    `json:"rope_positions"`
		ImageSize     int     `json:"image_size"`
	}
	if err := json.Unmarshal(modeltest.Python(t, "timm_architectures.py"), &theirs); err != nil {
		t.Fatal(err)
	}
	if len(theirs) < 150 {
		t.Errorf("timm has %d Vision Transformers that load, expected 150 or more", len(theirs))
	}
	acts := map[string]string{"GELU": "gelu", "QuickGELU": "quick_gelu", "GELUTanh": "gelu_pytorch_tanh", "GLU": "gelu"} // weights tell gated layers
	for _, name := range slices.Sorted(maps.Keys(theirs)) {
		want := theirs[name]
		a, err := ArchitectureOf(name)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		heads := a.Heads
		if heads == 0 {
			if heads, err = tower.Heads(want.Width); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		if heads != want.Heads || a.Act != acts[want.Act] || math.Abs(float64(a.Eps)-want.Eps) > 1e-12 {
			t.Errorf("%s: expected %+v, found %d heads and %+v", name, want, heads, a)
		}
		if mean := a.Mean || !want.ClassToken || want.FCNorm; want.Pool != "map" && mean != (want.Pool == "avg") {
			t.Errorf("%s: expected the pooling %s, found the mean: %v", name, want.Pool, mean)
		}
		if a.NoNorm != (!want.Norm && !want.FCNorm) || a.Rope != want.Rope || a.BranchNorm != want.BranchNorm || a.Eva != want.Eva || want.SplitGate && !a.SplitGate {
			t.Errorf("%s: expected %+v, found %+v", name, want, a)
		}
		if want.Pool == "map" && want.PoolHeads != cmp.Or(a.PoolHeads, heads) || a.SplitQKV != want.SplitQKV {
			t.Errorf("%s: expected %+v, found %+v", name, want, a)
		}
		if a.Rope != 0 && (a.RopeOrder != want.RopeOrder || a.RopeReference != want.RopeReference || a.RopeOffset != want.RopeOffset ||
			a.RopePositions != want.RopePositions || a.ImageSize != want.ImageSize) {
			t.Errorf("%s: expected %+v, found %+v", name, want, a)
		}
	}
	t.Logf("%d names", len(theirs))
}

// TestCropPct writes shares of which timm makes the size that images are resized to.
func TestCropPct(t *testing.T) {
	for _, c := range []struct {
		size, resized int
		want          float64
	}{{224, 248, 0.9}, {224, 256, 0.875}, {384, 384, 1}, {224, 249, 0.898}} {
		if got := cropPct(c.size, c.resized); math.Abs(got-c.want) > 2e-3 || int(float64(c.size)/got) != c.resized {
			t.Errorf("%d of %d: found %v, which resizes to %d", c.size, c.resized, got, int(float64(c.size)/got))
		}
	}
	for resized := 20; resized < 1500; resized += 7 {
		if share := cropPct(224, resized); int(224/share) != resized {
			t.Errorf("%d: the share %v resizes to %d", resized, share, int(224/share))
		}
	}
}

// TestRatio gives mlp_ratios of which timm, cutting to a whole number, makes the hidden width.
func TestRatio(t *testing.T) {
	for width := 1; width < 70; width++ {
		for hidden := 1; hidden < 300; hidden += 3 {
			if r := ratio(width, hidden); int(float64(width)*r) != hidden {
				t.Fatalf("width %d, hidden width %d: the ratio %v gives %d", width, hidden, r, int(float64(width)*r))
			}
		}
	}
}

// TestActivations translates every name of timm's to Hugging Face's and back to a name of the same activation.
func TestActivations(t *testing.T) {
	for _, a := range activations {
		act, err := HiddenAct(a[0])
		if err != nil {
			t.Fatal(err)
		}
		back, err := ActLayer(act)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := HiddenAct(back); err != nil || again != act {
			t.Errorf("%s is %s, which is %s, which is %s: %v", a[0], act, back, again, err)
		}
	}
	if _, err := HiddenAct("gelu_new"); err == nil {
		t.Error("a name that timm does not have was accepted")
	}
}

// TestLabels reads names of classes from each of the three places.
func TestLabels(t *testing.T) {
	for config, want := range map[string]string{
		`{"label_names": ["a"], "labels": ["b"], "pretrained_cfg": {"label_names": ["c"]}}`: "a",
		`{"labels": {"0": "b"}, "pretrained_cfg": {"label_names": ["c"]}}`:                  "b",
		`{"pretrained_cfg": {"label_names": ["c"]}, "model_args": null}`:                    "c",
		`{}`: "",
	} {
		c, err := Read([]byte(config))
		if err != nil {
			t.Fatal(err)
		}
		if classes := c.Classes(); classes.ID2Label["0"] != want || c.ModelArgs == nil {
			t.Errorf("%s: found %v", config, classes)
		}
	}
}

// registered reads timm's list of preparations, by name.
func registered(t *testing.T, data []byte) map[string]Pretrained {
	t.Helper()
	var rows [][6]json.RawMessage
	if err := json.Unmarshal(data, &rows); err != nil {
		t.Fatal(err)
	}
	all := map[string]Pretrained{}
	for _, row := range rows {
		var p Pretrained
		var names []string
		for i, v := range []any{&p.Mean, &p.Std, &p.CropPct, &p.Interpolation, &p.CropMode, &names} {
			if err := json.Unmarshal(row[i], v); err != nil {
				t.Fatal(err)
			}
		}
		for _, name := range names {
			all[name] = p
		}
	}
	if len(all) < 250 {
		t.Errorf("found %d names, expected 250 or more", len(all))
	}
	return all
}

// TestPreparations prepares images for every name and tag of timm's list as its pretrained_cfg says.
func TestPreparations(t *testing.T) {
	data, err := os.ReadFile("testdata/preparations.json")
	if err != nil {
		t.Fatal(err)
	}
	theirs := registered(t, data)
	size := config.Size{Height: 224, Width: 320}
	for name, p := range theirs {
		p.InputSize, p.FixedSize = [3]int{3, 224, 320}, true
		cfg, err := json.Marshal(map[string]any{"pretrained_cfg": p})
		if err != nil {
			t.Fatal(err)
		}
		want, err := vision.ParseTimm(cfg, false)
		if err != nil {
			t.Fatal(err)
		}
		if found, ok := Prepare(name, 3, size); !ok || found != want {
			t.Errorf("%s: expected %+v, found %+v", name, want, found)
		}
		if !Known(name) {
			t.Errorf("%s is not known", name)
		}
		if _, err := ArchitectureOf(name); err != nil {
			t.Error(err)
		}
	}
	for _, p := range preparations {
		for name := range strings.FieldsSeq(p.names) {
			if _, ok := theirs[name]; !ok {
				t.Errorf("timm has no %s", name)
			}
		}
	}
	if p, ok := Prepare("vit_tiny_patch16_224.mine", 1, size); !ok || !p.Gray || p.Mean != vision.HalfMean {
		t.Errorf("an unknown tag, one channel: found %+v", p)
	}
	for _, name := range []string{"", "vit", "vit_tiny_patch16_rope_224", "resnet50"} {
		if _, ok := Prepare(name, 3, size); ok || Known(name) {
			t.Errorf("%q is known", name)
		}
	}
}

// TestPreparationsTimm asks timm for its list.
func TestPreparationsTimm(t *testing.T) {
	data, err := os.ReadFile("testdata/preparations.json")
	if err != nil {
		t.Fatal(err)
	}
	if d := gocmp.Diff(registered(t, modeltest.Python(t, "timm_preparations.py", "-print")), registered(t, data)); d != "" {
		t.Error(d)
	}
}
