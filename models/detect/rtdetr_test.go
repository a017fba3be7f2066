package detect

import (
	"context"
	"encoding/json"
	"fmt"
	"image"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/checkpoint"
	"github.com/fovea-ml/fovea/internal/test/golden"
	"github.com/fovea-ml/fovea/internal/test/modeltest"
	"github.com/fovea-ml/fovea/nn"
	"github.com/fovea-ml/fovea/vision"
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
	modeltest.Python(t, "detect_rtdetr.py", dir)
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
		values, shape := g.Tensor(fmt.Sprintf("image.%d", i))
		img := vision.NewImage(shape[0], shape[1], 3)
		for k, v := range values {
			img.Pix[k] = uint8(v)
		}
		images = append(images, img)
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
	golden.Output(t, "loss in inference", d.Loss(plain.Input(pixels, shape...), truth).Total.Floats(nil), g.Floats("eval_loss"))

	var draws *noiseDraws
	if g.Has("noise.keep") {
		draws = &noiseDraws{g.Floats("noise.keep"), g.Floats("noise.class"), g.Floats("noise.sign"), g.Floats("noise.size")}
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
		if !recompute {
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

// TestRTDETRCounts compares the numbers of parameters of the released configurations with transformers'. Frozen norms have
// none there.
func TestRTDETRCounts(t *testing.T) {
	var theirs map[string]int
	if err := json.Unmarshal(modeltest.Python(t, "detect_rtdetr.py", "counts"), &theirs); err != nil {
		t.Fatal(err)
	}
	for _, name := range slices.Sorted(maps.Keys(rtdetrs())) {
		d := NewRTDETR(rtdetrs()[name], 80, nil)
		got := nn.Count(d)
		for _, n := range nn.Layers[nn.BatchNorm](d.Body) {
			got -= n.Weight.Len() + n.Bias.Len()
		}
		if got != theirs[name] {
			t.Errorf("%s: found %d parameters, expected %d", name, got, theirs[name])
		}
	}
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
