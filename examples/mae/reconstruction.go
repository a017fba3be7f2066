package main

import (
	"context"
	"image"
	"image/color"
	"image/draw"
	"io"

	"golang.org/x/image/font"
	"golang.org/x/image/font/basicfont"
	"golang.org/x/image/math/fixed"

	"github.com/fovea-ml/fovea/internal/atomicfile"
	"github.com/fovea-ml/fovea/models/mae"
	"github.com/fovea-ml/fovea/vision"
)

const (
	shownRows    = 4   // of reconstructions
	shownColumns = 2   // of three images each
	tileSide     = 112 // minimum in pixels, so that the headings fit
)

// drawReconstructions writes reconstruction.png, a sheet of test images. It shows each image three times: the original,
// the visible patches, and the reconstruction.
func (r *run) drawReconstructions(ctx context.Context, m *mae.Model) error {
	test := r.images.test
	n := min(shownRows*shownColumns, test.Len())
	var originals []image.Image
	for i := range n {
		// Evenly spread, so that a data set sorted by class shows all classes.
		p, err := test.Open(i * test.Len() / n)
		if err != nil {
			return err
		}
		originals = append(originals, p)
	}
	rebuilt, err := m.Reconstruct(ctx, r.seed(5), originals...)
	if err != nil {
		return err
	}
	return writePNG(r.path("reconstruction.png"), sheet(rebuilt, m.Config.ImageSize))
}

// sheet arranges reconstructions in rows, with a heading above each column.
func sheet(rebuilt []mae.Reconstruction, size int) *vision.Image {
	const gap, between, heading = 6, 24, 22
	zoom := max(1, (tileSide+size-1)/size)
	side := size * zoom
	columns := min(shownColumns, len(rebuilt))
	rows := (len(rebuilt) + columns - 1) / columns
	block := 3*side + 2*gap
	canvas := image.NewRGBA(image.Rect(0, 0, columns*block+(columns-1)*between+2*gap, heading+rows*(side+gap)+gap))
	draw.Draw(canvas, canvas.Bounds(), image.White, image.Point{}, draw.Src)
	for c := range columns {
		for i, title := range []string{"original", "masked", "reconstructed"} {
			drawCentered(canvas, title, gap+c*(block+between)+i*(side+gap)+side/2, heading-7)
		}
	}
	for k, one := range rebuilt {
		for i, m := range []*vision.Image{one.Original, one.Masked, one.Filled} {
			x := gap + k%columns*(block+between) + i*(side+gap)
			y := heading + k/columns*(side+gap)
			for dy := range side {
				for dx := range side {
					canvas.Set(x+dx, y+dy, m.At(dx/zoom, dy/zoom))
				}
			}
		}
	}
	out, _ := vision.FromImage(canvas) // fails only for an empty image
	return out
}

// drawCentered draws text centered at x, on the base line y.
func drawCentered(dst draw.Image, text string, x, y int) {
	d := font.Drawer{Dst: dst, Src: image.NewUniform(color.Gray{60}), Face: basicfont.Face7x13}
	d.Dot = fixed.P(x, y)
	d.Dot.X -= d.MeasureString(text) / 2
	d.DrawString(text)
}

func writePNG(path string, m *vision.Image) error {
	return atomicfile.Write(path, func(w io.Writer) error { return vision.WritePNG(w, m) })
}
