package modelfolder

import (
	"bytes"
	"errors"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/fovea-ml/fovea/checkpoint"
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
