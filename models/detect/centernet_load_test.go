package detect

import (
	"bytes"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/fovea-ml/fovea/checkpoint"
)

// entriesOf returns the tensors of a small network of random weights, by name.
func entriesOf(t *testing.T, c Config, classes int) map[string]checkpoint.Entry {
	t.Helper()
	dir := t.TempDir()
	if err := New(c, classes, rand.New(rand.NewPCG(1, 2))).Save(dir, SaveOptions{}); err != nil {
		t.Fatal(err)
	}
	f, err := checkpoint.Open(filepath.Join(dir, "model.safetensors"), checkpoint.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	entries := map[string]checkpoint.Entry{}
	for x := range f.Tensors() {
		values := make([]float32, x.Len())
		if err := x.Floats(values); err != nil {
			t.Fatal(err)
		}
		entries[x.Name] = checkpoint.Entry{Name: x.Name, Shape: x.Shape, Floats: values}
	}
	return entries
}

// loadEntries loads a folder of tensors, and of a configuration when it is not empty.
func loadEntries(t *testing.T, entries map[string]checkpoint.Entry, config string) (*Model, error) {
	t.Helper()
	var all []checkpoint.Entry
	for name, e := range entries {
		e.Name = name
		all = append(all, e)
	}
	var b bytes.Buffer
	if err := checkpoint.Encode(&b, all, checkpoint.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	files := fstest.MapFS{"model.safetensors": {Data: b.Bytes()}}
	if config != "" {
		files["config.json"] = &fstest.MapFile{Data: []byte(config)}
	}
	return Load(files, LoadOptions{})
}

// TestCenterNetRefused expects the name of what is not supported, missing or of another shape.
func TestCenterNetRefused(t *testing.T) {
	tensor := func(shape ...int) checkpoint.Entry {
		n := 1
		for _, d := range shape {
			n *= d
		}
		return checkpoint.Entry{Shape: shape, Floats: make([]float32, n)}
	}
	type entries = map[string]checkpoint.Entry
	put := func(name string, shape ...int) func(entries) {
		return func(e entries) { e[name] = tensor(shape...) }
	}
	drop := func(names ...string) func(entries) {
		return func(e entries) {
			for _, name := range names {
				delete(e, name)
			}
		}
	}
	for _, c := range []struct {
		network string
		change  func(entries)
		want    string
	}{
		{"resdcn18", put("hps.0.weight", 1), "finds poses is not supported"},
		{"resdcn18", put("dep.0.weight", 1), "boxes in space is not supported"},
		{"dla", put("module.kps.0.conv.weight", 1), "hourglass is not supported"},
		{"dla", put("hm_t.0.weight", 1), "ExtremeNet is not supported"},
		{"res18", put("hm.weight", 3, 4, 1, 1), "heads of one convolution (head_conv 0) is not supported"},
		{"res18", drop("reg.2.weight"), "without offsets (not_reg_offset) is not supported"},
		{"res18", put("wh.2.weight", 6, 8, 1, 1), "sizes for each class (cat_spec_wh) is not supported"},
		{"res18", drop("hm.0.weight"), "expected the tensor hm.0.weight, found none"},
		{"res18", put("hm.0.weight", 4), "hm.0.weight: expected the shape [out in height width], found [4]"},
		{"res18", put("hm.2.weight", 3, 5, 1, 1), "hm.2.weight: expected a shape"},
		{"res18", put("hm.2.weight", 0, 8, 1, 1), "hm.2.weight: expected a shape"},
		{"res18", drop("deconv_layers.3.weight"), "expected the tensor deconv_layers.3.weight, found none"},
		{"resdcn18", put("deconv_layers.15.weight", 4), "deconv_layers.15.weight: expected the shape [out in height width], found [4]"},
		{"resdcn18", drop("deconv_layers.6.conv_offset_mask.weight"), "deconv_layers.6.conv_offset_mask.weight"},
		{"resdcn18", put("deconv_layers.0.conv_offset_mask.weight", 18, 16, 3, 3), "deconv_layers.0.conv_offset_mask.weight"},
		{"dla", drop("ida_up.proj_1.conv.conv_offset_mask.weight"), "without deformable convolutions (dlav0) is not supported"},
		{"dla", drop("base.level2.root.conv.weight"), "expected a CenterNet on a ResNet or DLA-34: backbone"},
		{"dla", drop("dla_up.ida_2.up_3.weight"), "dla_up.ida_2.up_3.weight"},
		{"dla", put("dla_up.ida_3.up_1.weight", 1), "dla_up.ida_3.up_1.weight"},
	} {
		e := entriesOf(t, tinyCenterNets()[c.network], 3)
		c.change(e)
		if _, err := loadEntries(t, e, ""); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: expected %q, found %v", c.network, c.want, err)
		}
	}
}

// TestCenterNetConfigRefused expects the field whose value no network can have, or that claims more than the weights hold.
func TestCenterNetConfigRefused(t *testing.T) {
	const dla = `"backbone_config": {"model_type": "dla", "num_channels": 3, "embedding_size": 8, "hidden_sizes": [8, 8, 8, 8, 16, 16],
		"depths": [1, 1, 1, 2, 2, 1], "hidden_act": "relu"}`
	const resnet = `"backbone_config": {"model_type": "resnet", "num_channels": 3, "embedding_size": 8, "hidden_sizes": [8, 8, 16, 16],
		"depths": [1, 1, 1, 1], "layer_type": "basic", "hidden_act": "relu"}`
	e := entriesOf(t, tinyCenterNets()["dla"], 3)
	if _, err := loadEntries(t, e, `{"model_type": "centernet", "image_size": 64, "head_size": 8, `+dla+`}`); err != nil {
		t.Error(err)
	}
	for config, want := range map[string]string{
		`"image_size": 65, "head_size": 8, ` + dla:                                        "image_size: expected a multiple of 32",
		`"image_size": 4096, "head_size": 8, ` + dla:                                      "image_size: expected a multiple of 32 up to 2048",
		`"image_size": 64, "head_size": 0, ` + dla:                                        "head_size",
		`"image_size": 64, "head_size": 8, "up_sizes": [8, 8, 8], ` + dla:                 "up_sizes",
		`"image_size": 64, "head_size": 8, "deformable": true, ` + dla:                    "deformable",
		`"image_size": 64, "head_size": 8, "grid_size": 2, ` + dla:                        "grid_size",
		`"image_size": 64, "head_size": 8`:                                                "backbone_config: expected a ResNet or DLA, found none",
		`"image_size": 64, "head_size": 8, ` + resnet:                                     "up_sizes: expected 3 numbers, found 0",
		`"image_size": 64, "head_size": 8, "up_sizes": [8, 0, 8], ` + resnet:              "up_sizes: expected 1 to",
		`"image_size": 64, "head_size": 8, "up_sizes": [1000000, 1000000, 8], ` + resnet:  "the configuration describes a model of at least",
		`"image_size": 64, "head_size": 8, ` + strings.Replace(dla, `: 3,`, `: 4,`, 1):    "num_channels: expected 3, found 4",
		`"image_size": 64, "head_size": 8, ` + strings.Replace(dla, `"dla"`, `"none"`, 1): "backbone_config: model_type",
	} {
		if _, err := loadEntries(t, e, `{"model_type": "centernet", `+config+`}`); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: expected %q, found %v", config, want, err)
		}
	}
}

