package detect

import (
	"bytes"
	"context"
	"encoding/json"
	"hash/crc32"
	"image"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
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
	"github.com/fovea-ml/fovea/vision"
)

func TestNames(t *testing.T) { modeltest.Names(t, &fastestNames, NewFastestDet(Fastest(), 2, nil)) }

// scripts are the detections of FastestDet's own script.
type scripts struct {
	Images []struct {
		CRC32 uint32      `json:"crc32"`
		High  [][]float32 `json:"0.65"`
		Low   [][]float32 `json:"0.25"`
	}
}

func trained(t *testing.T) (dir string, m *Model, theirs scripts) {
	t.Helper()
	dir = golden.SharedData(t, "detectors", "fastestdet")
	m, err := Open(filepath.Join(dir, "fastestdet.pth"), LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile("testdata/fastest.json")
	if err == nil {
		err = json.Unmarshal(data, &theirs)
	}
	if err != nil {
		t.Fatal(err)
	}
	return dir, m, theirs
}

func photograph(t *testing.T, dir string, i int) *vision.Image {
	t.Helper()
	img, err := vision.DecodeFile(os.DirFS(dir), strconv.Itoa(i)+".jpg", vision.DecodeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return img
}

// output returns the tensor that the release calls the output, [1, 5+classes, cells].
func (d *FastestDet) output(pixels *autograd.Tensor) []float32 {
	object, box, class := d.Predict(pixels)
	raw := fastestRaw{cells: object.Dim(2) * object.Dim(3), classes: class.Dim(1), object: object.Floats(nil), box: box.Floats(nil), class: class.Floats(nil)}
	var all []float32
	for i := range pixels.Dim(0) {
		o, c := raw.probabilities(i)
		all = append(append(all, o...), raw.box[4*i*raw.cells:][:4*raw.cells]...)
		for k := range raw.classes {
			for cell := range raw.cells {
				all = append(all, c[cell*raw.classes+k])
			}
		}
	}
	return all
}

// TestTrained expects the trained model to give the output of its ONNX file and the detections of its script: the latter
// for all three photographs, its threshold and a lower one.
func TestTrained(t *testing.T) {
	dir, m, theirs := trained(t)
	g := golden.Load(t, "testdata/fastest.safetensors")
	d := m.Network.(*FastestDet)
	if got := nn.Count(d); got != 244_490 {
		t.Errorf("found %d parameters", got)
	}
	var images []image.Image
	for i, want := range theirs.Images {
		img := photograph(t, dir, i)
		images = append(images, img)
		square := stretch(img, 352, 352)
		for p := 0; p < len(square); p += 3 { // theirs is blue first
			square[p], square[p+2] = square[p+2], square[p]
		}
		if got := crc32.ChecksumIEEE(square); got != want.CRC32 {
			t.Errorf("image %d: the resized image has the checksum %d, expected %d", i, got, want.CRC32)
		}
		pixels := make([]float32, 3*352*352)
		d.prepare(pixels, img, d.size)
		out := d.output(autograd.NewTape(autograd.Options{}).Input(pixels, 1, 3, 352, 352))
		var cells []float32
		for k := range 85 {
			for cell := 0; cell < 22*22; cell += 9 {
				cells = append(cells, out[k*22*22+cell])
			}
		}
		golden.Output(t, "output", cells, g.Floats(strconv.Itoa(i)))
	}
	for _, c := range []struct {
		options Options
		want    func(i int) [][]float32
	}{
		{Options{}, func(i int) [][]float32 { return theirs.Images[i].High }},
		{Options{MinScore: new(float32(0.25))}, func(i int) [][]float32 { return theirs.Images[i].Low }},
		{Options{MinScore: new(float32(0.25)), MaxDetections: 2}, func(i int) [][]float32 { return theirs.Images[i].Low[:2] }},
	} {
		m.Options = c.options
		found, err := m.Detect(context.Background(), images...)
		if err != nil {
			t.Fatal(err)
		}
		for i, detections := range found {
			compareScript(t, i, detections, c.want(i), m.Labels())
		}
	}
}

// TestTrainedMath expects outputs near those of float32: the error of bfloat16 and of integers, which nearly all convolutions
// but the depthwise ones have.
func TestTrainedMath(t *testing.T) {
	if testing.Short() {
		t.Skip("the portable kernels take seconds")
	}
	dir, m, _ := trained(t)
	d := m.Network.(*FastestDet)
	for math, most := range map[simd.Math]float64{simd.BF16: .05, simd.Int8: .15} {
		var off, size float64
		pixels := make([]float32, 3*352*352)
		d.prepare(pixels, photograph(t, dir, 0), d.size)
		want := d.output(autograd.NewTape(autograd.Options{}).Input(pixels, 1, 3, 352, 352))
		got := d.output(autograd.NewTape(autograd.Options{Math: math}).Input(pixels, 1, 3, 352, 352))
		for j, v := range want {
			off += float64(got[j]-v) * float64(got[j]-v)
			size += float64(v) * float64(v)
		}
		if e := off / size; !(e <= most*most) || math == simd.Int8 && e == 0 {
			t.Errorf("%v: the squared relative error is %.3g, expected at most %.3g", math, e, most*most)
		}
	}
}

// compareScript compares detections in an image of 640×480 pixels: boxes within 1e-2 pixels, scores within 1e-4.
func compareScript(t *testing.T, i int, got Detections, want [][]float32, labels []string) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("image %d: found %d detections, expected %d", i, len(got), len(want))
		return
	}
	for k, d := range got {
		w := want[k]
		box := []float32{d.Box.X0, d.Box.Y0, d.Box.X1, d.Box.Y1}
		for side, v := range box {
			if math.Abs(float64(v-w[side]*[]float32{640, 480}[side%2])) > 1e-2 {
				t.Errorf("image %d, detection %d: found %v, expected %v", i, k, box, w)
			}
		}
		if math.Abs(float64(d.Score-w[4])) > 1e-4 || d.Class != int(w[5]) || d.Label != labels[d.Class] {
			t.Errorf("image %d, detection %d: found %+v, expected %v", i, k, d, w)
		}
	}
}

