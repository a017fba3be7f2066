package detect

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"image"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/checkpoint"
	"github.com/fovea-ml/fovea/internal/test/golden"
	"github.com/fovea-ml/fovea/internal/test/modeltest"
	"github.com/fovea-ml/fovea/models/backbone"
	"github.com/fovea-ml/fovea/nn"
	"github.com/fovea-ml/fovea/vision"
)

func TestTorchvisionNames(t *testing.T) {
	// Parts that the table of names knows and a version lacks.
	second := NewFasterRCNN(v2(FasterRCNNResNet50()), 2, nil)
	for _, c := range torchvisions() {
		pyramid := &Pyramid{FPN: &nn.FPN{}}
		*pyramid.FPN = *second.Pyramid.FPN
		pyramid.FPN.AddP6P7(32)
		others := []any{New(c, 2, nil).Network, &struct{ Pyramid *Pyramid }{pyramid}}
		if c.ModelType == retinaType {
			others = append(others, &RetinaNet{ClassTower: newTower(32, true), BoxTower: newTower(32, true)})
		}
		modeltest.Names(t, namesOf(c), others...)
	}
}

// v2 returns the second version of a configuration.
func v2(c Config) Config {
	c.SecondVersion = true
	return c
}

// torchvisions are the detectors of torchvision, by the names of the forms of the script.
func torchvisions() map[string]Config {
	return map[string]Config{
		"fcos": FCOSResNet50(), "retinanet": RetinaNetResNet50(), "retinanet_v2": v2(RetinaNetResNet50()),
		"faster_rcnn": FasterRCNNResNet50(), "faster_rcnn_v2": v2(FasterRCNNResNet50()),
	}
}

// TestTorchvision compares FCOS and RetinaNet with torchvision: features, predictions, losses, gradients, and detections in
// images alone and in a batch of unequal sizes.
func TestTorchvision(t *testing.T) {
	dir := t.TempDir()
	modeltest.Python(t, "detect_torchvision.py", dir)
	for _, name := range slices.Sorted(maps.Keys(torchvisions())) {
		t.Run(name, func(t *testing.T) { compareTorchvision(t, filepath.Join(dir, name)) })
	}
}

