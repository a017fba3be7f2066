package detect

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"image"
	"io/fs"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/internal/test/golden"
	"github.com/fovea-ml/fovea/internal/test/modeltest"
	"github.com/fovea-ml/fovea/nn"
	"github.com/fovea-ml/fovea/vision"
)

// darknetText is a small network with every kind of layer.
const darknetText = `[net]
height=32
width=32
channels=3
[convolutional]
batch_normalize=1
filters=4
size=3
stride=2
pad=1
activation=leaky
[maxpool]
size=2
stride=2
[convolutional]
filters=3
size=3
stride=2
padding=1
activation=leaky
[local]
size=3
stride=1
pad=1
filters=2
activation=leaky
[dropout]
probability=.5
[connected]
output=48
activation=linear
[detection]
classes=2
coords=4
rescore=1
side=2
num=2
softmax=0
sqrt=1
`

// darknetWeights returns a file of weights of as many values.
func darknetWeights(values int) []byte {
	rng := rand.New(rand.NewPCG(1, 2))
	var b bytes.Buffer
	b.Write([]byte{0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0})
	for range values {
		binary.Write(&b, binary.LittleEndian, rng.Float32())
	}
	return b.Bytes()
}

// darknetCount is the number of values of darknetText.
const darknetCount = 4*4 + 4*27 + 3 + 3*36 + 2*16 + 16*2*27 + 48 + 48*32

func TestDarknetNames(t *testing.T) {
	c, classes, err := parseDarknet(darknetText)
	if err != nil {
		t.Fatal(err)
	}
	modeltest.Names(t, namesOf(c), NewDarknet(c, classes, nil))
}