// TestONNX runs the ONNX file on all pixels of the three photographs.
func TestONNX(t *testing.T) {
	dir, m, _ := trained(t)
	d := m.Network.(*FastestDet)
	pixels := make([]float32, 3*3*352*352)
	for i := range 3 {
		d.prepare(pixels[i*3*352*352:], photograph(t, dir, i), d.size)
	}
	file := filepath.Join(t.TempDir(), "pixels")
	if err := checkpoint.Write(file, []checkpoint.Entry{{Name: "pixels", Shape: []int{3, 3, 352, 352}, Floats: pixels}}, checkpoint.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	modeltest.Python(t, "detect_fastest.py", "onnx", filepath.Join(dir, "FastestDet.onnx"), file)
	if err := os.Rename(file+".output", file+".safetensors"); err != nil {
		t.Fatal(err)
	}
	got := d.output(autograd.NewTape(autograd.Options{}).Input(pixels, 3, 3, 352, 352))
	golden.Output(t, "output", got, golden.Load(t, file+".safetensors").Floats("output"))
}

// TestGradients expects a gradient for every parameter of a network in training.
func TestGradients(t *testing.T) {
	d := NewFastestDet(Fastest(), 3, rand.New(rand.NewPCG(1, 2)))
	tape := autograd.NewTape(autograd.Options{Gradients: true, Training: true, Debug: true})
	x := make([]float32, 2*3*64*96)
	for i := range x {
		x[i] = float32(i%251) / 251
	}
	object, box, class := d.Predict(tape.Input(x, 2, 3, 64, 96))
	if d := cmp.Diff([]int{2, 3, 4, 6}, class.Shape()); d != "" {
		t.Error(d)
	}
	grads := autograd.NewGradients()
	square := func(x *autograd.Tensor) *autograd.Tensor { return autograd.Sum(autograd.Mul(x, x), false) }
	autograd.Add(autograd.Add(square(object), square(box)), square(class)).Backward(grads)
	for path, p := range nn.Parameters(d) {
		if g := grads.Of(p); g == nil || golden.Norm(g) == 0 {
			t.Errorf("%s has no gradient", path)
		}
	}
}

// TestSave saves a model and loads it again: values, classes and size.
func TestSave(t *testing.T) {
	m := New(Config{ModelType: "fastestdet", ImageSize: 64}, 2, rand.New(rand.NewPCG(1, 2)))
	if err := m.SetLabels([]string{"cat", "dog"}); err != nil {
		t.Fatal(err)
	}
	m.Options.MinScore = new(float32(0))
	dir := t.TempDir()
	if err := m.Save(dir, SaveOptions{}); err != nil {
		t.Fatal(err)
	}
	again, err := Open(dir, LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	again.Options = m.Options
	if d := cmp.Diff(m.Config, again.Config); d != "" {
		t.Error(d)
	}
	img := image.NewRGBA(image.Rect(0, 0, 40, 90))
	want, err := m.Detect(context.Background(), img)
	if err != nil {
		t.Fatal(err)
	}
	got, err := again.Detect(context.Background(), img)
	if d := cmp.Diff(want, got); d != "" || err != nil || len(want[0]) == 0 {
		t.Errorf("%d detections, %s%v", len(want[0]), d, err)
	}
	if larger, err := Open(dir, LoadOptions{ImageSize: 96}); err != nil || larger.Network.(*FastestDet).size != 96 {
		t.Error(err)
	}
	if _, err := Open(dir, LoadOptions{ImageSize: 100}); err == nil || !strings.Contains(err.Error(), "multiple of 32") {
		t.Errorf("found %v", err)
	}
}

// TestLoadRefused expects an error that names what is wrong.
func TestLoadRefused(t *testing.T) {
	m := New(Fastest(), 2, nil)
	dir := t.TempDir()
	if err := m.Save(dir, SaveOptions{}); err != nil {
		t.Fatal(err)
	}
	weights, err := os.ReadFile(filepath.Join(dir, "model.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	var other bytes.Buffer
	if err := checkpoint.Encode(&other, []checkpoint.Entry{{Name: "x", Shape: []int{1}, Floats: []float32{1}}}, checkpoint.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	for want, fsys := range map[string]fstest.MapFS{
		"expected the weights of FastestDet":       {"model.safetensors": {Data: other.Bytes()}},
		`expected "fastestdet", found "vit"`:       {"model.safetensors": {Data: weights}, "config.json": {Data: []byte(`{"model_type": "vit"}`)}},
		"image_size: expected a multiple of 32":    {"model.safetensors": {Data: weights}, "config.json": {Data: []byte(`{"model_type": "fastestdet", "image_size": 100}`)}},
		"expected the names of 2 classes, found 3": {"model.safetensors": {Data: weights}, "a.names": {Data: []byte("a\nb\nc\n")}},
		"the configuration describes a model of at least": {"model.safetensors": {Data: weights}, "config.json": {Data: []byte(`{"model_type": "faster_rcnn",
			"min_size": 800, "max_size": 1333, "fpn_channels": 1048576, "head_size": 1048576, "backbone_config": {"model_type": "resnet", "num_channels": 3, "embedding_size": 64,
			"hidden_sizes": [64, 64, 64, 64], "depths": [1, 1, 1, 1], "layer_type": "basic", "hidden_act": "relu"}}`)}},
		"backbone_config: expected a ResNet": {"model.safetensors": {Data: weights}, "config.json": {Data: []byte(`{"model_type": "fcos", "min_size": 800, "max_size": 1333, "fpn_channels": 32}`)}},
		"backbone_config: depths": {"model.safetensors": {Data: weights}, "config.json": {Data: []byte(`{"model_type": "fcos", "min_size": 800, "max_size": 1333, "fpn_channels": 32,
			"backbone_config": {"model_type": "resnet", "num_channels": 3, "embedding_size": 64, "hidden_sizes": [64, 64, 64, 64], "depths": [1, 1, 1, 0], "layer_type": "basic", "hidden_act": "relu"}}`)}},
		"fpn_channels: expected a multiple of 32": {"model.safetensors": {Data: weights}, "config.json": {Data: []byte(`{"model_type": "retinanet", "min_size": 800, "max_size": 1333, "fpn_channels": 33}`)}},
		"min_size: expected 1 to":                 {"model.safetensors": {Data: weights}, "config.json": {Data: []byte(`{"model_type": "retinanet", "max_size": 1333, "fpn_channels": 32}`)}},
		"timm's":                                  {"model.safetensors": {Data: weights}, "config.json": {Data: []byte(`{"architecture": "resnet50"}`)}},
		"neither model.safetensors":               {"a.names": {Data: []byte("a\nb\n")}},
	} {
		if _, err := Load(fsys, LoadOptions{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("expected %q, found %v", want, err)
		}
	}
	named, err := Load(fstest.MapFS{"model.safetensors": {Data: weights}, "a.names": {Data: []byte("cat\r\nlarge dog\r\n")}}, LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"cat", "large dog"}, named.Labels()); d != "" {
		t.Error(d)
	}
}

// TestBatch expects fewer images at once where they are large, and refuses sizes that fill the memory.
func TestBatch(t *testing.T) {
	for size, want := range map[int]int{32: 16, 352: 16, 512: 16, 1024: 4, 2048: 1} {
		if got := New(Config{ModelType: "fastestdet", ImageSize: size}, 1, nil).Network.batch(); got != want {
			t.Errorf("images of %d pixels: %d at once, expected %d", size, got, want)
		}
	}
	if err := (Config{ModelType: "fastestdet", ImageSize: 2080}).Validate(); err == nil || !strings.Contains(err.Error(), "up to 2048") {
		t.Errorf("found %v", err)
	}
	c := FCOSResNet50()
	c.MaxSize = 4097
	if err := c.Validate(); err == nil || !strings.Contains(err.Error(), "max_size: expected 1 to 4096") {
		t.Errorf("found %v", err)
	}
}

// TestDetect gives images that nobody expects, and ends by a context.
func TestDetect(t *testing.T) {
	m := New(Config{ModelType: "fastestdet", ImageSize: 32}, 2, rand.New(rand.NewPCG(1, 2)))
	m.Options.MinScore = new(float32(-1))
	m.Options.MaxOverlap = new(1.0)
	for _, size := range []image.Point{{1, 1}, {1, 500}, {3000, 2}, {32, 32}} {
		found, err := m.Detect(context.Background(), image.NewGray(image.Rectangle{Max: size}))
		if err != nil || len(found) != 1 || len(found[0]) != 4 {
			t.Errorf("%v: found %v, %v", size, found, err)
		}
	}
	if found, err := m.Detect(context.Background()); err != nil || len(found) != 0 {
		t.Errorf("no images: found %v, %v", found, err)
	}
	if _, err := m.Detect(context.Background(), image.NewGray(image.Rect(0, 0, 2, 2)), image.NewGray(image.Rect(0, 0, 0, 2))); err == nil || !strings.Contains(err.Error(), "1") {
		t.Errorf("an image without pixels: found %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := m.Detect(ctx, image.NewGray(image.Rect(0, 0, 2, 2))); err == nil {
		t.Error("a context that ended: expected an error")
	}
}
