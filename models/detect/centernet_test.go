package detect

import (
	"context"
	"encoding/json"
	"fmt"
	"image"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/internal/test/golden"
	"github.com/fovea-ml/fovea/internal/test/modeltest"
	"github.com/fovea-ml/fovea/nn"
	"github.com/fovea-ml/fovea/vision"
)

// centerNets are the networks of the release, by the names of the script.
func centerNets() map[string]Config {
	plain := CenterNetResNet18()
	plain.Deformable, plain.UpSizes = false, []int{256, 256, 256}
	return map[string]Config{"res18": plain, "resdcn18": CenterNetResNet18(), "resdcn101": CenterNetResNet101(), "dla": CenterNetDLA34()}
}

// tinyCenterNets are small networks of each kind.
func tinyCenterNets() map[string]Config {
	small := centerNets()
	delete(small, "resdcn101")
	for name, c := range small {
		body := *c.Backbone
		body.EmbeddingSize = 8
		if name == "dla" {
			body.HiddenSizes = []int{8, 8, 8, 8, 16, 16}
		} else {
			body.HiddenSizes, body.Depths = []int{8, 8, 16, 16}, []int{1, 1, 1, 1}
			c.UpSizes = []int{8, 6, 4}
		}
		c.Backbone, c.HeadSize, c.ImageSize = &body, 8, 64
		small[name] = c
	}
	return small
}

func TestCenterNetNames(t *testing.T) {
	for _, c := range centerNets() {
		modeltest.Names(t, namesOf(c), NewCenterNet(c, 2, nil))
	}
}

// TestCenterNetCounts compares the numbers of parameters with networks written from the paper in PyTorch.
func TestCenterNetCounts(t *testing.T) {
	var theirs map[string]int
	if err := json.Unmarshal(modeltest.Python(t, "detect_centernet.py", "counts"), &theirs); err != nil {
		t.Fatal(err)
	}
	for name, c := range centerNets() {
		if got := nn.Count(NewCenterNet(c, 80, nil)); got != theirs[name] {
			t.Errorf("%s: found %d parameters, expected %d", name, got, theirs[name])
		}
	}
}

// TestCenterNet compares pixels, predictions, losses, gradients and detections with the same formulas in PyTorch.
func TestCenterNet(t *testing.T) {
	dir := t.TempDir()
	modeltest.Python(t, "detect_centernet.py", dir)
	for _, name := range []string{"res", "resdcn", "dla"} {
		t.Run(name, func(t *testing.T) { compareCenterNet(t, filepath.Join(dir, name)) })
	}
}

