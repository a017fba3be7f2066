package detect

import (
	"context"
	"encoding/json"
	"fmt"
	"image"
	"maps"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/checkpoint"
	"github.com/fovea-ml/fovea/internal/test/golden"
	"github.com/fovea-ml/fovea/internal/test/modeltest"
	"github.com/fovea-ml/fovea/models/backbone"
	"github.com/fovea-ml/fovea/nn"
)

// TestTransformers compares DETR and YOLOS with transformers: pixels, hidden states, predictions of images alone and in a batch of
// unequal sizes, losses, gradients and detections. Folders that are saved give the same outputs there.
func TestTransformers(t *testing.T) {
	dir := t.TempDir()
	modeltest.Python(t, "detect_detr.py", dir)
	check := []string{"check"}
	for _, name := range []string{"detr", "auxiliary", "dc5", "original", "yolos", "yolos_square", "yolos_original", "yolos_plain"} {
		t.Run(name, func(t *testing.T) {
			folder, file := compareSet(t, dir, name)
			check = append(check, folder, file)
		})
	}
	for line := range strings.Lines(string(modeltest.Python(t, "detect_detr.py", check...))) {
		var said struct{ Labels []string }
		if err := json.Unmarshal([]byte(line), &said); err != nil || len(said.Labels) != 5 || said.Labels[1] != "cat" && said.Labels[1] != "LABEL_1" {
			t.Errorf("found %s, %v", line, err)
		}
	}
}

