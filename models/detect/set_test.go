package detect

import (
	"context"
	"encoding/json"
	"errors"
	"image"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/simd"
	"github.com/fovea-ml/fovea/vision"
	"github.com/fovea-ml/fovea/vision/boxes"
)

// sets are small detectors that predict a set, with initial weights and images of few pixels.
func sets() map[string]*Model {
	dc5, auxiliary := tinyDETR(), tinyDETR()
	dc5.DETR.TimmNames, dc5.DETR.Backbone = true, DETRResNet50().DETR.Backbone
	dc5.DETR.Backbone.Depths = []int{2, 2, 2, 2} // timm's resnet26
	dc5.DETR.Backbone.Dilated = true
	auxiliary.DETR.AuxiliaryLoss = true
	auxiliary.DETR.EOSCoefficient = 1
	plain := tinyYOLOS()
	plain.YOLOS.UseMidPositionEmbeddings = false
	plain.YOLOS.SetSize(40, 70)
	all := map[string]*Model{}
	for name, c := range map[string]Config{"detr": tinyDETR(), "dc5": dc5, "auxiliary": auxiliary, "yolos": tinyYOLOS(), "yolos plain": plain} {
		m := New(c, 3, rand.New(rand.NewPCG(1, 2)))
		p := m.Network.(setNetwork).preparing()
		p.Width, p.MaxLong = 48, 96
		m.Options.MinScore = new(float32(0))
		all[name] = m
	}
	return all
}

// TestSetRoundTrip saves and loads models, with the same detections, configuration and preprocessing, and with the bits of any
// number of threads.
func TestSetRoundTrip(t *testing.T) {
	for name, m := range sets() {
		if name == "dc5" && testing.Short() {
			continue
		}
		m.Workers = nil
		images := []image.Image{noise(1, 40, 50, 3), noise(2, 61, 33, 3)}
		want, err := m.Detect(context.Background(), images...)
		if err != nil || len(want[0]) < 5 {
			t.Fatalf("%s: found %d detections, %v", name, len(want[0]), err)
		}
		dir := t.TempDir()
		if err := m.Save(dir, SaveOptions{}); err != nil {
			t.Fatal(err)
		}
		again, err := Open(dir, LoadOptions{})
		if err != nil {
			t.Fatal(name, err)
		}
		again.Options, again.Workers = m.Options, simd.NewWorkers(3)
		got, err := again.Detect(context.Background(), images...)
		if err != nil || cmp.Diff(want, got) != "" {
			t.Errorf("%s: %v, %s", name, err, cmp.Diff(want, got))
		}
		if a, b := marshaled(t, m.Config), marshaled(t, again.Config); a == b || again.PreprocessAssumed || again.LabelsAssumed { // names of classes were added
			t.Errorf("%s: found %s, expected %s", name, b, a)
		}
		m.Config.NameAll(3)
		if d := cmp.Diff(marshaled(t, m.Config), marshaled(t, again.Config)); d != "" {
			t.Errorf("%s: %s", name, d)
		}
		if d := cmp.Diff(m.Network.(setNetwork).preparing(), again.Network.(setNetwork).preparing()); d != "" {
			t.Errorf("%s: %s", name, d)
		}
		half, err := Open(dir, LoadOptions{ImageSize: 24})
		if p := half.Network.(setNetwork).preparing(); err != nil || p.Width != 24 || p.MaxLong != 48 {
			t.Errorf("%s: images of 24 pixels are %+v, %v", name, p, err)
		}
		if err := os.Remove(filepath.Join(dir, vision.PreprocessorName)); err != nil {
			t.Fatal(err)
		}
		if m, err := Open(dir, LoadOptions{}); err != nil || !m.PreprocessAssumed || m.Network.(setNetwork).preparing().Width != 800 {
			t.Errorf("%s: without a preprocessing: %v", name, err)
		}
	}
}

