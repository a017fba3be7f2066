package detect

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/checkpoint"
	"github.com/fovea-ml/fovea/internal/test/golden"
	"github.com/fovea-ml/fovea/internal/test/modeltest"
	"github.com/fovea-ml/fovea/nn"
	"github.com/fovea-ml/fovea/simd"
	"github.com/fovea-ml/fovea/train"
	"github.com/fovea-ml/fovea/vision"
	"github.com/fovea-ml/fovea/vision/boxes"
)

// rtdetrs are the configurations of the released models, by the names of the script.
func rtdetrs() map[string]Config {
	all := map[string]Config{}
	for name, c := range map[string]Config{"r18": RTDETRResNet18(), "r34": RTDETRResNet34(), "r50": RTDETRResNet50(), "r101": RTDETRResNet101()} {
		all[name+" v1"], all[name+" v2"] = c, RTDETRv2(c)
	}
	return all
}

// TestRTDETR compares small models of transformers: outputs of every block, losses, gradients and detections, and what was saved.
func TestRTDETR(t *testing.T) {
	dir := t.TempDir()
	var parameters map[string]int
	if err := json.Unmarshal(modeltest.Python(t, "detect_rtdetr.py", dir), &parameters); err != nil {
		t.Fatal(err)
	}
	compareRTDETRCounts(t, parameters)
	forms, err := filepath.Glob(filepath.Join(dir, "*.safetensors"))
	if err != nil || len(forms) != 4 {
		t.Fatalf("%v, %v", forms, err)
	}
	saved := []string{"check"}
	for _, form := range forms {
		at := strings.TrimSuffix(form, ".safetensors")
		t.Run(filepath.Base(at), func(t *testing.T) {
			folder := at + ".saved" // Python reads it at the end
			compareRTDETR(t, at, folder)
			saved = append(saved, folder)
		})
	}
	for _, version := range []string{"1", "2"} {
		t.Run("original "+version, func(t *testing.T) {
			m, err := Open(filepath.Join(dir, "original_"+version+".pth"), LoadOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if c := m.Config.RTDETR; !m.PreprocessAssumed || m.Classes != 5 || c.NumQueries != 300 || c.second() != (version == "2") || (c.NumDenoising > 0) != (version == "1") {
				t.Errorf("found %d classes and %+v", m.Classes, c)
			}
			g := golden.Load(t, filepath.Join(dir, "original_"+version+".tensors"))
			compareRTDETROutputs(t, g, m.Network.(*RTDETR), 0, autograd.NewTape(autograd.Options{Debug: true}))
		})
	}
	modeltest.Python(t, "detect_rtdetr.py", saved...)
}

func compareRTDETR(t *testing.T, at, folder string) {
	t.Helper()
	g := golden.Load(t, at+".safetensors")
	m, err := Open(at, LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	d := m.Network.(*RTDETR)
	if got, want := nn.Count(d), int(g.Floats("parameters")[0]); got != want && !d.config.FreezeBackboneNorms {
		t.Errorf("found %d parameters, expected %d", got, want)
	}
	sizes := 0
	for ; g.Has(fmt.Sprintf("pixels.%d", sizes)); sizes++ {
		for _, o := range []autograd.Options{{Debug: true}, {Debug: true, Gradients: true}} {
			compareRTDETROutputs(t, g, d, sizes, autograd.NewTape(o))
		}
	}
	if sizes < 1 {
		t.Error("no sizes")
	}

	m.Options.MinScore = new(float32(0.02))
	var images []image.Image
	for i := range 2 {
		images = append(images, goldenImage(g, i))
	}
	found, err := m.Detect(context.Background(), images...)
	if err != nil {
		t.Fatal(err)
	}
	for i := range images {
		compareDetections(t, g, fmt.Sprintf("found.%d", i), found[i])
		alone, err := m.Detect(context.Background(), images[i])
		if err != nil || fmt.Sprint(alone[0]) != fmt.Sprint(found[i]) {
			t.Errorf("image %d alone: %v, %v, expected %v", i, err, alone, found[i])
		}
	}
	compareRTDETRLosses(t, g, m)
	saveRTDETR(t, g, m, folder)
}

// compareRTDETROutputs compares the outputs for pixels of one of the sizes.
func compareRTDETROutputs(t *testing.T, g *golden.File, d *RTDETR, size int, tape *autograd.Tape) {
	t.Helper()
	pixels, shape := g.Tensor(fmt.Sprintf("pixels.%d", size))
	out := d.Forward(tape.Input(pixels, shape...))
	same := func(name string, x *autograd.Tensor) {
		golden.Output(t, name, x.Floats(nil), g.Floats(name))
	}
	for i, level := range out.Levels {
		same(fmt.Sprintf("levels.%d.%d", size, i), level)
	}
	same(fmt.Sprintf("place_logits.%d", size), out.PlaceLogits)
	same(fmt.Sprintf("place_boxes.%d", size), out.PlaceBoxes)
	for i := range out.Hidden {
		same(fmt.Sprintf("hidden.%d.%d", size, i), out.Hidden[i])
		same(fmt.Sprintf("boxes.%d.%d", size, i), out.Boxes[i])
		if k := i - len(out.Hidden) + len(out.Logits); k >= 0 {
			same(fmt.Sprintf("logits.%d.%d", size, i), out.Logits[k])
		}
	}
}

func compareRTDETRLosses(t *testing.T, g *golden.File, m *Model) {
	t.Helper()
	d := m.Network.(*RTDETR)
	pixels, shape := g.Tensor("pixels.0")
	truth := make([]Truth, shape[0])
	for i := range truth {
		for b := range slices.Chunk(g.Floats(fmt.Sprintf("truth.%d.boxes", i)), 4) {
			truth[i].Boxes = append(truth[i].Boxes, Box{X0: b[0], Y0: b[1], X1: b[2], Y1: b[3]})
		}
		for _, v := range g.Floats(fmt.Sprintf("truth.%d.classes", i)) {
			truth[i].Classes = append(truth[i].Classes, int(v))
		}
	}
	plain := autograd.NewTape(autograd.Options{Gradients: true})
	golden.Output(t, "loss in inference", d.Loss(plain.Input(pixels, shape...), truth, nil).Total.Floats(nil), g.Floats("eval_loss"))

	draws := func(int, int) noiseDraws {
		return noiseDraws{g.Floats("noise.keep"), g.Floats("noise.class"), g.Floats("noise.sign"), g.Floats("noise.size")}
	}
	var first map[string][]float32
	for _, recompute := range []bool{false, true} {
		tape := autograd.NewTape(autograd.Options{Gradients: true, Training: true, Debug: true, Recompute: recompute})
		l := d.loss(tape.Input(pixels, shape...), truth, draws)
		losses := map[string]*autograd.Tensor{"": l.Total}
		put := func(suffix string, each RTDETRLoss) {
			losses["_vfl"+suffix], losses["_bbox"+suffix], losses["_giou"+suffix] = each.Class, each.Box, each.GIoU
		}
		last := len(l.Blocks) - 1
		for i, each := range l.Blocks[:last] {
			put(fmt.Sprintf("_aux_%d", i), each)
		}
		put("", l.Blocks[last])
		if l.Places != nil {
			put(fmt.Sprintf("_aux_%d", last), *l.Places)
		}
		for i, each := range l.Noise {
			put(fmt.Sprintf("_dn_%d", i), each)
		}
		theirs := 0
		for _, name := range g.Names() {
			if strings.HasPrefix(name, "loss.") {
				theirs++
			}
		}
		if theirs+1 != len(losses) {
			t.Errorf("found %d losses, expected %d", len(losses), theirs+1)
		}
		for name, x := range losses {
			key := "loss.loss" + name
			if name == "" {
				key = "loss"
			}
			golden.Output(t, key, x.Floats(nil), g.Floats(key))
		}
		grads := autograd.NewGradients()
		l.Total.Backward(grads)
		if !d.config.AuxiliaryLoss {
			continue // earlier heads have no gradient
		}
		if !recompute && slices.ContainsFunc(g.Names(), func(name string) bool { return strings.HasPrefix(name, "grad/") }) {
			modeltest.Gradients(t, g, namesOf(m.Config), d, grads)
		}
		all := map[string][]float32{}
		for path, p := range nn.Parameters(d) {
			all[path] = grads.Of(p)
		}
		if first == nil {
			first = all
		}
		for path, v := range all {
			if !slices.Equal(v, first[path]) {
				t.Errorf("%s: another gradient when blocks run again", path)
			}
		}
	}
}

// saveRTDETR saves a model, expects the same bits when it is loaded again, and writes outputs for Python beside the folder.
func saveRTDETR(t *testing.T, g *golden.File, m *Model, folder string) {
	t.Helper()
	if err := m.Save(folder, SaveOptions{}); err != nil {
		t.Fatal(err)
	}
	again, err := Open(folder, LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	pixels, shape := g.Tensor("pixels.0")
	run := func(m *Model) (logits, boxes []float32) {
		tape := autograd.NewTape(autograd.Options{})
		out := m.Network.(*RTDETR).Forward(tape.Input(pixels, shape...))
		last := len(out.Boxes) - 1
		return out.Logits[len(out.Logits)-1].Floats(nil), out.Boxes[last].Floats(nil)
	}
	logits, boxes := run(again)
	if l, b := run(m); !slices.Equal(logits, l) || !slices.Equal(boxes, b) {
		t.Error("the saved model has other outputs")
	}
	n, q := shape[0], m.Config.RTDETR.NumQueries
	f, err := os.Create(folder + ".safetensors")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := checkpoint.Encode(f, []checkpoint.Entry{
		{Name: "pixels", Shape: shape, Floats: pixels}, {Name: "logits", Shape: []int{n, q, m.Classes}, Floats: logits},
		{Name: "boxes", Shape: []int{n, q, 4}, Floats: boxes},
	}, checkpoint.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
}

// compareRTDETRCounts compares the numbers of parameters of the released configurations. Frozen norms have none in transformers.
func compareRTDETRCounts(t *testing.T, theirs map[string]int) {
	t.Helper()
	for name, c := range rtdetrs() {
		d := NewRTDETR(c, 80, nil)
		got := nn.Count(d)
		for _, n := range nn.Layers[nn.BatchNorm](d.Body) {
			got -= n.Weight.Len() + n.Bias.Len()
		}
		if got != theirs[name] {
			t.Errorf("%s: found %d parameters, expected %d", name, got, theirs[name])
		}
	}
}

// TestRTDETRGolden compares a small model of the second version, without Python.
func TestRTDETRGolden(t *testing.T) {
	compareRTDETR(t, filepath.Join("testdata", "rtdetr"), filepath.Join(t.TempDir(), "saved"))
}

func TestRTDETRFields(t *testing.T) {
	modeltest.Tables(t, "transformers", modeltest.Table{Fields: rtdetrFields, Classes: []string{"RTDetrConfig", "RTDetrV2Config"}},
		modeltest.Table{Fields: rtdetrBackboneFields, Classes: []string{"RTDetrResNetConfig"}})
}

func TestRTDETRNames(t *testing.T) {
	for _, c := range []Config{tinyRTDETR(), RTDETRv2(tinyRTDETR())} {
		modeltest.Names(t, namesOf(c), NewRTDETR(c, 2, nil))
	}
}

// tinyRTDETR is a small model.
func tinyRTDETR() Config {
	c := RTDETRResNet18()
	r := c.RTDETR
	r.Backbone.EmbeddingSize, r.Backbone.HiddenSizes, r.Backbone.Depths = 8, []int{8, 12, 16, 20}, []int{1, 1, 1, 1}
	r.EncoderInChannels, r.EncoderHiddenDim, r.DecoderInChannels, r.DModel = []int{12, 16, 20}, 16, []int{16, 16, 16}, 16
	r.EncoderFFNDim, r.DecoderFFNDim, r.EncoderAttentionHeads, r.DecoderAttentionHeads = 24, 24, 2, 2
	r.NumQueries, r.NumDenoising = 10, 12
	return c
}

// TestRTDETRTies expects places of one score in the order of their numbers.
func TestRTDETRTies(t *testing.T) {
	d := NewRTDETR(tinyRTDETR(), 3, rand.New(rand.NewPCG(1, 2)))
	nn.Constant(d.Class.Weight, 0)
	tape := autograd.NewTape(autograd.Options{})
	out := d.Forward(tape.Full(0.5, 2, 3, 64, 64))
	for i, place := range out.Places {
		if place != i%d.config.NumQueries {
			t.Fatalf("found the places %v", out.Places)
		}
	}
}

// TestRTDETRTrains lowers the loss of one image, objects without noise and images without objects included.
func TestRTDETRTrains(t *testing.T) {
	c := tinyRTDETR()
	rng := rand.New(rand.NewPCG(3, 4))
	d := NewRTDETR(c, 3, rng)
	pixels := make([]float32, 2*3*64*64)
	for i := range pixels {
		pixels[i] = rng.Float32()
	}
	truth := []Truth{{Boxes: []Box{{X0: 8, Y0: 8, X1: 40, Y1: 48}, {X0: 1, Y0: 30, X1: 20, Y1: 60}}, Classes: []int{1, 2}}, {}}
	var first, last float32
	steps := 20
	if testing.Short() {
		steps = 5
	}
	tape := autograd.NewTape(autograd.Options{Gradients: true, Training: true, Seed: 5})
	grads := autograd.NewGradients()
	for step := range steps {
		tape.Step(uint64(step))
		l := d.Loss(tape.Input(pixels, 2, 3, 64, 64), truth, rng)
		if len(l.Blocks) != 3 || len(l.Noise) != 3 || l.Places == nil {
			t.Fatalf("found the losses of %d blocks, and of %d with noise", len(l.Blocks), len(l.Noise))
		}
		if last = l.Total.Float(); step == 0 {
			first = last
		}
		tape.Commit()
		l.Total.Backward(grads)
		norm := 0.0
		for _, p := range nn.Parameters(d) {
			for _, v := range grads.Of(p) {
				norm += float64(v) * float64(v)
			}
		}
		rate := float32(0.05 / math.Sqrt(norm))
		for _, p := range nn.Parameters(d) {
			if g := grads.Of(p); g != nil {
				p.Update(func(v []float32) {
					for i := range v {
						v[i] -= float32(rate * g[i])
					}
				})
			}
		}
		grads.Zero()
		tape.Reset()
	}
	if !(last < first) {
		t.Errorf("the loss went from %v to %v", first, last)
	}
	tape = autograd.NewTape(autograd.Options{Gradients: true, Training: true})
	if l := d.Loss(tape.Input(pixels, 2, 3, 64, 64), make([]Truth, 2), rng); len(l.Noise) != 0 || !(l.Total.Float() > 0) {
		t.Errorf("without objects: %v, %d with noise", l.Total.Float(), len(l.Noise))
	}
}

// TestRTDETRMistakes expects errors of shapes.
func TestRTDETRMistakes(t *testing.T) {
	d := NewRTDETR(tinyRTDETR(), 3, nil)
	for name, f := range map[string]func(tape *autograd.Tape){
		"a size that cannot be halved": func(tape *autograd.Tape) { d.Forward(tape.Full(0, 1, 3, 64, 72)) },
		"too few places":               func(tape *autograd.Tape) { d.Forward(tape.Full(0, 1, 3, 16, 8)) },
		"gray":                         func(tape *autograd.Tape) { d.Forward(tape.Full(0, 1, 1, 64, 64)) },
		"no truth":                     func(tape *autograd.Tape) { d.Loss(tape.Full(0, 1, 3, 64, 64), nil, nil) },
		"a class": func(tape *autograd.Tape) {
			d.Loss(tape.Full(0, 1, 3, 64, 64), []Truth{{Boxes: []Box{{X1: 1, Y1: 1}}, Classes: []int{3}}}, nil)
		},
		"an empty box": func(tape *autograd.Tape) {
			d.Loss(tape.Full(0, 1, 3, 64, 64), []Truth{{Boxes: []Box{{X1: 1}}, Classes: []int{0}}}, nil)
		},
	} {
		tape := autograd.NewTape(autograd.Options{Training: true})
		if err := tape.Try(func() error { f(tape); return nil }); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// rtdetrFolder returns a folder of the small model, with changes of its config.json.
func rtdetrFolder(t testing.TB, changes map[string]any) fstest.MapFS {
	t.Helper()
	files := fstest.MapFS{}
	for _, name := range []string{"config.json", "model.safetensors", "preprocessor_config.json"} {
		data, err := os.ReadFile(filepath.Join("testdata", "rtdetr", name))
		if err != nil {
			t.Fatal(err)
		}
		files[name] = &fstest.MapFile{Data: data}
	}
	var config map[string]any
	if err := json.Unmarshal(files["config.json"].Data, &config); err != nil {
		t.Fatal(err)
	}
	for key, v := range changes {
		if body, ok := strings.CutPrefix(key, "backbone_config: "); ok {
			config["backbone_config"].(map[string]any)[body] = v
		} else {
			config[key] = v
		}
	}
	data, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	files["config.json"] = &fstest.MapFile{Data: data}
	return files
}

// TestRTDETRRefused expects an error that names the field.
func TestRTDETRRefused(t *testing.T) {
	for _, c := range []struct {
		field string
		value any
		want  string // "" for the field
	}{
		{"learn_initial_query", true, ""}, {"backbone", "resnet50", ""}, {"use_timm_backbone", true, ""},
		{"backbone_kwargs", map[string]any{"a": 1}, ""}, {"decoder_method", "other", ""}, {"decoder_n_levels", 2, ""},
		{"d_model", 9, ""}, {"d_model", -8, ""}, {"encoder_hidden_dim", 10, ""}, {"encoder_in_channels", []int{6, 8}, ""},
		{"decoder_in_channels", []int{8, 8, 9}, ""}, {"num_feature_levels", 2, ""}, {"num_feature_levels", 100, ""}, {"num_queries", 0, ""},
		{"num_queries", 1 << 30, ""}, {"num_queries", 43, ""}, {"num_denoising", -1, ""}, {"decoder_n_points", 0, ""}, {"decoder_layers", 0, ""},
		{"decoder_layers", 900, "config"}, {"encoder_layers", 900, "config"}, {"encode_proj_layers", []int{3}, ""},
		{"activation_function", "swoosh", ""}, {"encoder_activation_function", nil, ""}, {"dropout", 1.5, ""}, {"layer_norm_eps", -1, ""},
		{"layer_norm_eps", "1e-5", ""}, {"anchor_image_size", 640, ""}, {"anchor_image_size", []int{640, 640}, ""}, {"anchor_image_size", []int{64, 32}, ""},
		{"anchor_image_size", []int{32, 64, 3}, ""}, {"eval_size", "big", ""}, {"hidden_expansion", 1e9, ""}, {"matcher_gamma", -1, ""},
		{"positional_encoding_temperature", 0, ""}, {"backbone_config: model_type", "hgnet_v2", ""}, {"backbone_config: num_channels", 1, ""},
		{"backbone_config: hidden_sizes", []int{4, 6, 8}, "hidden_sizes"}, {"backbone_config: out_indices", []int{0, 1, 2}, "out_features"}, {"backbone_config: out_features", []string{"stage2", "stage3", "stem"}, "out_features"},
		{"backbone_config: out_indices", []int{2, 4}, "out_features"}, {"backbone_config: embedding_size", 6, "embedding_size"},
		{"backbone_config: depths", []int{1, 1, 1, 900}, "configuration"}, {"backbone_config: deep_stem", true, "deep_stem"},
		{"backbone_config: hidden_act", "none such", "hidden_act"}, {"backbone_config", "resnet", "backbone_config"},
	} {
		want := c.want
		if want == "" {
			want = c.field
		}
		_, err := Load(rtdetrFolder(t, map[string]any{c.field: c.value}), LoadOptions{})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v: expected an error with %q, found %v", c.field, c.value, want, err)
		}
	}
	files := rtdetrFolder(t, nil)
	if _, err := Load(files, LoadOptions{ImageSize: 16}); err == nil || !strings.Contains(err.Error(), "images of") {
		t.Errorf("small images: %v", err)
	}
	files["preprocessor_config.json"] = &fstest.MapFile{Data: []byte(`{"image_processor_type": "RTDetrImageProcessor", "size": {"shortest_edge": 32, "longest_edge": 64}}`)}
	if _, err := Load(files, LoadOptions{}); err == nil || !strings.Contains(err.Error(), "stretched to one size") {
		t.Errorf("images that keep their proportions: %v", err)
	}
	delete(files, "preprocessor_config.json")
	m, err := Load(files, LoadOptions{ImageSize: 96})
	if err != nil || !m.PreprocessAssumed {
		t.Fatalf("without a preprocessor: %v", err)
	}
	if h, w, _ := m.Network.(*RTDETR).Preprocess.FixedSize(); h != 96 || w != 96 {
		t.Errorf("images of %d×%d pixels", w, h)
	}
	if _, err := m.Detect(context.Background(), image.NewGray(image.Rect(0, 0, 1, 300))); err != nil {
		t.Error(err)
	}
}

// TestRTDETRConfig writes the configurations and reads them again.
func TestRTDETRConfig(t *testing.T) {
	for name, c := range rtdetrs() {
		c.RTDETR.AnchorImageSize, c.RTDETR.EvalSize, c.RTDETR.InitializerBias = [2]int{640, 320}, [2]int{640, 640}, new(0.25)
		c.SetLabels([]string{"a", "b"})
		data, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		got, err := ReadConfig(fstest.MapFS{"config.json": {Data: data}}, "config.json")
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if d := cmp.Diff(c, got); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
}

// FuzzRTDETR loads a small model beside any config.json: the answer is a model or an error.
func FuzzRTDETR(f *testing.F) {
	files := rtdetrFolder(f, nil)
	f.Add(files["config.json"].Data)
	f.Add([]byte(`{"model_type": "rt_detr", "backbone_config": {"out_features": ["stage2"]}}`))
	f.Add([]byte(`{"model_type": "rt_detr_v2", "backbone_config": null, "eval_size": [1, 2], "anchor_image_size": [32, 64]}`))
	f.Fuzz(func(t *testing.T, config []byte) {
		fsys := maps.Clone(files)
		fsys["config.json"] = &fstest.MapFile{Data: config}
		m, err := Load(fsys, LoadOptions{})
		if err == nil && m.Config.Validate() != nil {
			t.Errorf("a model whose configuration is not valid: %v", m.Config.Validate())
		}
	})
}

// TestRTDETRTraining trains on a data set with new classes, at two sizes.
func TestRTDETRTraining(t *testing.T) {
	m, err := Load(rtdetrFolder(t, nil), LoadOptions{ImageSize: 64})
	if err != nil {
		t.Fatal(err)
	}
	images := shapes(t, 5)
	if err := m.NewHead(images.Classes(), rand.New(rand.NewPCG(1, 2))); err != nil {
		t.Fatal(err)
	}
	o := TrainOptions{Epochs: 2, BatchSize: 2, Sizes: []int{64, 96}, Augment: &boxes.Augment{Flip: 0.5}}
	var names []string
	o.OnLosses = func(_ *train.Batch, l Losses) {
		names = nil
		for _, part := range l {
			names = append(names, part.Name)
		}
	}
	config, err := m.Training(images, o)
	if err != nil {
		t.Fatal(err)
	}
	if result, err := train.Run(context.Background(), config); err != nil || len(result.Losses) != 2 {
		t.Fatalf("%v, %v", result, err)
	}
	if !slices.Equal(names, []string{"class", "box", "giou"}) {
		t.Errorf("found the losses %q", names)
	}
	if _, err := m.Detect(context.Background(), vision.NewImage(30, 40, 3)); err != nil {
		t.Error(err)
	}
	for _, size := range []int{-1, 8, 72, 1 << 20} {
		o.Sizes = []int{size}
		if _, err := m.Training(images, o); err == nil || !strings.Contains(err.Error(), "option Sizes") {
			t.Errorf("images of %d pixels: %v", size, err)
		}
	}
	dir := t.TempDir()
	if err := m.Save(dir, SaveOptions{}); err != nil {
		t.Fatal(err)
	}
	again, err := Open(dir, LoadOptions{})
	if err != nil || !slices.Equal(again.Labels(), images.Classes()) {
		t.Errorf("saved: %v", err)
	}
}

// TestRTDETROldNames reads the names of older files, whose heads are there once more, or there alone. A file without heads is
// refused.
func TestRTDETROldNames(t *testing.T) {
	files := rtdetrFolder(t, nil)
	plain, err := Load(files, LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := plain.Save(dir, SaveOptions{}); err != nil {
		t.Fatal(err)
	}
	weights := modeltest.Weights(t, os.DirFS(dir))
	load := func(rename func(name string) []string) (*Model, error) {
		var entries []checkpoint.Entry
		for _, name := range slices.Sorted(maps.Keys(weights)) {
			for _, to := range rename(name) {
				entries = append(entries, checkpoint.Entry{Name: to, Shape: weights[name].Shape, Floats: weights[name].Values})
			}
		}
		var b bytes.Buffer
		if err := checkpoint.Encode(&b, entries, checkpoint.WriteOptions{}); err != nil {
			t.Fatal(err)
		}
		changed := maps.Clone(files)
		changed["model.safetensors"] = &fstest.MapFile{Data: b.Bytes()}
		return Load(changed, LoadOptions{})
	}
	head := func(name string) (string, bool) {
		rest, ok := strings.CutPrefix(name, "model.decoder.")
		return rest, ok && (strings.HasPrefix(rest, "class_embed") || strings.HasPrefix(rest, "bbox_embed"))
	}
	newer := strings.NewReplacer("out_proj", "o_proj", ".fc", ".mlp.fc", "encoder.encoder", "encoder.aifi")
	for what, rename := range map[string]func(name string) []string{
		"new names": func(name string) []string { return []string{newer.Replace(name)} },
		"heads twice": func(name string) []string {
			if rest, ok := head(name); ok {
				return []string{name, rest}
			}
			return []string{name}
		},
		"heads elsewhere": func(name string) []string {
			if rest, ok := head(name); ok {
				return []string{rest}
			}
			return []string{name}
		},
	} {
		m, err := load(rename)
		if err != nil {
			t.Errorf("%s: %v", what, err)
			continue
		}
		for path, p := range nn.Parameters(m.Network) {
			for other, q := range nn.Parameters(plain.Network) {
				if path == other && !slices.Equal(p.Values(), q.Values()) {
					t.Errorf("%s: %s differs", what, path)
				}
			}
		}
	}
	var mismatch *checkpoint.MismatchError
	if _, err := load(func(name string) []string {
		if _, ok := head(name); ok {
			return nil
		}
		return []string{name}
	}); !errors.As(err, &mismatch) || !strings.Contains(err.Error(), "class_embed") {
		t.Errorf("without heads: %v", err)
	}
}

// TestRTDETRBroken trains with weights that are not finite: the loss is NaN, and nothing panics.
func TestRTDETRBroken(t *testing.T) {
	d := NewRTDETR(tinyRTDETR(), 3, rand.New(rand.NewPCG(1, 2)))
	for _, p := range []*autograd.Parameter{d.Blocks[0].Box.Layers[2].Bias, d.Class.Bias} {
		nn.Constant(p, float32(math.NaN()))
		tape := autograd.NewTape(autograd.Options{Gradients: true, Training: true})
		truth := []Truth{{Boxes: []Box{{X0: 8, Y0: 8, X1: 40, Y1: 48}, {X0: 9, Y0: 8, X1: 40, Y1: 48}}, Classes: []int{1, 0}}}
		if l := d.Loss(tape.Full(0.5, 1, 3, 64, 64), truth, rand.New(rand.NewPCG(1, 2))).Total.Float(); l == l {
			t.Errorf("the loss is %v", l)
		}
		if found := d.find(autograd.NewTape(autograd.Options{}), []*vision.Image{vision.NewImage(9, 9, 3)}, limits{minScore: 0.5}); len(found) != 1 {
			t.Errorf("found %v", found)
		}
	}
}

// TestRTDETRBits expects the same bits on every machine, and on any number of cores: the outputs of the golden's batch, and the
// gradient of a parameter of the backbone.
func TestRTDETRBits(t *testing.T) {
	if simd.Current() == simd.Generic {
		t.Skip("the portable kernels agree within tolerance only, where there is no fused multiply-add")
	}
	const want = "73affb4743b45190"
	g := golden.Load(t, filepath.Join("testdata", "rtdetr.safetensors"))
	m, err := Open(filepath.Join("testdata", "rtdetr"), LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	d := m.Network.(*RTDETR)
	pixels, shape := g.Tensor("pixels.0")
	truth := []Truth{{Boxes: []Box{{X0: 4, Y0: 3, X1: 20, Y1: 19}}, Classes: []int{1}}, {}}
	for workers := range 3 {
		h := sha256.New()
		put := func(values []float32) {
			for _, v := range values {
				binary.Write(h, binary.LittleEndian, math.Float32bits(v))
			}
		}
		tape := autograd.NewTape(autograd.Options{Workers: simd.NewWorkers(workers + 1)})
		out := d.Forward(tape.Input(pixels, shape...))
		put(out.Logits[len(out.Logits)-1].Floats(nil))
		put(out.Boxes[len(out.Boxes)-1].Floats(nil))
		tape = autograd.NewTape(autograd.Options{Workers: simd.NewWorkers(workers + 1), Gradients: true, Training: true})
		grads := autograd.NewGradients()
		d.Loss(tape.Input(pixels, shape...), truth, rand.New(rand.NewPCG(1, 2))).Total.Backward(grads)
		put(grads.Of(d.Body.Stem[0].Conv.Weight))
		if got := hex.EncodeToString(h.Sum(nil)[:8]); got != want {
			t.Errorf("%d cores, %s: the bits are %s, pinned are %s", workers+1, simd.Info(), got, want)
		}
	}
}