// compareSet compares a form of the script. It returns a folder that it saved, and a file with the outputs of the model in it.
func compareSet(t *testing.T, dir, name string) (folder, file string) {
	form, ofPaper := name, name == "original" || name == "yolos_original"
	switch name {
	case "original":
		form = "dc5"
	case "yolos_original":
		form = "yolos_square"
	}
	at, g := filepath.Join(dir, name), golden.Load(t, filepath.Join(dir, form+".safetensors"))
	if ofPaper {
		at += ".pth"
	}
	m, err := Open(at, LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := nn.Count(m.Network), int(g.Floats("parameters")[0]); got != want {
		t.Errorf("found %d parameters, expected %d", got, want)
	}
	if ofPaper {
		p := m.Network.(setNetwork).preparing()
		if !m.PreprocessAssumed || p.Width != 800 {
			t.Errorf("the preprocessing is %+v", p)
		}
		p.Width, p.MaxLong = 60, 90
	} else if d := cmp.Diff([]string{"N/A", "cat", "dog", "owl", "car"}, m.Labels()); d != "" {
		t.Error(d)
	}
	compareSetOutputs(t, g, m)
	compareSetLosses(t, g, m)
	return saveSet(t, g, m, at+"-saved")
}

// forward returns the predictions for pixels, whose images have the given sizes or fill them.
func forward(m *Model, pixels *autograd.Tensor, sizes [][2]int) (logits, boxes *autograd.Tensor) {
	if d, ok := m.Network.(*DETR); ok {
		return d.Forward(pixels, sizes)
	}
	return m.Network.(*YOLOS).Forward(pixels)
}

// compareSetOutputs compares each image alone, and the batch.
func compareSetOutputs(t *testing.T, g *golden.File, m *Model) {
	t.Helper()
	m.Options.MinScore = new(float32(0.3))
	var images []image.Image
	for i := range 2 {
		img := goldenImage(g, i)
		images = append(images, img)
		pixels, want := g.Tensor(fmt.Sprintf("pixels.%d", i))
		got, height, width, err := m.Network.(setNetwork).preparing().Pixels(nil, nil, img)
		if err != nil || height != want[2] || width != want[3] {
			t.Fatalf("image %d: prepared at %d×%d, expected %v: %v", i, height, width, want, err)
		}
		golden.Output(t, "pixels", got, pixels)
		tape := autograd.NewTape(autograd.Options{Debug: true})
		logits, boxes := forward(m, tape.Input(pixels, want...), nil)
		golden.Output(t, fmt.Sprintf("logits of image %d", i), logits.Floats(nil), g.Floats(fmt.Sprintf("logits.%d", i)))
		golden.Output(t, fmt.Sprintf("boxes of image %d", i), boxes.Floats(nil), g.Floats(fmt.Sprintf("boxes.%d", i)))
	}
	found, err := m.Detect(context.Background(), images...)
	if err != nil {
		t.Fatal(err)
	}
	for i := range images {
		compareSetDetections(t, g, fmt.Sprintf("alone.%d", i), found[i])
	}
	pixels, shape := g.Tensor("pixels")
	tape := autograd.NewTape(autograd.Options{Debug: true})
	x := tape.Input(pixels, shape...)
	switch d := m.Network.(type) {
	case *DETR:
		memory, _, mask := d.encode(x, setSizes(g))
		want := g.Floats("encoder")
		for row := range memory.Dim(0) * memory.Dim(1) { // what is beyond an image has no meaning
			if !mask[row] {
				copy(want[row*memory.Dim(2):][:memory.Dim(2)], memory.Floats(nil)[row*memory.Dim(2):])
			}
		}
		golden.Output(t, "encoder", memory.Floats(nil), want)
		all := d.decode(x, setSizes(g))
		golden.Output(t, "decoder", all[len(all)-1].Floats(nil), g.Floats("decoder"))
	case *YOLOS:
		golden.Output(t, "encoder", d.Norm.Forward(d.encode(x)).Floats(nil), g.Floats("encoder"))
	}
	logits, boxes := forward(m, x, setSizes(g))
	golden.Output(t, "logits", logits.Floats(nil), g.Floats("logits"))
	golden.Output(t, "boxes", boxes.Floats(nil), g.Floats("boxes"))
}

// setSizes returns the sizes of the images of the batch, nil for YOLOS.
func setSizes(g *golden.File) (sizes [][2]int) {
	if g.Has("sizes") {
		for size := range slices.Chunk(g.Ints("sizes"), 2) {
			sizes = append(sizes, [2]int(size))
		}
	}
	return sizes
}

// compareSetDetections is compareDetections for any number of detections, which transformers does not sort.
func compareSetDetections(t *testing.T, g *golden.File, name string, got Detections) {
	t.Helper()
	boxes, scores, classes := g.Floats(name+".boxes"), g.Floats(name+".scores"), g.Floats(name+".labels")
	if len(got) != len(scores) || len(got) == 0 {
		t.Errorf("%s: found %d detections, expected %d", name, len(got), len(scores))
		return
	}
	order := make([]int, len(scores))
	for i := range order {
		order[i] = i
	}
	sort.SliceStable(order, func(i, j int) bool { return scores[order[i]] > scores[order[j]] })
	for i, k := range order {
		d := got[i]
		golden.Within(t, name, []float32{d.Box.X0, d.Box.Y0, d.Box.X1, d.Box.Y1}, boxes[4*k:][:4], 1e-2/100) // at most 100 pixels
		golden.Within(t, name, []float32{d.Score, float32(d.Class)}, []float32{scores[k], classes[k]}, 1e-4)
	}
}

// compareSetLosses compares the losses of a training step, and the gradients of their sum.
func compareSetLosses(t *testing.T, g *golden.File, m *Model) {
	t.Helper()
	pixels, shape := g.Tensor("pixels")
	tape := autograd.NewTape(autograd.Options{Gradients: true, Training: true, Debug: true})
	x := tape.Input(pixels, shape...)
	sizes := sizesOf(x, setSizes(g))
	truth := make([]Truth, shape[0])
	for i := range truth {
		h, w := float32(sizes[i][0]), float32(sizes[i][1])
		for b := range slices.Chunk(g.Floats(fmt.Sprintf("truth.%d", i)), 4) {
			box := fromCenter(b)
			truth[i].Boxes = append(truth[i].Boxes, Box{X0: box.X0 * w, Y0: box.Y0 * h, X1: box.X1 * w, Y1: box.Y1 * h})
		}
		truth[i].Classes = g.Ints(fmt.Sprintf("classes.%d", i))
	}
	var s SetLosses
	switch d := m.Network.(type) {
	case *DETR:
		d.dropout = 0
		for _, b := range d.Encoder {
			b.Dropout = 0
		}
		for _, b := range d.Decoder {
			b.Dropout = 0
		}
		s = d.Loss(x, sizes, truth)
	case *YOLOS:
		s = d.Loss(x, truth)
	}
	golden.Output(t, "loss", s.Total.Floats(nil), g.Floats("loss"))
	parts, err := m.Losses(Batch{x, sizes, truth}, nil)
	if err != nil {
		t.Fatal(err)
	}
	golden.Output(t, "sum of parts", parts.Sum().Floats(nil), g.Floats("loss"))
	each := map[string]*autograd.Tensor{"loss_ce": s.Class, "loss_bbox": s.Box, "loss_giou": s.GIoU}
	for i, one := range s.Auxiliary {
		each[fmt.Sprintf("loss_ce_%d", i)], each[fmt.Sprintf("loss_bbox_%d", i)], each[fmt.Sprintf("loss_giou_%d", i)] = one.Class, one.Box, one.GIoU
	}
	for _, name := range slices.Sorted(maps.Keys(each)) {
		golden.Output(t, name, each[name].Floats(nil), g.Floats("loss."+name))
	}
	for _, name := range g.Names() {
		if of, ok := strings.CutPrefix(name, "loss."); ok && each[of] == nil && !strings.HasPrefix(of, "cardinality_error") {
			t.Errorf("the loss %s is missing", of)
		}
	}
	if !slices.ContainsFunc(g.Names(), func(name string) bool { return strings.HasPrefix(name, "grad/") }) {
		return
	}
	grads := autograd.NewGradients()
	s.Total.Backward(grads)
	modeltest.Gradients(t, g, namesOf(m.Config), m.Network, grads)
}

// saveSet saves a model, loads it, and writes its outputs for an image.
func saveSet(t *testing.T, g *golden.File, m *Model, folder string) (_, file string) {
	t.Helper()
	if err := m.Save(folder, SaveOptions{}); err != nil {
		t.Fatal(err)
	}
	again, err := Open(folder, LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	values, shape := g.Tensor("image.0")
	pixels, size := g.Tensor("pixels.0")
	entries := []checkpoint.Entry{{Name: "image", Shape: shape, Floats: values}, {Name: "pixels", Shape: size, Floats: pixels}}
	for _, m := range []*Model{m, again} {
		tape := autograd.NewTape(autograd.Options{})
		logits, boxes := forward(m, tape.Input(pixels, size...), nil)
		entries = append(entries[:2], checkpoint.Entry{Name: "logits", Shape: logits.Shape(), Floats: logits.Floats(nil)},
			checkpoint.Entry{Name: "boxes", Shape: boxes.Shape(), Floats: boxes.Floats(nil)})
	}
	file = filepath.Join(folder, "outputs.safetensors")
	if err := checkpoint.Write(file, entries, checkpoint.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	return folder, file
}

// TestSetFields expects every field of transformers' configurations in the tables.
func TestSetFields(t *testing.T) {
	modeltest.Tables(t, "transformers", modeltest.Table{Fields: detrFields, Classes: []string{"DetrConfig"}},
		modeltest.Table{Fields: yolosFields, Classes: []string{"YolosConfig"}},
		modeltest.Table{Fields: timmBackboneFields, Classes: []string{"TimmBackboneConfig"}})
}

// TestSetCounts compares the numbers of parameters of the released models with transformers'.
func TestSetCounts(t *testing.T) {
	var theirs map[string]int
	if err := json.Unmarshal(modeltest.Python(t, "detect_detr.py", "counts"), &theirs); err != nil {
		t.Fatal(err)
	}
	dc5 := DETRResNet50()
	dc5.DETR.Backbone.Dilated = true
	all := map[string]Config{
		"detr-resnet-50": DETRResNet50(), "detr-resnet-101": DETRResNet101(), "detr-resnet-50-dc5": dc5,
		"yolos-tiny": YOLOSTiny(), "yolos-small": YOLOSSmall(), "yolos-base": YOLOSBase(),
	}
	for name, c := range all {
		if err := c.Validate(); err != nil {
			t.Error(err)
		}
		if got := nn.Count(New(c, 91, nil).Network); got != theirs[name] {
			t.Errorf("%s: found %d parameters, expected %d", name, got, theirs[name])
		}
	}
	if len(theirs) != len(all) {
		t.Errorf("compared %d models, expected %d", len(all), len(theirs))
	}
}

// TestSetNames expects a rule for every parameter, and a parameter for every rule.
func TestSetNames(t *testing.T) {
	for _, timm := range []bool{false, true} {
		c := tinyDETR()
		c.DETR.TimmNames = timm
		modeltest.Names(t, namesOf(c), NewDETR(c, 3, nil))
	}
	c := tinyYOLOS()
	block := c.YOLOS.Block()
	block.LayerScale = 1 // which the table knows for other models
	modeltest.Names(t, namesOf(c), NewYOLOS(c, 3, nil), &struct{ Blocks nn.Stack }{nn.NewStack(1, block)})
}

// tinyDETR and tinyYOLOS are small configurations.
func tinyDETR() Config {
	body := backbone.ResNet18()
	body.EmbeddingSize, body.HiddenSizes, body.Depths = 8, []int{8, 12, 16, 24}, []int{1, 1, 1, 1}
	c := detrConfig(body)
	d := c.DETR
	d.TimmNames, d.NumQueries, d.DModel = false, 7, 16
	d.EncoderLayers, d.DecoderLayers, d.EncoderAttentionHeads, d.DecoderAttentionHeads, d.EncoderFFNDim, d.DecoderFFNDim = 2, 3, 4, 2, 24, 20
	return c
}

func tinyYOLOS() Config {
	c := yolosConfig(24, 3, 48, 96, true)
	y := c.YOLOS
	y.NumHiddenLayers, y.NumDetectionTokens = 3, 9
	return c
}