func compareCenterNet(t *testing.T, at string) {
	g := golden.Load(t, at+".safetensors")
	m, err := Open(at+".pth", LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	d := m.Network.(*CenterNet)
	if got, want := nn.Count(d), int(g.Floats("parameters")[0]); got != want || m.Classes != 5 {
		t.Errorf("found %d parameters and %d classes, expected %d and 5", got, m.Classes, want)
	}
	pixels, shape := g.Tensor("pixels")
	heat, size, offset := d.Forward(autograd.NewTape(autograd.Options{Debug: true}).Input(pixels, shape...))
	for name, x := range map[string]*autograd.Tensor{"hm": heat, "wh": size, "reg": offset} {
		golden.Output(t, name, x.Floats(nil), g.Floats(name))
	}

	d.KeepSize = true
	m.Options.MinScore = new(float32(0))
	for i := range 2 {
		img := goldenImage(g, i)
		want, shape := g.Tensor(fmt.Sprintf("pixels.%d", i))
		v := d.view(img, d.size, 1)
		if v.height != shape[2] || v.width != shape[3] {
			t.Fatalf("found %d×%d pixels, expected %v", v.height, v.width, shape)
		}
		got := make([]float32, len(want))
		v.pixels(got, img)
		golden.Output(t, "pixels", got, want)
		for way, flip := range map[string]bool{"alone": false, "flip": true} {
			d.Flip = flip
			found, err := m.Detect(context.Background(), img)
			if err != nil {
				t.Fatal(err)
			}
			compareDetections(t, g, fmt.Sprintf("%s.%d", way, i), found[0])
		}
	}

	for _, norm := range nn.Layers[nn.BatchNorm](d) {
		norm.Frozen = true // the statistics alone
	}
	for _, way := range []string{"corrected", "published"} {
		d.CorrectRadius = way == "corrected"
		tape := autograd.NewTape(autograd.Options{Gradients: true, Training: true, Debug: true})
		l := d.Loss(tape.Input(pixels, shape...), goldenTruth(g, shape[0]))
		for name, l := range map[string]*autograd.Tensor{"heatmap": l.Heatmap, "size": l.Size, "offset": l.Offset} {
			golden.Output(t, way+" "+name, l.Floats(nil), g.Floats(way+".loss."+name))
		}
		if way == "published" {
			grads := autograd.NewGradients()
			autograd.Add(autograd.Add(l.Heatmap, l.Size), l.Offset).Backward(grads)
			modeltest.Gradients(t, g, namesOf(m.Config), d, grads)
		}
	}
}

// TestCenterNetSave saves models and loads them again, with the configuration and without, and detects in images of any size.
func TestCenterNetSave(t *testing.T) {
	for name, c := range tinyCenterNets() {
		m := New(c, 80, rand.New(rand.NewPCG(1, 2)))
		m.Options.MinScore = new(float32(0.01))
		dir := t.TempDir()
		if err := m.Save(dir, SaveOptions{}); err != nil {
			t.Fatal(err)
		}
		images := []image.Image{image.NewRGBA(image.Rect(0, 0, 40, 90)), image.NewGray(image.Rect(0, 0, 1, 1)), image.NewGray(image.Rect(0, 0, 900, 2))}
		want, err := m.Detect(context.Background(), images...)
		if err != nil || len(want) != 3 || len(want[0]) == 0 {
			t.Fatalf("%v, %v", want, err)
		}
		for _, bare := range []bool{false, true} {
			if bare {
				if err := os.Remove(filepath.Join(dir, "config.json")); err != nil {
					t.Fatal(err)
				}
			}
			again, err := Open(dir, LoadOptions{ImageSize: 64})
			if err != nil {
				t.Fatal(err)
			}
			if again.LabelsAssumed != bare || (again.Labels()[79] == "toothbrush") != bare {
				t.Errorf("%s: found %q", name, again.Labels())
			}
			again.Options = m.Options
			if err := again.SetLabels(m.Labels()); err != nil {
				t.Fatal(err)
			}
			if got, err := again.Detect(context.Background(), images...); err != nil || cmp.Diff(want, got) != "" {
				t.Errorf("%s: %v, %s", name, err, cmp.Diff(want, got))
			}
			again.Config.Classes = m.Config.Classes
			if d := cmp.Diff(m.Config, again.Config); d != "" {
				t.Errorf("%s: %s", name, d)
			}
		}
	}
}

// TestCenterNetAlone expects the same detections of an image alone and in a batch, at several scales and mirrored.
func TestCenterNetAlone(t *testing.T) {
	m := New(tinyCenterNets()["resdcn18"], 3, rand.New(rand.NewPCG(1, 2)))
	d := m.Network.(*CenterNet)
	m.Options.MinScore = new(float32(0.01))
	rng := rand.New(rand.NewPCG(3, 4))
	var images []image.Image
	for _, size := range [][2]int{{40, 90}, {64, 64}, {33, 7}} {
		img := vision.NewImage(size[0], size[1], 3)
		for i := range img.Pix {
			img.Pix[i] = uint8(rng.IntN(256))
		}
		images = append(images, img)
	}
	for _, keep := range []bool{false, true} {
		for _, scales := range [][]float64{nil, {0.5, 1, 1.5}} {
			d.KeepSize, d.Scales, d.Flip = keep, scales, scales != nil
			together, err := m.Detect(context.Background(), images...)
			if err != nil {
				t.Fatal(err)
			}
			for i, img := range images {
				alone, err := m.Detect(context.Background(), img)
				if err != nil || len(alone[0]) == 0 || cmp.Diff(together[i], alone[0]) != "" {
					t.Errorf("keep %v, scales %v, image %d: %v, %s", keep, scales, i, err, cmp.Diff(together[i], alone[0]))
				}
				if len(alone[0]) > centerMost || !slices.IsSortedFunc(alone[0], func(a, b Detection) int { return int(1e9 * (b.Score - a.Score)) }) {
					t.Errorf("%d detections, or not sorted", len(alone[0]))
				}
			}
		}
	}
	d.KeepSize, d.Scales = true, nil
	if _, err := m.Detect(context.Background(), image.NewGray(image.Rect(0, 0, 5000, 4))); err == nil {
		t.Error("a side of 5,000 pixels: expected an error")
	}
	for _, scale := range []float64{0, -1, 1e300} {
		d.Scales = []float64{scale}
		if _, err := m.Detect(context.Background(), images[0]); err == nil {
			t.Errorf("the scale %v: expected an error", scale)
		}
	}
}

// TestCenterNetTraining expects a loss that falls, finite losses without objects, and a gradient for every parameter.
func TestCenterNetTraining(t *testing.T) {
	for _, name := range slices.Sorted(maps.Keys(tinyCenterNets())) {
		d := New(tinyCenterNets()[name], 2, rand.New(rand.NewPCG(1, 2))).Network.(*CenterNet)
		pixels := make([]float32, 2*3*64*64)
		for i := range pixels {
			pixels[i] = float32(i%97)/97 - float32(i/(3*64*64))
		}
		step := func(truth ...Truth) (float32, *autograd.Gradients) {
			l := d.Loss(autograd.NewTape(autograd.Options{Gradients: true, Training: true}).Input(pixels, 2, 3, 64, 64), truth)
			sum := autograd.Add(autograd.Add(l.Heatmap, l.Size), l.Offset)
			grads := autograd.NewGradients()
			sum.Backward(grads)
			return sum.Float(), grads
		}
		if loss, _ := step(Truth{}, Truth{Boxes: []Box{{X0: 70, Y0: 0, X1: 90, Y1: 20}}, Classes: []int{0}}); !(loss > 0 && finite(loss)) {
			t.Errorf("%s, without objects: a loss of %v", name, loss)
		}
		var first, last float32
		for i := range 15 {
			loss, grads := step(Truth{Boxes: []Box{{X0: 3, Y0: 30, X1: 40, Y1: 60}}, Classes: []int{1}}, Truth{})
			if last = loss; i == 0 {
				first = loss
			}
			var all [][]float32
			for path, p := range nn.Parameters(d) {
				g := grads.Of(p)
				if g == nil {
					t.Fatalf("%s: %s has no gradient", name, path)
				}
				all = append(all, g)
			}
			rate := float32(0.1 / golden.Norm(all...)) // steps of one length: gradients of the stem are large
			for _, p := range nn.Parameters(d) {
				g := grads.Of(p)
				p.Update(func(v []float32) {
					for i := range v {
						v[i] -= float32(rate * g[i]) // rounded, so that no processor fuses the two
					}
				})
			}
		}
		if !(last < 0.9*first) {
			t.Errorf("%s: the loss went from %v to %v", name, first, last)
		}
	}
}

// TestCenterClaim expects half of the values of a network to be claimed, and no more than there are.
func TestCenterClaim(t *testing.T) {
	configs := centerNets()
	delete(configs, "resdcn101")
	for name, c := range configs {
		held, claimed := float64(nn.Count(New(c, 2, nil).Network)), kindOf(c.ModelType).claim(c).Values
		if claimed > held || claimed < 0.5*held {
			t.Errorf("%s: %.0f of %.0f values are claimed", name, claimed, held)
		}
	}
}
