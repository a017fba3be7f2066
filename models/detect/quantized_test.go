package detect

import (
	"context"
	"image"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/internal/test/golden"
	"github.com/fovea-ml/fovea/metrics"
	"github.com/fovea-ml/fovea/nn"
	"github.com/fovea-ml/fovea/nn/quant"
	"github.com/fovea-ml/fovea/simd"
	"github.com/fovea-ml/fovea/vision"
)

// TestQuantizedFastestDet converts the trained model by the rule Blocks. Against what float32 finds in photographs, its AP50 is at
// least 99.5 points. The saved folder gives the same bits.
func TestQuantizedFastestDet(t *testing.T) {
	if testing.Short() {
		t.Skip("the portable kernels take seconds")
	}
	_, m, _ := trained(t)
	var images []image.Image
	for _, name := range []string{
		"detectors/fastestdet/0.jpg", "detectors/fastestdet/1.jpg", "detectors/fastestdet/2.jpg", "detectors/mtcnn/multiface.jpg",
		"detectors/mtcnn/ivan.jpg", "detectors/ultraface/17.jpg", "images/astronaut.png", "images/chelsea.png", "images/coffee.png",
	} {
		img, err := vision.DecodeFile(os.DirFS(golden.SharedData(t)), name, vision.DecodeOptions{})
		if err != nil {
			t.Fatal(err)
		}
		images = append(images, img)
	}
	find := func(m *Model) (all []metrics.Detection) {
		found, err := m.Detect(context.Background(), images...)
		if err != nil {
			t.Fatal(err)
		}
		for i, each := range found {
			for _, d := range each {
				b := d.Box
				all = append(all, metrics.Detection{Image: i, Class: d.Class, Score: float64(d.Score),
					Box: metrics.Corners(float64(b.X0), float64(b.Y0), float64(b.X1), float64(b.Y1))})
			}
		}
		return all
	}
	var truth []metrics.Object
	for _, d := range find(m) {
		truth = append(truth, metrics.Object{Image: d.Image, Class: d.Class, Box: d.Box})
	}
	before := quant.Bytes(m.Network)
	if _, err := quant.Quantize(m.Network, quant.Blocks); err != nil {
		t.Fatal(err)
	}
	after := quant.Bytes(m.Network)
	if share := float64(after) / float64(before); share > .6 {
		t.Errorf("%d bytes of %d", after, before)
	}
	m.Math = simd.Int8
	m.Options.MinScore = new(float32(.5)) // a score at the edge counts for little
	found := find(m)
	r, err := metrics.COCO(truth, found, metrics.COCOOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d objects: AP %.2f, AP50 %.2f; %d bytes of %d", len(truth), 100*r.AP, 100*r.AP50, after, before)
	if r.AP50 < .995 {
		t.Errorf("the AP50 of %d objects is %.2f points, expected at least 99.5", len(truth), 100*r.AP50)
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
	if again.Math != simd.Int8 || quant.Bytes(again.Network) != after || !slices.Equal(find(again), found) {
		t.Errorf("the saved model has %d bytes in %v, and finds other objects", quant.Bytes(again.Network), again.Math)
	}
}

// TestQuantizedConvolutions saves each small detector that has integers in all layers, and expects the same bits of the folder.
func TestQuantizedConvolutions(t *testing.T) {
	for _, c := range small() {
		m := New(c, 3, rand.New(rand.NewPCG(1, 2)))
		if _, err := quant.Quantize(m.Network, quant.All); err != nil {
			t.Errorf("%s: %v", c.ModelType, err)
			continue
		}
		dir := t.TempDir()
		if err := m.Save(dir, SaveOptions{}); err != nil {
			t.Errorf("%s: %v", c.ModelType, err)
			continue
		}
		again, err := Open(dir, LoadOptions{})
		if err != nil {
			t.Errorf("%s: %v", c.ModelType, err)
			continue
		}
		want := map[string]*autograd.Parameter{}
		for path, p := range nn.Parameters(m.Network) {
			want[path] = p
		}
		for path, p := range nn.Parameters(again.Network) {
			if w := want[path]; w == nil || p.DType() != w.DType() || p.MathLimit() != w.MathLimit() || !slices.Equal(p.Values(), w.Values()) {
				t.Errorf("%s: %s is %v in %v", c.ModelType, path, p.DType(), p.MathLimit())
			}
		}
	}
}