// TestDarknet compares the predictions of files of darknet with the same layers in PyTorch.
func TestDarknet(t *testing.T) {
	dir := t.TempDir()
	modeltest.Python(t, "detect_darknet.py", dir)
	g := golden.Load(t, filepath.Join(dir, "yolo.safetensors"))
	m, err := Open(filepath.Join(dir, "yolo.weights"), LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	values, shape := g.Tensor("image")
	img := vision.NewImage(shape[0], shape[1], 3)
	for i, v := range values {
		img.Pix[i] = uint8(v)
	}
	d := m.Network.(*Darknet)
	golden.Output(t, "pixels", d.prepare(img), g.Floats("pixels"))
	forward := func(m *Model) []float32 {
		pixels, shape := g.Tensor("pixels")
		return m.Network.(*Darknet).Forward(autograd.NewTape(autograd.Options{Debug: true}).Input(pixels, shape...)).Floats(nil)
	}
	golden.Output(t, "output", forward(m), g.Floats("output"))
	old, err := OpenDarknet(filepath.Join(dir, "yolo.cfg"), filepath.Join(dir, "old.weights"))
	if err != nil || !slices.Equal(forward(old), forward(m)) {
		t.Errorf("an old file: other predictions, or %v", err)
	}
}

// TestDarknetSave loads files of darknet, saves the model and loads it again.
func TestDarknetSave(t *testing.T) {
	files := fstest.MapFS{"a.cfg": {Data: []byte(darknetText)}, "a.weights": {Data: darknetWeights(darknetCount)}, "a.names": {Data: []byte("cat\ndog\n")}}
	m, err := LoadDarknet(files, "a.cfg", "a.weights")
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"cat", "dog"}, m.Labels()); d != "" || m.LabelsAssumed {
		t.Error(d)
	}
	m.Options.MinScore = new(float32(-1e9))
	images := []image.Image{image.NewGray(image.Rect(0, 0, 1, 1)), noise(1, 40, 7, 3), noise(2, 2, 90, 1)}
	want, err := m.Detect(context.Background(), images...)
	if err != nil || len(want[1]) == 0 {
		t.Fatalf("%v, %v", want, err)
	}
	dir := t.TempDir()
	if err := m.Save(dir, SaveOptions{}); err != nil {
		t.Fatal(err)
	}
	again, err := Open(dir, LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	again.Options = m.Options
	if got, err := again.Detect(context.Background(), images...); err != nil || cmp.Diff(want, got) != "" {
		t.Errorf("%v, %s", err, cmp.Diff(want, got))
	}
	if _, err := Open(dir, LoadOptions{ImageSize: 64}); err == nil || !strings.Contains(err.Error(), "images of 32 pixels alone") {
		t.Errorf("found %v", err)
	}

	p, err := m.Prepare(noise(1, 40, 20, 3), nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.NewHead([]string{"a", "b", "c"}, rand.New(rand.NewPCG(1, 2))); err != nil {
		t.Fatal(err)
	}
	p.Truth = Truth{Boxes: []Box{{X0: 2, Y0: 3, X1: 20, Y1: 30}}, Classes: []int{2}}
	s := m.Samples(Samples{}, []Prepared{p, p})
	parts, err := m.Losses(s.Batch(autograd.NewTape(autograd.Options{Gradients: true, Training: true})), nil)
	if err != nil {
		t.Fatal(err)
	}
	grads := autograd.NewGradients()
	parts.Sum().Backward(grads)
	for path, p := range nn.Parameters(m) {
		if g := grads.Of(p); g == nil || golden.Norm(g) == 0 {
			t.Errorf("%s has no gradient", path)
		}
	}
	if err := m.Save(dir, SaveOptions{}); err != nil {
		t.Fatal(err)
	}
	if again, err := Open(dir, LoadOptions{}); err != nil || again.Classes != 3 {
		t.Errorf("a new head: %v", err)
	}
}

// TestDarknetRefused expects the line and the setting that are not supported, or the number of bytes.
func TestDarknetRefused(t *testing.T) {
	weights := darknetWeights(darknetCount)
	load := func(text string, weights []byte) error {
		_, err := LoadDarknet(fstest.MapFS{"a.cfg": {Data: []byte(text)}, "a.weights": {Data: weights}}, "a.cfg", "a.weights")
		return err
	}
	if err := load(strings.ReplaceAll(darknetText, "\n", "\r\n"), weights); err != nil {
		t.Error(err)
	}
	for _, c := range [][3]string{
		{"[local]", "[region]", "the section [region] is not supported"},
		{"[local]", "[net]", "the section [net] is not supported"},
		{"[net]\n", "", "line 1: expected a section or a setting"},
		{"height=32", "height=64", "expected a square image, found 32×64"},
		{"height=32", "height=0x20", "height: expected a number"},
		{"channels=3", "channels=1", "channels: only 3 is supported, found 1"},
		{"channels=3", "channels=3\nmode=2", `line 5: the setting "mode" of [net] is not supported`},
		{"channels=3", "channels", `line 4: expected a section or a setting, found "channels"`},
		{"channels=3", "channels=3\nchannels=3", "expected \"channels\" once"},
		{"filters=4", "filters=0", "layers.0: filters: expected 1 to"},
		{"filters=4", "filters=4\ngroups=2", "groups: only 1 is supported"},
		{"filters=4", "filters=4\nxnor=1", "xnor: only 0 is supported"},
		{"filters=4", "filters=5", "expected"},
		{"filters=4", "filters=1000000", "bytes for these layers, found"},
		{"activation=leaky", "activation=mish", "activation: only leaky and linear are supported, found \"mish\""},
		{"activation=leaky\n", "", "found \"logistic\""},
		{"size=2\nstride=2", "size=3\nstride=2", "layers.1: size: expected a max pooling of the size 2 and the stride 2"},
		{"size=2\nstride=2", "size=2\nstride=2\npadding=0", "padding: only 1 is supported"},
		{"size=3\nstride=1\npad=1", "size=5\nstride=1\npad=1", "only the size 3 with pad is supported"},
		{"size=3\nstride=1\npad=1", "size=3\nstride=2\npad=1", "stride: only 1 is supported"},
		{"probability=.5", "probability=1.5", "layers.4: probability"},
		{"probability=.5", "probability=x", "probability: expected a number"},
		{"output=48", "output=49", "expected a section [connected] with the output 48"},
		{"softmax=0", "softmax=1", "softmax: only 0 is supported, found 1"},
		{"sqrt=1", "sqrt=0", "sqrt: only 1 is supported, found 0"},
		{"coords=4", "coords=5", "coords: only 4 is supported, found 5"},
		{"classes=2", "classes=0", "expected classes, side and num above 0"},
		{"side=2", "side=99999999", "expected classes, side and num above 0"},
		{"[detection]", "[dropout]", "is not supported"},
	} {
		text := strings.Replace(darknetText, c[0], c[1], 1)
		if err := load(text, weights); err == nil || !strings.Contains(err.Error(), c[2]) {
			t.Errorf("%q: expected %q, found %v", c[1], c[2], err)
		}
	}
	transposed := slices.Clone(weights)
	transposed[1] = 5
	for want, file := range map[string][]byte{
		"expected a version":       {},
		"transposed":               transposed,
		"number of images that":    weights[:14],
		"bytes for these layers":   weights[:len(weights)-1],
		"bytes for these layers, ": append(slices.Clone(weights), 0),
	} {
		if err := load(darknetText, file); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("expected %q, found %v", want, err)
		}
	}
	if _, err := Open(filepath.Join(t.TempDir(), "a.weights"), LoadOptions{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("found %v", err)
	}
	if _, err := Open("a.weights", LoadOptions{ImageSize: 32}); err == nil || !strings.Contains(err.Error(), "expected no ImageSize") {
		t.Errorf("found %v", err)
	}
}

// TestDarknetConfig expects the layer and the field of a config.json that no network can have.
func TestDarknetConfig(t *testing.T) {
	c, _, err := parseDarknet(darknetText)
	if err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(c *Config){
		"layers.0: type":                             func(c *Config) { c.Layers[0].Type = "route" },
		"layers.0: output":                           func(c *Config) { c.Layers[0].Output = 3 },
		"layers.0: padding":                          func(c *Config) { c.Layers[0].Padding = -1 },
		"layers.0: stride":                           func(c *Config) { c.Layers[0].Stride = 0 },
		"layers.3: size":                             func(c *Config) { c.Layers[3].Size = 4 },
		"layers.1: expected an even":                 func(c *Config) { c.Layers[0].Padding = 2 },
		"layers.2: expected an image of at least 11": func(c *Config) { c.Layers[2].Size, c.Layers[2].Padding = 13, 1 },
		"layers: expected":                           func(c *Config) { c.Layers = c.Layers[:5] },
		"layers.4: expected an output":               func(c *Config) { c.Layers[4] = c.Layers[5] },
		"grid_size":                                  func(c *Config) { c.GridSize = 0 },
		"boxes_per_cell":                             func(c *Config) { c.BoxesPerCell = 100 },
		"image_size":                                 func(c *Config) { c.ImageSize = 1 << 20 },
		"head_size":                                  func(c *Config) { c.HeadSize = 1 },
		"layers.0: expected a layer of at most":      func(c *Config) { c.ImageSize, c.Layers[0].Filters = 64, 1<<20 },
	} {
		changed := c
		changed.Layers = slices.Clone(c.Layers)
		change(&changed)
		if err := changed.Validate(); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("expected %q, found %v", want, err)
		}
	}
}

// FuzzDarknet expects no panic for any file of layers, and a valid configuration where there is no error.
func FuzzDarknet(f *testing.F) {
	f.Add(darknetText)
	f.Add("[net]\nwidth=32\nheight=32\nchannels=3\n[connected]\noutput=6\nactivation=linear\n[detection]\nside=1\ncoords=4\nsqrt=1\n")
	f.Fuzz(func(t *testing.T, text string) {
		c, classes, err := parseDarknet(text)
		if err != nil || c.Validate() != nil {
			return
		}
		if v := c.darknetValues(classes); !(v > 0) {
			t.Errorf("%v values", v)
		}
	})
}