func compareTorchvision(t *testing.T, at string) {
	g := golden.Load(t, at+".safetensors")
	m, err := Open(at+".pth", LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := nn.Count(m.Network), int(g.Floats("parameters")[0]); got != want {
		t.Errorf("found %d parameters, expected %d", got, want)
	}
	if err := m.SetSize(96, 150); err != nil {
		t.Fatal(err)
	}
	var images []*vision.Image
	var each []image.Image
	for i := range 2 {
		img := goldenImage(g, i)
		images, each = append(images, img), append(each, img)
	}
	comparePredictions(t, g, m, images)

	found, err := m.Detect(context.Background(), each...)
	if err != nil {
		t.Fatal(err)
	}
	limits := m.Network.defaults()
	together := m.Network.find(autograd.NewTape(autograd.Options{Debug: true}), images, limits)
	for i := range images {
		compareDetections(t, g, fmt.Sprintf("alone.%d", i), found[i])
		compareDetections(t, g, fmt.Sprintf("batch.%d", i), together[i].detections(limits, m.Labels()))
	}
	compareArguments(t, g, m, each)
	compareLosses(t, g, m)

	dir := t.TempDir()
	if err := m.Save(dir, SaveOptions{}); err != nil {
		t.Fatal(err)
	}
	again, err := Open(dir, LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(m.Labels(), again.Labels()); d != "" {
		t.Error(d)
	}
	if got, err := again.Detect(context.Background(), each...); err != nil || cmp.Diff(found, got) != "" {
		t.Errorf("saved: %v, %s", err, cmp.Diff(found, got))
	}
}

// goldenImage returns the image of the given number.
func goldenImage(g *golden.File, i int) *vision.Image {
	values, shape := g.Tensor(fmt.Sprintf("image.%d", i))
	img := vision.NewImage(shape[0], shape[1], 3)
	for k, v := range values {
		img.Pix[k] = uint8(v)
	}
	return img
}

// comparePredictions compares the batch of pixels, the levels of the pyramid, and the predictions at all levels.
func comparePredictions(t *testing.T, g *golden.File, m *Model, images []*vision.Image) {
	t.Helper()
	tape := autograd.NewTape(autograd.Options{Debug: true})
	p := resizing{96, 150}.prepare(tape, images)
	pixels, shape := g.Tensor("pixels")
	golden.Output(t, "pixels", p.pixels.Floats(nil), pixels)
	var pyramid *Pyramid
	var class, box, center []autograd.Operand
	x := func() *autograd.Tensor { return tape.Input(pixels, shape...) }
	switch d := m.Network.(type) {
	case *FCOS:
		pyramid = d.Pyramid
		for _, l := range d.forward(x()) {
			class, box, center = append(class, l.class), append(box, l.box), append(center, l.center)
		}
	case *RetinaNet:
		pyramid = d.Pyramid
		for _, l := range d.forward(x()) {
			class, box = append(class, l.class), append(box, l.box)
		}
	case *FasterRCNN:
		pyramid = d.Pyramid
		p.pixels = x()
		compareStages(t, g, d, p)
	}
	for i, level := range pyramid.Forward(x()) {
		golden.Output(t, fmt.Sprintf("level %d", i), level.Floats(nil), g.Floats(fmt.Sprintf("level.%d", i)))
	}
	if class == nil {
		return
	}
	golden.Output(t, "class", autograd.Concat(1, class...).Floats(nil), g.Floats("class"))
	golden.Output(t, "box", autograd.Concat(1, box...).Floats(nil), g.Floats("box"))
	if center != nil {
		golden.Output(t, "center", autograd.Concat(1, center...).Floats(nil), g.Floats("center"))
	}
}

// compareStages compares the predictions of both stages, and the proposals of the first. The second gets torchvision's
// proposals, so that its rows have the same order.
func compareStages(t *testing.T, g *golden.File, d *FasterRCNN, p prepared) {
	t.Helper()
	levels := d.Pyramid.Forward(p.pixels)
	var first []proposing
	for k, x := range levels {
		l := d.propose(x)
		first = append(first, l)
		planes := func(x *autograd.Tensor) []float32 { // as torchvision keeps them
			return autograd.Permute(autograd.Reshape(x, x.Dim(0), l.height*l.width, x.Dim(1)*x.Dim(2)/(l.height*l.width)), 0, 2, 1).Floats(nil)
		}
		golden.Output(t, fmt.Sprintf("object %d", k), planes(l.object), g.Floats(fmt.Sprintf("object.%d", k)))
		golden.Output(t, fmt.Sprintf("offsets %d", k), planes(l.offsets), g.Floats(fmt.Sprintf("offsets.%d", k)))
	}
	proposals := d.proposals(first, p, d.defaults())
	for i, each := range proposals {
		var want []Box
		for b := range slices.Chunk(g.Floats(fmt.Sprintf("proposals.%d", i)), 4) {
			want = append(want, Box{X0: b[0], Y0: b[1], X1: b[2], Y1: b[3]})
		}
		if len(each) != len(want) {
			t.Errorf("image %d: found %d proposals, expected %d", i, len(each), len(want))
		}
		for _, b := range want {
			if !slices.ContainsFunc(each, func(o Box) bool {
				return math.Abs(float64(o.X0-b.X0)) < 1e-2 && math.Abs(float64(o.Y0-b.Y0)) < 1e-2 && math.Abs(float64(o.X1-b.X1)) < 1e-2 && math.Abs(float64(o.Y1-b.Y1)) < 1e-2
			}) {
				t.Errorf("image %d: the proposal %v is missing", i, b)
				break
			}
		}
		proposals[i] = want
	}
	class, box := d.classify(levels, proposals, p)
	golden.Output(t, "class", class.Floats(nil), g.Floats("class"))
	golden.Output(t, "box", box.Floats(nil), g.Floats("box"))
}

// compareDetections finds each detection of torchvision's: boxes within 1e-2 pixels, and scores within 1e-4. Detections whose
// scores differ by rounding alone may stand in another order.
func compareDetections(t *testing.T, g *golden.File, name string, got Detections) {
	t.Helper()
	boxes, scores, classes := g.Floats(name+".boxes"), g.Floats(name+".scores"), g.Floats(name+".labels")
	if len(got) != len(scores) || len(got) < 2 {
		t.Errorf("%s: found %d detections, expected %d", name, len(got), len(scores))
		return
	}
	same := func(d Detection, k int) bool {
		for side, v := range []float32{d.Box.X0, d.Box.Y0, d.Box.X1, d.Box.Y1} {
			if math.Abs(float64(v-boxes[4*k+side])) > 1e-2 {
				return false
			}
		}
		return d.Class == int(classes[k]) && math.Abs(float64(d.Score-scores[k])) <= 1e-4
	}
	taken := make([]bool, len(got))
	for k, score := range scores {
		at := -1
		for i, d := range got { // several may be equal
			if !taken[i] && same(d, k) {
				at = i
				break
			}
		}
		if at < 0 || math.Abs(float64(got[k].Score-score)) > 1e-4 {
			t.Errorf("%s: detection %d: found %+v there, expected %v, the score %v and the class %v", name, k, got[k], boxes[4*k:][:4], score, classes[k])
			return
		}
		taken[at] = true
	}
}

// compareArguments compares the detections that torchvision finds with two sets of arguments of its constructors, all other than
// the defaults.
func compareArguments(t *testing.T, g *golden.File, m *Model, images []image.Image) {
	t.Helper()
	for k, c := range []struct {
		min, max int
		options  Options
	}{
		{100, 140, Options{MinScore: new(float32(0.1)), MaxOverlap: new(0.3), MaxDetections: 20, MaxCandidates: 40, MaxProposals: 50, MinProposalScore: 0.2, MaxProposalOverlap: new(0.5)}},
		{128, 400, Options{MinScore: new(float32(0.06)), MaxOverlap: new(0.8), MaxDetections: 400, MaxCandidates: 300, MaxProposals: 120, MinProposalScore: 0.05, MaxProposalOverlap: new(0.9)}},
	} {
		if err := m.SetSize(c.min, c.max); err != nil {
			t.Fatal(err)
		}
		m.Options = c.options
		found, err := m.Detect(context.Background(), images...)
		if err != nil {
			t.Fatal(err)
		}
		for i := range images {
			compareDetections(t, g, fmt.Sprintf("arguments.%d.%d", k, i), found[i])
		}
	}
	m.Options = Options{}
	if err := m.SetSize(96, 150); err != nil {
		t.Fatal(err)
	}
}

// compareLosses compares the losses of a training step, and the gradients of their sum.
func compareLosses(t *testing.T, g *golden.File, m *Model) {
	t.Helper()
	pixels, shape := g.Tensor("pixels")
	tape := autograd.NewTape(autograd.Options{Gradients: true, Training: true, Debug: true})
	truth := make([]Truth, shape[0])
	for i := range truth {
		for b := range slices.Chunk(g.Floats(fmt.Sprintf("boxes.%d", i)), 4) {
			truth[i].Boxes = append(truth[i].Boxes, Box{X0: b[0], Y0: b[1], X1: b[2], Y1: b[3]})
		}
		truth[i].Classes = g.Ints(fmt.Sprintf("classes.%d", i))
	}
	if !m.Config.SecondVersion {
		backbone.FreezeNorms(m.Network)
	}
	losses := map[string]*autograd.Tensor{}
	switch d := m.Network.(type) {
	case *FCOS:
		l := d.Loss(tape.Input(pixels, shape...), truth)
		losses = map[string]*autograd.Tensor{"classification": l.Class, "bbox_regression": l.Box, "bbox_ctrness": l.Center}
	case *RetinaNet:
		l := d.Loss(tape.Input(pixels, shape...), truth)
		losses = map[string]*autograd.Tensor{"classification": l.Class, "bbox_regression": l.Box}
	}
	if d, ok := m.Network.(*FasterRCNN); ok {
		d.sampled = [2]int{1e6, 1e6}
		if m.Config.SecondVersion {
			d.proposed = 20
		}
		for _, norm := range nn.Layers[nn.BatchNorm](d) {
			norm.Frozen = true // the statistics alone: their gradients would differ by rounding
		}
		sizes := make([][2]int, len(truth))
		for i, size := range slices.Collect(slices.Chunk(g.Ints("sizes"), 2)) {
			sizes[i] = [2]int(size)
		}
		l := d.Loss(tape.Input(pixels, shape...), sizes, truth, rand.New(rand.NewPCG(1, 2)))
		losses = map[string]*autograd.Tensor{"loss_objectness": l.Object, "loss_rpn_box_reg": l.Offsets, "loss_classifier": l.Class, "loss_box_reg": l.Box}
	}
	sum := tape.Full(0)
	for name, l := range losses {
		golden.Output(t, name, l.Floats(nil), g.Floats("loss."+name))
		sum = autograd.Add(sum, l)
	}
	grads := autograd.NewGradients()
	sum.Backward(grads)
	modeltest.Gradients(t, g, namesOf(m.Config), m.Network, grads)
}

// TestTorchvisionCounts compares the numbers of parameters with torchvision's.
func TestTorchvisionCounts(t *testing.T) {
	var theirs map[string]int
	if err := json.Unmarshal(modeltest.Python(t, "detect_torchvision.py", "counts"), &theirs); err != nil {
		t.Fatal(err)
	}
	for name, c := range torchvisions() {
		if got := nn.Count(New(c, 91, nil).Network); got != theirs[name] {
			t.Errorf("%s: found %d parameters, expected %d", name, got, theirs[name])
		}
	}
}

// TestReleases loads files as training programs and torchvision name them: wrapped, and of the first weights, whose
// normalizations have no epsilon.
func TestReleases(t *testing.T) {
	for name, c := range torchvisions() {
		m := New(tiny(c), 91, rand.New(rand.NewPCG(1, 2)))
		dir := t.TempDir()
		if err := m.Save(dir, SaveOptions{}); err != nil {
			t.Fatal(err)
		}
		f, err := checkpoint.Open(filepath.Join(dir, "model.safetensors"), checkpoint.OpenOptions{})
		if err != nil {
			t.Fatal(err)
		}
		var wrapped, old []checkpoint.Entry
		for x := range f.Tensors() {
			values := make([]float32, x.Len())
			if err := x.Floats(values); err != nil {
				t.Fatal(err)
			}
			wrapped = append(wrapped, checkpoint.Entry{Name: "module." + x.Name, Shape: x.Shape, Floats: values})
			name := regexp.MustCompile(`_blocks\.(\d)\.0\.`).ReplaceAllString(x.Name, "_blocks.$1.")
			old = append(old, checkpoint.Entry{Name: name, Shape: x.Shape, Floats: values})
		}
		load := func(file string, entries []checkpoint.Entry) *Model {
			var b bytes.Buffer
			if err := checkpoint.Encode(&b, entries, checkpoint.WriteOptions{}); err != nil {
				t.Fatal(err)
			}
			m, err := Load(fstest.MapFS{file: {Data: b.Bytes()}}, LoadOptions{File: file})
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			return m
		}
		if got := load("checkpoint.safetensors", wrapped); got.Config.ModelType != c.ModelType || got.Config.SecondVersion != c.SecondVersion || got.Config.NormEps != 0 || got.NormEpsAssumed {
			t.Errorf("%s: found %+v", name, got.Config)
		}
		if name == "faster_rcnn_v2" {
			continue // its pyramid never had other names
		}
		first := name == "retinanet" || name == "faster_rcnn"
		if got := load("old.safetensors", old); first != (got.Config.NormEps == withoutEps) || first != got.NormEpsAssumed {
			t.Errorf("%s: the first weights have the epsilon %v", name, got.Config.NormEps)
		}
	}
}

// TestMissing expects the name of a tensor that tells the detector or its sizes, and is missing or has another shape.
func TestMissing(t *testing.T) {
	for _, c := range []struct {
		config     Config
		name, want string
		other      []int // its shape, or nil where the file lacks it
	}{
		{FCOSResNet50(), "head.regression_head.bbox_reg.weight", "expected the tensor head.regression_head.bbox_reg.weight, found none", nil},
		{FCOSResNet50(), "head.regression_head.bbox_reg.weight", "head.regression_head.bbox_reg.weight: expected the shape [out in height width], found [4]", []int{4}},
		{FasterRCNNResNet50(), "roi_heads.box_predictor.cls_score.weight", "expected the tensor roi_heads.box_predictor.cls_score.weight, found none", nil},
		{FasterRCNNResNet50(), "roi_heads.box_predictor.cls_score.weight", "roi_heads.box_predictor.cls_score.weight: expected the shape [classes size], found [4]", []int{4}},
	} {
		dir := t.TempDir()
		if err := New(tiny(c.config), 3, nil).Save(dir, SaveOptions{}); err != nil {
			t.Fatal(err)
		}
		f, err := checkpoint.Open(filepath.Join(dir, "model.safetensors"), checkpoint.OpenOptions{})
		if err != nil {
			t.Fatal(err)
		}
		var entries []checkpoint.Entry
		for x := range f.Tensors() {
			e := checkpoint.Entry{Name: x.Name, Shape: x.Shape, Floats: make([]float32, x.Len())}
			if x.Name == c.name {
				if c.other == nil {
					continue
				}
				e.Shape, e.Floats = c.other, make([]float32, c.other[0])
			}
			entries = append(entries, e)
		}
		var b bytes.Buffer
		if err := checkpoint.Encode(&b, entries, checkpoint.WriteOptions{}); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := Load(fstest.MapFS{"a.safetensors": {Data: b.Bytes()}}, LoadOptions{}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("expected %q, found %v", c.want, err)
		}
	}
}

// TestOtherDetectors expects that torchvision's other detectors are refused by name.
func TestOtherDetectors(t *testing.T) {
	for name, want := range map[string]string{
		"roi_heads.mask_predictor.mask_fcn_logits.weight":      "a model with masks (Mask R-CNN) is not supported",
		"roi_heads.keypoint_predictor.kps_score_lowres.weight": "a model with key points (Keypoint R-CNN) is not supported",
		"head.classification_head.module_list.0.weight":        "a model with the heads of an SSD is not supported",
		"head.classification_head.module_list.0.0.0.weight":    "a model with the heads of an SSD is not supported",
		"backbone.body.1.block.0.0.weight":                     "a model with a MobileNet as its backbone is not supported",
	} {
		var b bytes.Buffer
		if err := checkpoint.Encode(&b, []checkpoint.Entry{{Name: name, Shape: []int{1}, Floats: []float32{0}}}, checkpoint.WriteOptions{}); err != nil {
			t.Fatal(err)
		}
		if _, err := Load(fstest.MapFS{"a.safetensors": {Data: b.Bytes()}}, LoadOptions{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("expected %q, found %v", want, err)
		}
	}
}

// TestSample draws from anchors: at most as many, at most the share with an object, and the same for the same generator.
func TestSample(t *testing.T) {
	match := make([]int, 100)
	for i := range match {
		match[i] = []int{-1, -2, 3, -1}[i%4]
	}
	for _, c := range []struct{ most, with, without int }{{20, 5, 15}, {8, 2, 6}, {1000, 25, 50}, {0, 0, 0}} {
		got := sample(slices.Clone(match), c.most, 0.25, rand.New(rand.NewPCG(1, 2)))
		with := 0
		for _, i := range got {
			if match[i] >= 0 {
				with++
			}
		}
		if with != c.with || len(got)-with != c.without || !slices.IsSorted(got) || slices.ContainsFunc(got, func(i int) bool { return match[i] == -2 }) {
			t.Errorf("%d: found %v", c.most, got)
		}
		if again := sample(match, c.most, 0.25, rand.New(rand.NewPCG(1, 2))); !slices.Equal(got, again) {
			t.Errorf("%d: found %v and %v", c.most, got, again)
		}
	}
}

// tiny returns a small detector on a ResNet.
func tiny(c Config) Config {
	body := backbone.ResNet18()
	body.EmbeddingSize, body.HiddenSizes, body.Depths = 8, []int{8, 8, 16, 16}, []int{1, 1, 1, 1}
	c.Backbone, c.FPNChannels, c.MinSize, c.MaxSize = &body, 32, 64, 80
	if c.HeadSize != 0 {
		c.HeadSize = 16
	}
	return c
}

// TestRoundTrip saves detectors and loads them, with and without the configuration, at another size.
func TestRoundTrip(t *testing.T) {
	for _, c := range torchvisions() {
		c = tiny(c)
		m := New(c, 91, rand.New(rand.NewPCG(1, 2)))
		m.Options.MinScore = new(float32(0.001))
		dir := t.TempDir()
		if err := m.Save(dir, SaveOptions{}); err != nil {
			t.Fatal(err)
		}
		img := vision.NewImage(50, 70, 3)
		want, err := m.Detect(context.Background(), img)
		if err != nil || len(want[0]) == 0 {
			t.Fatalf("%v, %v", want, err)
		}
		for _, size := range []image.Point{{1, 1}, {1, 300}, {200, 2}} {
			if testing.Short() {
				break // TestHostileImages has such images too
			}
			if odd, err := m.Detect(context.Background(), image.NewGray(image.Rectangle{Max: size})); err != nil || len(odd) != 1 {
				t.Errorf("%s, %v: %v, %v", c.ModelType, size, odd, err)
			}
		}
		again, err := Open(dir, LoadOptions{})
		if err != nil {
			t.Fatal(err)
		}
		again.Options = m.Options
		if got, err := again.Detect(context.Background(), img); err != nil || cmp.Diff(want, got) != "" {
			t.Errorf("saved: %v, %s", err, cmp.Diff(want, got))
		}
		if err := os.Remove(filepath.Join(dir, "config.json")); err != nil {
			t.Fatal(err)
		}
		bare, err := Open(dir, LoadOptions{ImageSize: 400})
		if err != nil {
			t.Fatal(err)
		}
		if bare.Config.ModelType != c.ModelType || bare.Config.FPNChannels != 32 || bare.Config.MinSize != 400 || bare.Config.MaxSize != 667 || bare.Config.SecondVersion != c.SecondVersion {
			t.Errorf("found %+v", bare.Config)
		}
		if labels := bare.Labels(); !bare.LabelsAssumed || labels[1] != "person" || labels[90] != "toothbrush" {
			t.Errorf("found %q", labels)
		}
	}
}

// TestAssumedLabels loads detectors whose classes nothing names. Only the number of classes of the release on COCO gives
// names, and a saved model still says that they are assumed.
func TestAssumedLabels(t *testing.T) {
	small := Fastest()
	small.ImageSize = 64
	type labeled struct {
		config  Config
		classes int
		assumed bool
	}
	cases := []labeled{{small, 80, true}, {small, 91, false}}
	for _, c := range torchvisions() {
		cases = append(cases, labeled{tiny(c), 91, true}, labeled{tiny(c), 80, false})
	}
	for _, c := range cases {
		name, dir := fmt.Sprintf("%s of %d classes", c.config.ModelType, c.classes), t.TempDir()
		if err := New(c.config, c.classes, rand.New(rand.NewPCG(1, 2))).Save(dir, SaveOptions{}); err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(filepath.Join(dir, "config.json")); err != nil {
			t.Fatal(err)
		}
		m, err := Open(dir, LoadOptions{})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if m.LabelsAssumed != c.assumed || slices.Contains(m.Labels(), "toothbrush") != c.assumed {
			t.Errorf("%s: expected names assumed %v, found %v, %q", name, c.assumed, m.LabelsAssumed, m.Labels()[1])
		}
		if err := m.Save(dir, SaveOptions{}); err != nil {
			t.Fatal(err)
		}
		again, err := Open(dir, LoadOptions{})
		if err != nil {
			t.Fatalf("%s, saved: %v", name, err)
		}
		if d := cmp.Diff(m.Labels(), again.Labels()); again.LabelsAssumed != c.assumed || d != "" {
			t.Errorf("%s, saved: expected names assumed %v, found %v%s", name, c.assumed, again.LabelsAssumed, d)
		}
		given := again.Labels()
		given[1] = "pedestrian"
		if err := again.SetLabels(given); err != nil || again.LabelsAssumed {
			t.Errorf("%s, named: found %v, assumed %v", name, err, again.LabelsAssumed)
		}
		if err := again.Save(dir, SaveOptions{}); err != nil {
			t.Fatal(err)
		}
		if named, err := Open(dir, LoadOptions{}); err != nil || named.LabelsAssumed || named.Labels()[1] != "pedestrian" {
			t.Errorf("%s, named: found %v", name, err)
		}
	}
}

// TestOtherBackbone expects the reason why a detector on another network is refused.
func TestOtherBackbone(t *testing.T) {
	tensor := func(name string, shape ...int) checkpoint.Entry {
		n := 1
		for _, d := range shape {
			n *= d
		}
		return checkpoint.Entry{Name: name, Shape: shape, Floats: make([]float32, n)}
	}
	resnext := []checkpoint.Entry{tensor("backbone.body.conv1.weight", 8, 3, 7, 7)}
	for _, stage := range []string{"1", "2", "3", "4"} {
		block := "backbone.body.layer" + stage + ".0."
		resnext = append(resnext, tensor(block+"conv1.weight", 8, 8, 1, 1), tensor(block+"conv2.weight", 8, 2, 3, 3), tensor(block+"conv3.weight", 32, 8, 1, 1))
	}
	for head, told := range map[string]bool{"rpn.head.bbox_pred.weight": true, "head.regression_head.bbox_reg.weight": true, "classifier.weight": false} {
		var b bytes.Buffer
		if err := checkpoint.Encode(&b, append(slices.Clone(resnext), tensor(head, 12, 8, 1, 1)), checkpoint.WriteOptions{}); err != nil {
			t.Fatal(err)
		}
		_, err := Load(fstest.MapFS{"model.safetensors": {Data: b.Bytes()}}, LoadOptions{})
		if err == nil || !strings.Contains(err.Error(), "expected the weights of FastestDet") || strings.Contains(err.Error(), "ResNeXt") != told {
			t.Errorf("%s: found %v, expected the reason: %v", head, err, told)
		}
	}
}
