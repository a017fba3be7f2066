package modelfolder

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/checkpoint"
	"github.com/fovea-ml/fovea/nn"
	"github.com/fovea-ml/fovea/vision"
)

func weights(t *testing.T, name string) *fstest.MapFile {
	t.Helper()
	var b bytes.Buffer
	if err := checkpoint.Encode(&b, []checkpoint.Entry{{Name: name, Shape: []int{2}, Floats: []float32{1, 2}}}, checkpoint.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	return &fstest.MapFile{Data: b.Bytes()}
}

// TestOpen chooses the file of weights of a folder.
func TestOpen(t *testing.T) {
	usual, release, other := weights(t, "usual"), weights(t, "release"), weights(t, "other")
	for _, c := range []struct {
		fsys fstest.MapFS
		name string
		want string // the tensor that the file holds, or what the error says
	}{
		{fstest.MapFS{"model.safetensors": usual, "release.safetensors": release}, "", "usual"},
		{fstest.MapFS{"release.safetensors": release, "notes.txt": usual}, "", "release"},
		{fstest.MapFS{"release.safetensors": release, "other.safetensors": other}, "", "other.safetensors, release.safetensors"},
		{fstest.MapFS{"release.safetensors": release, "other.safetensors": other}, "other.safetensors", "other"},
		{fstest.MapFS{"model.safetensors": usual}, "gone.safetensors", "gone.safetensors"},
		{fstest.MapFS{"notes.txt": usual}, "", "model.safetensors"},
		{fstest.MapFS{"model.safetensors.index.json": {Data: []byte(`{"weight_map": {"a": "b.safetensors"}}`)}, "release.safetensors": release}, "", "b.safetensors"},
	} {
		f, err := Open(c.fsys, c.name, false)
		if err != nil {
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("expected %q, found %v", c.want, err)
			}
			continue
		}
		if _, ok := f.Tensor(c.want); !ok {
			t.Errorf("expected the file with %q, found %s", c.want, f.Name())
		}
	}
	if _, err := Open(fstest.MapFS{}, "", false); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an empty folder: %v", err)
	}
}

// TestFormOf tells whose a folder is.
func TestFormOf(t *testing.T) {
	for config, want := range map[string]Form{
		`{"model_type": "vit"}`:     HuggingFace,
		`{}`:                        HuggingFace,
		`{"architecture": "vit_x"}`: Timm,
		`{"architecture": "x", "model_type": "timm_wrapper"}`: Timm,
		`{"architecture": "x", "model_type": "bert"}`:         HuggingFace,
	} {
		if form, data, err := FormOf(fstest.MapFS{ConfigName: {Data: []byte(config)}}); err != nil || form != want || string(data) != config {
			t.Errorf("%s: found %v, %v", config, form, err)
		}
	}
	if form, _, err := FormOf(fstest.MapFS{}); err != nil || form != Bare {
		t.Errorf("an empty folder: %v, %v", form, err)
	}
	if _, _, err := FormOf(fstest.MapFS{ConfigName: {Data: []byte(`[`)}}); err == nil || !strings.Contains(err.Error(), ConfigName) {
		t.Errorf("broken: %v", err)
	}
}

// TestRescale keeps the proportions of a preprocessing.
func TestRescale(t *testing.T) {
	p := vision.ImageNet(224)
	Rescale(&p, 384, 224)
	if p.CropWidth != 384 || p.CropHeight != 384 || p.Width != 439 {
		t.Errorf("found %+v", p)
	}
}

// TestReadPreprocess refuses pictures so large that one would take a model hours.
func TestReadPreprocess(t *testing.T) {
	for config, ok := range map[string]bool{
		`{"size": {"height": 64, "width": 64}}`:                                                      true,
		`{"size": {"height": 65, "width": 8}}`:                                                       false,
		`{"size": {"height": 4096, "width": 4096}}`:                                                  false,
		`{"size": {"shortest_edge": 65}}`:                                                            false,
		`{"size": {"shortest_edge": 512}, "do_center_crop": true, "crop_size": 16}`:                  true,
		`{"size": {"shortest_edge": 512}, "do_center_crop": true, "crop_size": 500}`:                 false,
		`{"do_resize": false, "size": {"height": 512, "width": 512}}`:                                true,
		`{"do_resize": false, "do_center_crop": true, "crop_size": {"height": 1024, "width": 1024}}`: false,
	} {
		before := vision.Half(16)
		p := before
		err := ReadPreprocess(fstest.MapFS{vision.PreprocessorName: {Data: []byte(config)}}, &p, 16)
		if (err == nil) != ok || err != nil && (p != before || !strings.Contains(err.Error(), "at most 64×64")) {
			t.Errorf("%s: %v", config, err)
		}
	}
}

// sizes is a configuration of little.
type sizes struct {
	Nested
	Labels map[string]string `json:"labels"`
}

// Nested has fields that appear beside those around it.
type Nested struct {
	Size  int     `json:"size"`
	Share float32 `json:"share"`
}

func (sizes) Validate() error { return nil }

// TestConfigErrors says in words what a field should be.
func TestConfigErrors(t *testing.T) {
	for config, want := range map[string]string{
		`{"size": [16, 16]}`:      "c.json: size: expected a whole number, found array",
		`{"size": 1e30}`:          "c.json: size: expected a whole number, found number 1e30",
		`{"share": "x"}`:          "c.json: share: expected a number, found string",
		`{"labels": {"0": 3}}`:    "c.json: labels: expected text, found number",
		`{"labels": []}`:          "c.json: labels: expected an object, found array",
		`{"model_type": 7}`:       "c.json: model_type: expected text, found number",
		`[]`:                      "c.json: expected an object, found array",
		`{"model_type": "other"}`: `c.json: model_type: expected "small", found "other"`,
		`{"size": NaN}`:           "c.json: invalid character 'N' looking for beginning of value",
	} {
		err := ReadConfig(fstest.MapFS{"c.json": {Data: []byte(config)}}, "c.json", "small", new(sizes))
		if err == nil || err.Error() != want {
			t.Errorf("%s: expected %q, found %v", config, want, err)
		}
	}
}

// TestSaveAdapter expects a model with an adapter that is not merged to be refused before anything is written.
func TestSaveAdapter(t *testing.T) {
	m := struct{ Head *nn.Linear }{nn.NewLinear(4, 2, true)}
	m.Head.Adapter = []*nn.LowRank{{A: autograd.NewParameter(1, 4), B: autograd.NewParameter(2, 1), Alpha: 1}}
	dir := filepath.Join(t.TempDir(), "model")
	c := Contents{Config: struct{}{}, Preprocess: vision.Half(8), Names: &checkpoint.Names{}, Model: m}
	if err := Save(dir, c); err == nil || !strings.Contains(err.Error(), "Head has an adapter that is not merged") {
		t.Errorf("an adapter beside the weight: %v", err)
	}
	if _, err := os.Stat(dir); err == nil {
		t.Error("something was written")
	}
	m.Head.Merge()
	if err := Save(dir, c); err != nil {
		t.Fatal(err)
	}
	f, err := Open(os.DirFS(dir), "", true)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"Head.Bias", "Head.Weight"}, slices.Collect(f.Names())); d != "" {
		t.Error(d)
	}
}
