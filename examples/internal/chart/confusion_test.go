package chart

import (
	"fmt"
	"image/png"
	"os"
	"path/filepath"
	"testing"

	"github.com/fovea-ml/fovea/metrics"
)

// TestSaveConfusion draws matrices with names, with long and many names, and with so many classes that none is named. The cells
// of the diagonal hold all samples, so they are darker than the others.
func TestSaveConfusion(t *testing.T) {
	for _, n := range []int{2, 9, 40} {
		c := metrics.NewConfusion(n)
		for class := range n {
			c.Names = append(c.Names, fmt.Sprint("a class with a long name, no. ", class))
			c.Add(class, class)
		}
		name := filepath.Join(t.TempDir(), "confusion.png")
		if err := SaveConfusion(name, "Test", c); err != nil {
			t.Fatal(err)
		}
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		img, err := png.Decode(f)
		f.Close()
		if err != nil {
			t.Fatal(err)
		}
		dark := 0
		for y := range img.Bounds().Dy() {
			for x := range img.Bounds().Dx() {
				if r, g, b, _ := img.At(x, y).RGBA(); uint8(r>>8) == Blue.R && uint8(g>>8) == Blue.G && uint8(b>>8) == Blue.B {
					dark++
				}
			}
		}
		area := img.Bounds().Dx() * img.Bounds().Dy()
		if share := float64(dark) / float64(area) * float64(n); share < 0.2 || share > 1 {
			t.Errorf("%d classes: %d of %d pixels have the color of the diagonal", n, dark, area)
		}
	}
}