// TestYOLORefused expects the field or tensor that is wrong.
func TestYOLORefused(t *testing.T) {
	const body = `"backbone_config": {"model_type": "resnet", "num_channels": 3, "embedding_size": 8, "hidden_sizes": [8, 8, 16, 16],
		"depths": [1, 1, 1, 1], "layer_type": "basic", "hidden_act": "relu"}`
	e := entriesOf(t, tinyYOLO(), 3)
	const good = `"image_size": 128, "grid_size": 2, "boxes_per_cell": 2, "head_channels": 8, "head_size": 16, `
	if _, err := loadEntries(t, e, `{"model_type": "yolov1", `+good+body+`}`); err != nil {
		t.Error(err)
	}
	for _, c := range [][3]string{
		{`"image_size": 128`, `"image_size": 120`, "image_size: expected 32 or 64 times grid_size"},
		{`"image_size": 128`, `"image_size": 0`, "image_size: expected 32 or 64 times grid_size"},
		{`"grid_size": 2`, `"grid_size": 1000`, "image_size: expected 32 or 64 times grid_size"},
		{`"grid_size": 2`, `"grid_size": -2`, "image_size: expected 32 or 64 times grid_size"},
		{`"boxes_per_cell": 2`, `"boxes_per_cell": 65`, "boxes_per_cell: expected 1 to 64"},
		{`"boxes_per_cell": 2`, `"boxes_per_cell": 9`, "predict.weight: expected a shape [n 16], n a multiple of 4 and at least 184, found [52 16]"},
		{`"boxes_per_cell": 2`, `"boxes_per_cell": 0`, "boxes_per_cell: expected 1 to 64"},
		{`"head_channels": 8`, `"head_channels": 0`, "head_channels"},
		{`"head_channels": 8`, `"head_channels": 1048576`, "the configuration describes a model of at least"},
		{`"head_size": 16`, `"head_size": 17`, "predict.weight: expected a shape [n 17], n a multiple of 4 and at least 44, found [52 16]"},
		{`"head_size": 16`, `"head_size": 0, "darknet_layout": true`, "darknet_layout: expected a head_size"},
		{`"head_size": 16`, `"head_size": 0`, "no classifier of a yolov1"},
		{`"head_size": 16`, `"head_size": 16, "min_size": 3`, "min_size"},
		{`"num_channels": 3`, `"num_channels": 1`, "backbone_config: num_channels: expected 3, found 1"},
		{`"model_type": "resnet"`, `"model_type": "vit"`, "backbone_config: model_type"},
	} {
		config := strings.Replace(`{"model_type": "yolov1", `+good+body+`}`, c[0], c[1], 1)
		if _, err := loadEntries(t, e, config); err == nil || !strings.Contains(err.Error(), c[2]) {
			t.Errorf("%s: expected %q, found %v", c[1], c[2], err)
		}
	}
}