func marshaled(t *testing.T, c Config) string {
	t.Helper()
	data, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// TestSetLearns trains on one image, also of more objects than queries, and expects the loss to fall.
func TestSetLearns(t *testing.T) {
	for name, m := range sets() {
		if name == "dc5" || testing.Short() && name != "detr" {
			continue
		}
		if d, ok := m.Network.(*DETR); ok {
			d.Auxiliary = true
		}
		objects := []boxes.Object{{Label: 1, Box: boxes.Box{X0: 3, Y0: 5, X1: 30, Y1: 39}}, {Label: 2, Box: boxes.Box{X0: 20, Y0: 8, X1: 48, Y1: 30}}}
		for range 12 {
			objects = append(objects, objects[0])
		}
		one, err := m.Prepare(noise(1, 40, 50, 3), objects, 32)
		if err != nil || min(one.Height, one.Width) != 32 {
			t.Fatalf("%s: %d×%d, %v", name, one.Width, one.Height, err)
		}
		samples := m.Samples(Samples{}, []Prepared{one, one})
		var losses []float32
		for range 12 {
			tape, grads := autograd.NewTape(autograd.Options{Gradients: true, Training: true, Debug: true}), autograd.NewGradients()
			parts, err := m.Losses(samples.Batch(tape), nil)
			if err != nil || len(parts) != 3 {
				t.Fatalf("%s: found %d parts, %v", name, len(parts), err)
			}
			sum := parts.Sum()
			losses = append(losses, sum.Float())
			sum.Backward(grads)
			for p, g := range grads.All() {
				p.Update(func(w []float32) {
					for i, v := range g {
						w[i] -= min(max(2e-3*v, -1e-2), 1e-2)
					}
				})
			}
		}
		if first, last := losses[0], losses[len(losses)-1]; !(last < 0.99*first) {
			t.Errorf("%s: the loss went from %v to %v", name, first, last)
		}
	}
}

// TestSetHostile expects one clear error for configurations that are wrong, and for images that leave no pixels.
func TestSetHostile(t *testing.T) {
	detr, yolos := marshaled(t, tinyDETR()), marshaled(t, tinyYOLOS())
	c := tinyDETR()
	c.DETR.TimmNames, c.DETR.Backbone = true, DETRResNet50().DETR.Backbone
	timm := marshaled(t, c)
	all, dirs := sets(), map[bool]string{}
	for yolos, name := range map[bool]string{false: "detr", true: "yolos"} {
		dirs[yolos] = t.TempDir()
		if err := all[name].Save(dirs[yolos], SaveOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	named := strings.Replace(timm, `"use_timm_backbone":true`, `"use_timm_backbone":false`, 1)
	for _, c := range []struct{ file, old, with, want string }{
		{detr, `"d_model":16`, `"d_model":6`, "encoder_attention_heads: expected a divisor of d_model 6"},
		{detr, `"d_model":16`, `"d_model":1048576`, "the configuration describes a model of at least"},
		{detr, `"d_model":16`, `"d_model":-4`, "d_model: expected 1 to"},
		{detr, `"d_model":16`, `"d_model":"16"`, "d_model: "},
		{detr, `"d_model":16`, `"d_model":16,"hidden_size":8`, "hidden_size: expected 16 as in d_model, found 8"},
		{detr, `"encoder_layers":2`, `"encoder_layers":2,"num_hidden_layers":3`, "num_hidden_layers: expected 2 as in encoder_layers"},
		{detr, `"encoder_layers":2`, `"encoder_layers":1000000`, "the configuration describes a model of at least"},
		{detr, `"num_queries":7`, `"num_queries":100000`, "num_queries: expected 1 to"},
		{detr, `"num_queries":7`, `"num_queries":7,"position_embedding_type":"learned"`, "position_embedding_type"},
		{detr, `"num_queries":7`, `"num_queries":7,"scale_embedding":true`, "scale_embedding"},
		{detr, `"dropout":0.1`, `"dropout":1.5`, "dropout: expected at least 0 and below 1"},
		{detr, `"activation_function":"relu"`, `"activation_function":"step"`, "activation_function: "},
		{detr, `"class_cost":1,"bbox_cost":5,"giou_cost":2`, `"class_cost":0,"bbox_cost":0,"giou_cost":0`, "class_cost: expected a cost that is not 0"},
		{detr, `"dilation":false`, `"dilation":true`, "dilation: expected false beside a backbone of transformers"},
		{detr, `"out_features":["stage4"]`, `"out_features":["stage4","stage3"]`, "backbone_config: out_features: expected"},
		{detr, `"out_features":["stage4"]`, `"out_indices":[4,2]`, "backbone_config: out_indices: expected"},
		{detr, `"model_type":"resnet"`, `"model_type":"swin"`, `backbone_config: model_type: expected "resnet", found "swin"`},
		{detr, `"num_channels":3`, `"num_channels":1`, "num_channels: expected 3, found 1"},
		{detr, `"model_type":"detr"`, `"model_type":"conditional_detr"`, `"conditional_detr" of DETR is not supported`},
		{detr, `"model_type":"detr"`, `"model_type":"deformable_detr"`, `"deformable_detr" of DETR is not supported`},
		{detr, `DetrForObjectDetection`, `DetrForSegmentation`, "panoptic segmentation"},
		{timm, `"backbone":"resnet50"`, `"backbone":"tf_efficientnet_b0"`, `backbone: the network "tf_efficientnet_b0" is not supported`},
		{timm, `"backbone":"resnet50"`, `"backbone":"resnet50","backbone_kwargs":{"output_stride":8}`, "output_stride: expected 16 or 32, found 8"},
		{timm, `"backbone":"resnet50"`, `"backbone":"resnet50","backbone_kwargs":{"in_chans":4}`, "backbone_kwargs: num_channels: expected 3, found 4"},
		{timm, `"backbone":"resnet50"`, `"backbone":"resnet50","backbone_kwargs":{"out_indices":[1,2]}`, "backbone_kwargs: out_indices: expected the last stage"},
		{timm, `"backbone_config":null`, `"backbone_config":{"model_type":"timm_backbone","features_only":false}`, "features_only"},
		{named, `"backbone":"resnet50"`, `"backbone":"microsoft/resnet-18"`, `use_timm_backbone false, found the name "microsoft/resnet-18" alone`},
		{yolos, `"image_size":[48,96]`, `"image_size":[48,95]`, "image_size: expected multiples of the patch size 16 with use_mid_position_embeddings, found 48×95"},
		{yolos, `"image_size":[48,96]`, `"image_size":[8,96]`, "image_size: expected at least the patch size 16"},
		{yolos, `"image_size":[48,96]`, `"image_size":[1048576,1048576]`, "the configuration describes a model of at least"},
		{yolos, `"patch_size":16`, `"patch_size":0`, "patch_size: expected 1 to"},
		{yolos, `"num_detection_tokens":9`, `"num_detection_tokens":0`, "num_detection_tokens: expected 1 to"},
		{yolos, `"num_detection_tokens":9`, `"num_detection_tokens":9,"auxiliary_loss":true`, "auxiliary_loss"},
		{yolos, `"num_channels":3`, `"num_channels":1`, "num_channels: expected 3, found 1"},
	} {
		dir := dirs[strings.Contains(c.file, yolosType)]
		changed := strings.Replace(c.file, c.old, c.with, 1)
		if changed == c.file {
			t.Fatalf("%s has no %s", c.file, c.old)
		}
		if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte(changed), 0o666); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(dir, LoadOptions{}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: expected %q, found %v", c.with, c.want, err)
		}
	}
	for name, m := range all {
		if name == "dc5" {
			continue
		}
		_, err := m.Detect(context.Background(), noise(1, 40, 50, 3), noise(1, 1, 2000, 3))
		if one := (*vision.BatchError)(nil); !errors.As(err, &one) || one.Index != 1 || !errors.Is(err, vision.ErrSize) {
			t.Errorf("%s: found %v", name, err)
		}
	}
}

// TestSetWeights refuses weights of panoptic segmentation, and those without a classifier.
func TestSetWeights(t *testing.T) {
	dir := t.TempDir()
	if err := sets()["detr"].Save(dir, SaveOptions{}); err != nil {
		t.Fatal(err)
	}
	fsys := fstest.MapFS{}
	for _, name := range []string{"config.json", "model.safetensors"} {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		fsys[name] = &fstest.MapFile{Data: data}
	}
	weights := string(fsys["model.safetensors"].Data)
	for old, c := range map[string][2]string{ // names of the same length
		"class_labels_classifier.bias":   {"mask_head.padding_layer.bias", "panoptic segmentation"},
		"class_labels_classifier.weight": {"other_labels_classifier.weight", "no classifier of a detr"},
		"model.decoder.layernorm.bias":   {"other.decoder.layernorm.bias", "model.decoder.layernorm.bias"},
	} {
		fsys["model.safetensors"].Data = []byte(strings.Replace(weights, old, c[0], 1))
		if _, err := Load(fsys, LoadOptions{}); err == nil || !strings.Contains(err.Error(), c[1]) {
			t.Errorf("%s: found %v", c[0], err)
		}
	}
}

// TestSinePositions compares the positions of a place with the formula, and expects places beyond an image to have those that
// transformers gives them.
func TestSinePositions(t *testing.T) {
	mask := placesOf([][2]int{{10, 7}, {4, 9}}, 2, 10, 9, 5, 5)
	count := 0
	for _, in := range mask {
		if in {
			count++
		}
	}
	if count != 5*4+2*5 { // the nearest pixel of column 3 is 5, of 4 is 7, beyond a width of 7
		t.Errorf("%d places lie in the images", count)
	}
	const width = 8
	positions := sinePositions(mask, 2, 5, 5, width)
	at := positions[(1*5+2)*width:][:width] // row 1, column 2 of the first image: its second of 5 rows, its third of 4 columns
	for i, angle := range []float64{2. / 5, 2. / 5 / 100, 3. / 4, 3. / 4 / 100} {
		angle *= 2 * math.Pi
		got := [2]float64{float64(at[2*i]), float64(at[2*i+1])}
		if math.Abs(got[0]-math.Sin(angle)) > 1e-5 || math.Abs(got[1]-math.Cos(angle)) > 1e-5 {
			t.Errorf("pair %d: found %v, expected %v", i, got, [2]float64{math.Sin(angle), math.Cos(angle)})
		}
	}
}

// TestSetBatch expects the same predictions of images that fill their pixels with a mask and without one, finite ones with much
// padding, and panics for sizes that do not fit.
func TestSetBatch(t *testing.T) {
	d := sets()["detr"].Network.(*DETR)
	tape := autograd.NewTape(autograd.Options{Debug: true})
	x := tape.Uniform(2, 3, 64, 64)
	plain, _ := d.Forward(x, nil)
	full, _ := d.Forward(x, [][2]int{{64, 64}, {64, 64}})
	if d := cmp.Diff(plain.Floats(nil), full.Floats(nil)); d != "" {
		t.Error(d)
	}
	// An image of one pixel in much padding still has a place, so that nothing becomes NaN.
	logits, boxes := d.Forward(x, [][2]int{{1, 1}, {64, 64}})
	for _, v := range append(logits.Floats(nil), boxes.Floats(nil)...) {
		if !(v > -1e6 && v < 1e6) {
			t.Fatalf("found %v", v)
		}
	}
	for name, sizes := range map[string][][2]int{"few": {{64, 64}}, "large": {{64, 65}, {64, 64}}, "zero": {{0, 3}, {64, 64}}} {
		func() {
			defer func() {
				if e, ok := recover().(*autograd.ShapeError); !ok || e.Op != "detr" {
					t.Errorf("%s: found %v", name, e)
				}
			}()
			d.Forward(x, sizes)
		}()
	}
}

// FuzzSetConfig reads configurations of detectors that predict a set. What is valid stays the same when it is written and read.
func FuzzSetConfig(f *testing.F) {
	for _, c := range []Config{tinyDETR(), DETRResNet50(), tinyYOLOS()} {
		data, err := json.Marshal(c)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(data))
	}
	f.Fuzz(func(t *testing.T, data string) {
		c, err := ReadConfig(fstest.MapFS{"config.json": {Data: []byte(data)}}, "config.json")
		if err != nil || c.DETR == nil && c.YOLOS == nil {
			return
		}
		first := marshaled(t, c)
		again, err := ReadConfig(fstest.MapFS{"config.json": {Data: []byte(first)}}, "config.json")
		if err != nil {
			t.Fatalf("%s: %v", first, err)
		}
		if second := marshaled(t, again); first != second {
			t.Errorf("%s became %s", first, second)
		}
	})
}

// TestSetOldFolders reads configurations and preprocessings as the first versions of transformers wrote them for the released
// models.
func TestSetOldFolders(t *testing.T) {
	const detr = `{"activation_dropout": 0.0, "activation_function": "relu", "architectures": ["DetrForObjectDetection"],
		"attention_dropout": 0.0, "auxiliary_loss": false, "backbone": "resnet101", "bbox_cost": 5, "bbox_loss_coefficient": 5, "class_cost": 1,
		"classifier_dropout": 0.0, "d_model": 256, "decoder_attention_heads": 8, "decoder_ffn_dim": 2048, "decoder_layerdrop": 0.0,
		"decoder_layers": 6, "dice_loss_coefficient": 1, "dilation": true, "dropout": 0.1, "encoder_attention_heads": 8, "encoder_ffn_dim": 2048,
		"encoder_layerdrop": 0.0, "encoder_layers": 6, "eos_coefficient": 0.1, "giou_cost": 2, "giou_loss_coefficient": 2,
		"id2label": {"0": "N/A", "1": "person"}, "init_std": 0.02, "init_xavier_std": 1.0, "is_encoder_decoder": true,
		"label2id": {"N/A": 0, "person": 1}, "mask_loss_coefficient": 1, "max_position_embeddings": 1024, "model_type": "detr",
		"num_hidden_layers": 6, "num_queries": 100, "position_embedding_type": "sine", "scale_embedding": false, "torch_dtype": "float32",
		"transformers_version": "4.9.0.dev0", "use_timm_backbone": true, "backbone_config": null, "use_pretrained_backbone": true,
		"backbone_kwargs": {"in_chans": 3, "out_indices": [1, 2, 3, 4]}}`
	c, err := ReadConfig(fstest.MapFS{"config.json": {Data: []byte(detr)}}, "config.json")
	want := DETRResNet101()
	want.DETR.Backbone.Dilated = true
	want.SetLabels([]string{"N/A", "person"})
	if d := cmp.Diff(want, c); err != nil || d != "" {
		t.Errorf("%v, %s", err, d)
	}
	const yolos = `{"model_type": "yolos", "attention_probs_dropout_prob": 0.0, "hidden_act": "gelu", "hidden_dropout_prob": 0.0, "hidden_size": 384,
		"image_size": [512, 864], "initializer_range": 0.02, "intermediate_size": 1536, "layer_norm_eps": 1e-12, "num_attention_heads": 6,
		"num_channels": 3, "num_detection_tokens": 100, "num_hidden_layers": 12, "patch_size": 16, "qkv_bias": true, "auxiliary_loss": false,
		"bbox_cost": 5, "class_cost": 1, "giou_cost": 2, "bbox_loss_coefficient": 5, "giou_loss_coefficient": 2, "eos_coefficient": 0.1,
		"use_mid_position_embeddings": true, "torch_dtype": "float32", "transformers_version": "4.19.0.dev0"}`
	if c, err := ReadConfig(fstest.MapFS{"config.json": {Data: []byte(yolos)}}, "config.json"); err != nil || cmp.Diff(YOLOSSmall(), c) != "" {
		t.Errorf("%v, %s", err, cmp.Diff(YOLOSSmall(), c))
	}
	for name, c := range map[string]struct {
		class, size string
		want        vision.Preprocess
	}{
		"detr":  {"DetrFeatureExtractor", `"size": 800, "max_size": 1333`, detrPreprocess()},
		"yolos": {"YolosFeatureExtractor", `"size": 800, "max_size": 1333`, yolosPreprocess()},
		"both":  {"DetrFeatureExtractor", `"size": {"shortest_edge": 800, "longest_edge": 1333}`, detrPreprocess()},
	} {
		data := `{"do_normalize": true, "do_resize": true, "feature_extractor_type": "` + c.class + `", "format": "coco_detection", ` + c.size +
			`, "image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225], "pad_and_return_pixel_mask": true}`
		p, err := vision.LoadPreprocess(fstest.MapFS{"preprocessor_config.json": {Data: []byte(data)}})
		if d := cmp.Diff(c.want, p); err != nil || d != "" {
			t.Errorf("%s: %v, %s", name, err, d)
		}
	}
}
