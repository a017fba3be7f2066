package chart

import (
	"image/png"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/fovea-ml/fovea/metrics"
)

// TestPrecisionRecall draws curves of an evaluation, an empty one among them. The picture has the colors of the first three.
func TestPrecisionRecall(t *testing.T) {
	var objects []metrics.Object
	var found []metrics.Detection
	r := rand.New(rand.NewPCG(1, 2))
	for i := range 200 {
		o := metrics.Object{Image: i, Class: i % 5, Box: metrics.Box{W: 10, H: 10}}
		objects = append(objects, o)
		d := metrics.Detection{Image: i, Class: o.Class, Box: o.Box, Score: r.Float64()}
		d.Box.X = r.Float64() * 10 * (1 - d.Score)
		found = append(found, d)
	}
	result, err := metrics.COCO(objects, found, metrics.COCOOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var curves []NamedCurve
	for _, c := range result.Classes {
		curves = append(curves, NamedCurve{"a class", c.Curve(0)})
	}
	curves = append(curves, NamedCurve{Name: "nothing"})
	name := filepath.Join(t.TempDir(), "curves.png")
	if err := Save(name, PrecisionRecall("Precision at IoU 0.5", curves...)); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	img, err := png.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[uint32]int{}
	for y := range img.Bounds().Dy() {
		for x := range img.Bounds().Dx() {
			r, g, b, _ := img.At(x, y).RGBA()
			seen[r>>8<<16|g>>8<<8|b>>8]++
		}
	}
	for _, c := range []struct {
		name    string
		r, g, b uint8
	}{{"blue", Blue.R, Blue.G, Blue.B}, {"orange", Orange.R, Orange.G, Orange.B}, {"green", Green.R, Green.G, Green.B}} {
		if n := seen[uint32(c.r)<<16|uint32(c.g)<<8|uint32(c.b)]; n < 20 {
			t.Errorf("%d pixels are %s", n, c.name)
		}
	}
}
