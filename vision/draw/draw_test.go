package draw

import (
	"bytes"
	"errors"
	"image"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/fovea-ml/fovea/data"
	"github.com/fovea-ml/fovea/vision"
)

// noise is an image whose samples differ.
func noise(h, w, channels int) *vision.Image {
	m := vision.NewImage(h, w, channels)
	r := rand.New(rand.NewPCG(uint64(w), uint64(h)))
	for i := range m.Pix {
		m.Pix[i] = uint8(r.Uint32())
	}
	return m
}

// plain is an RGB image of one color.
func plain(h, w int, color [3]uint8) *vision.Image {
	m := vision.NewImage(h, w, 3)
	canvas{m}.fill(m.Bounds(), color, 255)
	return m
}

func box(x0, y0, x1, y1 float32) Box { return Box{X0: x0, Y0: y0, X1: x1, Y1: y1} }

func at(m *vision.Image, x, y int) [3]uint8 { return [3]uint8(m.Pix[3*(y*m.Width+x):]) }

// count returns how many pixels of a rectangle have the color.
func count(m *vision.Image, r image.Rectangle, color [3]uint8) int {
	n := 0
	for y := r.Min.Y; y < r.Max.Y; y++ {
		for x := r.Min.X; x < r.Max.X; x++ {
			if at(m, x, y) == color {
				n++
			}
		}
	}
	return n
}

// dark returns how many pixels of a rectangle are nearly black.
func dark(m *vision.Image, r image.Rectangle) int {
	n := 0
	for y := r.Min.Y; y < r.Max.Y; y++ {
		for x := r.Min.X; x < r.Max.X; x++ {
			if c := at(m, x, y); max(c[0], c[1], c[2]) < 100 {
				n++
			}
		}
	}
	return n
}

func TestAnnotate(t *testing.T) {
	gray := [3]uint8{128, 128, 128}
	m := plain(240, 320, gray)
	before := m.Clone()
	out, err := Annotate(m, []Annotation{
		{Box: box(50, 60, 150, 160), Label: "cat", Score: 0.97, Class: 3, Points: [][2]float32{{100, 110}}},
		{Box: box(50, 60, 150, 160), Label: "dog", Class: 4},
		{Box: box(-40, -40, 30, 30), Label: "corner", Class: 5},
	})
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(m.Pix, before.Pix) {
		t.Error("the image itself was drawn on")
	}
	if got := at(out, 100, 110); got != ClassColor(3) {
		t.Errorf("landmark is %v", got)
	}
	if got := at(out, 100, 160); got != ClassColor(4) {
		t.Errorf("lower edge is %v, expected that of the last box", got)
	}
	if got := at(out, 125, 135); got != gray {
		t.Errorf("inside the box the image became %v", got)
	}
	if n := count(out, image.Rect(160, 0, 320, 240), gray); n != 160*240 {
		t.Errorf("%d of %d pixels beside the box were drawn on", 160*240-n, 160*240)
	}
	// Above the box one label, and the other one below its edge, not over it.
	for class, r := range map[int]image.Rectangle{3: image.Rect(45, 35, 160, 57), 4: image.Rect(53, 62, 160, 84)} {
		ground, letters := count(out, r, ClassColor(class)), dark(out, r)
		if ground < 200 || letters < 15 {
			t.Errorf("class %d: %d pixels of the label's ground and %d of its letters", class, ground, letters)
		}
	}
	if n := dark(out, image.Rect(0, 0, 45, 20)); n < 15 {
		t.Errorf("the label of a box that begins outside the image has %d pixels of letters", n)
	}
	if out, err := Annotate(noise(7, 9, 1), nil); err != nil || out.Channels != 3 {
		t.Errorf("nothing found: %v", err)
	}
	nan := float32(math.NaN())
	for _, bad := range []Annotation{{Box: box(nan, 0, 1, 1)}, {Box: box(0, 0, float32(math.Inf(1)), 1)}, {Points: [][2]float32{{1, nan}}}} {
		if _, err := Annotate(m, []Annotation{{}, bad}); !errors.Is(err, vision.ErrSize) || !strings.Contains(err.Error(), "annotation 1") {
			t.Errorf("%v: %v", bad, err)
		}
	}
	if _, err := Annotate(&vision.Image{}, nil); !errors.Is(err, vision.ErrSize) {
		t.Errorf("empty image: %v", err)
	}
}

// Boxes and labels of any kind on images of any size are drawn or cut off, and never panic.
func TestAnnotateAnything(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	labels := []string{"", "x", "a label that is wider than any of these images " + strings.Repeat("m", 5000), "two\nlines\x00", "\xff\xfe", "日本語 🙂", strings.Repeat("\u0301", 40)}
	for range 300 {
		m := noise(1+r.IntN(70), 1+r.IntN(90), 3)
		var found []Annotation
		for range r.IntN(6) {
			v := func() float32 { return float32((r.Float64() - 0.5) * math.Pow(10, r.Float64()*30)) }
			found = append(found, Annotation{
				Box: box(v(), v(), v(), v()), Label: labels[r.IntN(len(labels))], Score: float32(r.NormFloat64()),
				Class: int(r.Int32()) - 1<<30, Points: [][2]float32{{v(), v()}},
			})
		}
		out, err := Annotate(m, found)
		if err != nil {
			t.Fatal(err)
		}
		if out.Width != m.Width || out.Height != m.Height || out.Validate() != nil {
			t.Fatalf("%d×%d became %d×%d", m.Width, m.Height, out.Width, out.Height)
		}
	}
}

func TestClassColors(t *testing.T) {
	const classes = 80
	seen := map[[3]uint8]int{}
	for i := range classes {
		c := ClassColor(i)
		if other, ok := seen[c]; ok {
			t.Errorf("classes %d and %d have the color %v", other, i, c)
		}
		seen[c] = i
		next := ClassColor(i + 1)
		d := 0
		for ch := range c {
			d += max(int(c[ch]), int(next[ch])) - min(int(c[ch]), int(next[ch]))
		}
		if d < 120 {
			t.Errorf("classes %d and %d look alike: %v and %v", i, i+1, c, next)
		}
	}
	if readableOn([3]uint8{255, 255, 0}) != [3]uint8{} || readableOn([3]uint8{0, 0, 160}) != white {
		t.Error("unreadable letters")
	}
}

func TestHeatmap(t *testing.T) {
	m := plain(15, 30, [3]uint8{100, 100, 100})
	values := []float32{0, 1, 2, 3, 4, 5} // 3×2 cells, 10 × 7.5 pixels each
	out, err := Heatmap(m, values, 2, 3, HeatmapOptions{Opacity: new(1.0)})
	if err != nil {
		t.Fatal(err)
	}
	for corner, v := range map[image.Point]float64{{0, 0}: 0, {29, 0}: 2. / 5, {0, 14}: 3. / 5, {29, 14}: 1} {
		if got, want := at(out, corner.X, corner.Y), Viridis.At(v); got != want {
			t.Errorf("corner %v is %v, want %v", corner, got, want)
		}
	}
	// Between the centers of the first two cells, at x = 5 and 15, the numbers grow by a tenth a pixel.
	if got, want := at(out, 9, 0), Viridis.At(math.Round(255*0.45/5)/255); got != want {
		t.Errorf("between two cells: %v, want %v", got, want)
	}
	half, err := Heatmap(m, []float32{7}, 1, 1, HeatmapOptions{Colors: Gray, Low: 0, High: 7})
	if err != nil {
		t.Fatal(err)
	}
	if got := at(half, 3, 3); got != [3]uint8{178, 178, 178} {
		t.Errorf("half of white over 100 is %v", got)
	}
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	hole, err := Heatmap(m, []float32{0, 1, nan, inf, 1, 0}, 1, 6, HeatmapOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if at(hole, 15, 7) != at(m, 15, 7) || at(hole, 2, 7) == at(m, 2, 7) {
		t.Error("the image shows where the numbers are finite, or does not where they are not")
	}
	if flat, err := Heatmap(m, []float32{3, 3}, 1, 2, HeatmapOptions{Opacity: new(1.0)}); err != nil || at(flat, 0, 0) != Viridis.At(0) {
		t.Errorf("equal numbers: %v", err)
	}
	if clear, err := Heatmap(m, values, 2, 3, HeatmapOptions{Opacity: new(0.0)}); err != nil || !bytes.Equal(clear.Pix, m.RGB().Pix) {
		t.Errorf("opacity 0: %v, or the map shows", err)
	}
	if _, err := Heatmap(m, []float32{nan, inf}, 1, 2, HeatmapOptions{}); err != nil {
		t.Error(err)
	}
	for _, bad := range []func() (*vision.Image, error){
		func() (*vision.Image, error) { return Heatmap(m, values, 3, 3, HeatmapOptions{}) },
		func() (*vision.Image, error) { return Heatmap(m, values, 0, 0, HeatmapOptions{}) },
		func() (*vision.Image, error) { return Heatmap(m, values, -2, -3, HeatmapOptions{}) },
		func() (*vision.Image, error) { return Heatmap(nil, values, 2, 3, HeatmapOptions{}) },
		func() (*vision.Image, error) { return Heatmap(m, values, 2, 3, HeatmapOptions{Opacity: new(2.0)}) },
		func() (*vision.Image, error) { return Heatmap(m, values, 2, 3, HeatmapOptions{Colors: 9}) },
	} {
		if _, err := bad(); err == nil {
			t.Error("no error")
		}
	}
}

// The maps begin and end with their colors, and viridis grows brighter all the way.
func TestColorMaps(t *testing.T) {
	for c, anchors := range colorMaps {
		for i, want := range anchors {
			if got := ColorMap(c).At(float64(i) / float64(len(anchors)-1)); got != want {
				t.Errorf("map %d, color %d: %v, want %v", c, i, got, want)
			}
		}
		if m := ColorMap(c); m.At(-1) != m.At(0) || m.At(math.NaN()) != m.At(0) || m.At(2) != m.At(1) || m.At(math.Inf(1)) != m.At(1) {
			t.Errorf("map %d: numbers outside 0..1", c)
		}
	}
	last := -1.0
	for i := range 256 {
		c := Viridis.At(float64(i) / 255)
		y := 0.2126*float64(c[0]) + 0.7152*float64(c[1]) + 0.0722*float64(c[2])
		if y < last-0.5 {
			t.Errorf("viridis grows darker at %d: %.1f after %.1f", i, y, last)
		}
		last = y
	}
}

func TestGrid(t *testing.T) {
	a, b, c := noise(2, 3, 3), noise(4, 2, 1), noise(1, 1, 4)
	g, err := Grid([]*vision.Image{a, b, c}, GridOptions{Columns: 2, Gap: 1})
	if err != nil {
		t.Fatal(err)
	}
	if g.Width != 7 || g.Height != 9 || g.Channels != 3 {
		t.Fatalf("%d×%d", g.Width, g.Height)
	}
	for _, p := range []struct {
		m    *vision.Image
		x, y int
	}{{a, 0, 0}, {b, 4, 0}, {c, 0, 5}} {
		part, err := g.Crop(image.Rect(p.x, p.y, p.x+p.m.Width, p.y+p.m.Height))
		if err != nil || !bytes.Equal(part.Pix, p.m.RGB().Pix) {
			t.Errorf("the image at (%d, %d) differs", p.x, p.y)
		}
	}
	if p := (canvas{g}).row(2)[:9]; !bytes.Equal(p, bytes.Repeat([]byte{255}, 9)) {
		t.Errorf("below the first image: %v, expected white", p)
	}
	if g, err := Grid([]*vision.Image{a, b, c}, GridOptions{Gap: -3}); err != nil || g.Width != 9 || g.Height != 4 {
		t.Errorf("one row: %v", err)
	}
	for _, bad := range [][]*vision.Image{nil, {nil}, {a, {Width: 2, Height: 2, Channels: 3}}} {
		if _, err := Grid(bad, GridOptions{Columns: 1}); !errors.Is(err, vision.ErrSize) {
			t.Errorf("%d images: %v", len(bad), err)
		}
	}
}

func TestGridCaptions(t *testing.T) {
	images := []*vision.Image{noise(100, 120, 3), noise(90, 100, 1), noise(100, 120, 4)}
	g, err := Grid(images, GridOptions{Columns: 2, Gap: 10, Captions: []string{"first", "", "the third, with far more text than there is room for below so small an image"}})
	if err != nil {
		t.Fatal(err)
	}
	below := (g.Height-10)/2 - 100
	if g.Width != 250 || below < 12 || below > 40 {
		t.Fatalf("%d×%d", g.Width, g.Height)
	}
	for i, at := range []image.Point{{0, 0}, {130, 0}, {0, 110 + below}} {
		m := images[i].RGB()
		part, err := g.Crop(image.Rect(at.X, at.Y, at.X+m.Width, at.Y+m.Height))
		if err != nil || !bytes.Equal(part.Pix, m.Pix) {
			t.Errorf("image %d differs, or is not at %v", i, at)
		}
	}
	paper := func(r image.Rectangle) int { return r.Dx()*r.Dy() - count(g, r, white) }
	first, none, third := paper(image.Rect(0, 100, 120, 100+below)), paper(image.Rect(130, 90, 250, 100+below)), paper(image.Rect(0, 210+below, 120, g.Height))
	if first < 30 || none != 0 || third < 2*first {
		t.Errorf("pixels of the captions: %d, %d and %d", first, none, third)
	}
	if n := paper(image.Rect(120, 0, 130, g.Height)); n != 0 {
		t.Errorf("%d pixels of a caption are in the gap", n)
	}
	if _, err := Grid(images, GridOptions{Columns: 2, Gap: 1, Captions: []string{"one"}}); !errors.Is(err, vision.ErrSize) {
		t.Errorf("one caption for three images: %v", err)
	}
	small, err := Grid([]*vision.Image{noise(20, 28, 3)}, GridOptions{Columns: 1, Captions: []string{"boot"}})
	if err != nil || small.Width != 112 || at(small, 3, 3) != at(noise(20, 28, 3), 0, 0) || at(small, 4, 3) != at(noise(20, 28, 3), 1, 0) {
		t.Errorf("a small image: %v", err)
	}
	if _, err := Grid([]*vision.Image{noise(1, 1, 3)}, GridOptions{Columns: 1, Gap: math.MaxInt / 2}); err != nil {
		t.Errorf("a gap that nothing has: %v", err)
	}
	for _, gap := range []int{math.MaxInt32, math.MaxInt} {
		if _, err := Grid([]*vision.Image{noise(1, 1, 3), noise(1, 1, 3), noise(1, 1, 3)}, GridOptions{Columns: 3, Gap: gap}); !errors.Is(err, vision.ErrTooLarge) {
			t.Errorf("a gap of %d: %v", gap, err)
		}
	}
}

func TestBeforeAfter(t *testing.T) {
	red, blue := plain(60, 100, [3]uint8{255, 0, 0}), plain(30, 50, [3]uint8{0, 0, 255})
	out, err := BeforeAfter([][2]*vision.Image{{red, blue}, {blue, red}}, "before", "after")
	if err != nil {
		t.Fatal(err)
	}
	// 96 pixels are the least height: both are enlarged to 120.
	if n := count(out, out.Bounds(), [3]uint8{255, 0, 0}); n != 2*200*120 {
		t.Errorf("%d red pixels, want %d", n, 2*200*120)
	}
	if n := count(out, out.Bounds(), [3]uint8{0, 0, 255}); n != 2*200*120 {
		t.Errorf("%d blue pixels, want %d", n, 2*200*120)
	}
	if n := count(out, image.Rect(0, 0, out.Width, 16), white); n == 16*out.Width {
		t.Error("no headings")
	}
	for _, bad := range [][][2]*vision.Image{nil, {{red, nil}}, {{red, blue}, {{}, red}}} {
		if _, err := BeforeAfter(bad, "", ""); !errors.Is(err, vision.ErrSize) {
			t.Errorf("%v: %v", bad, err)
		}
	}
}

// A wide image and a high one, neither of them large, would make a sheet of gigabytes, or an image that no memory
// holds.
func TestSheetsAreBounded(t *testing.T) {
	wide, high := vision.NewImage(1, 60000, 3), vision.NewImage(60000, 1, 3)
	if _, err := Grid([]*vision.Image{wide, high}, GridOptions{Columns: 1}); !errors.Is(err, vision.ErrTooLarge) {
		t.Errorf("grid: %v", err)
	}
	if _, err := BeforeAfter([][2]*vision.Image{{wide, high}}, "before", "after"); !errors.Is(err, vision.ErrTooLarge) {
		t.Errorf("before and after: %v", err)
	}
	if _, err := BeforeAfter([][2]*vision.Image{{wide, wide}, {high, high}}, "before", "after"); !errors.Is(err, vision.ErrTooLarge) {
		t.Errorf("two pairs: %v", err)
	}
}

func TestContactSheet(t *testing.T) {
	three := &vision.Memory{ClassNames: []string{"a"}, Images: []*vision.Image{noise(20, 20, 3), noise(20, 30, 3), noise(30, 20, 3)}}
	l := &vision.Loader{Data: three, Preprocess: vision.ImageNet(16), BatchSize: 2}
	sheet, err := ContactSheet(t.Context(), l, 0, 2, 2)
	if err != nil {
		t.Fatal(err)
	}
	if sheet.Width < 32 || sheet.Height < 32 || sheet.Width > 60 || sheet.Height > 60 {
		t.Errorf("%d×%d pixels", sheet.Width, sheet.Height)
	}
	for _, p := range []vision.Preprocess{vision.ImageNet(16), vision.Half(16), {Width: 16, Height: 16, NoNormalize: true}, {Width: 16, Height: 16, NoRescale: true}} {
		image := vision.NewImage(16, 16, 3)
		for i := range image.Pix {
			image.Pix[i] = []uint8{200, 90, 10}[i%3]
		}
		for _, p.Backend = range []vision.Backend{vision.Pillow, vision.Torchvision, vision.Timm} {
			l := &vision.Loader{Data: &vision.Memory{ClassNames: []string{"a"}, Images: []*vision.Image{image}}, Preprocess: p}
			sheet, err := ContactSheet(t.Context(), l, 0, 1, 1)
			if err != nil {
				t.Fatal(err)
			}
			at := (sheet.Height/2*sheet.Width + sheet.Width/2) * 3
			if got := sheet.Pix[at : at+3]; !bytes.Equal(got, image.Pix[:3]) {
				t.Errorf("%+v: a pixel of %v is shown as %v", p, image.Pix[:3], got)
			}
		}
	}
	l = &vision.Loader{Data: &vision.Memory{Images: []*vision.Image{plain(8, 8, [3]uint8{90, 90, 90})}}, Preprocess: vision.Half(8)}
	l.Preprocess.Gray = true
	sheet, err = ContactSheet(t.Context(), l, 0, 1, 1)
	if err != nil || !bytes.Equal(sheet.RGB().Pix, plain(8, 8, [3]uint8{90, 90, 90}).Pix) {
		t.Errorf("one channel: %v, or another image", err)
	}
	if _, err := ContactSheet(t.Context(), &vision.Loader{Data: &vision.Memory{}, Preprocess: vision.ImageNet(16)}, 0, 2, 2); err == nil {
		t.Error("a sheet of nothing")
	}
	broken := &vision.Memory{ClassNames: []string{"a"}, Images: []*vision.Image{noise(20, 20, 3), noise(20, 20, 3), {}}}
	for _, batch := range []int{1, 2, 3} {
		var bad *data.ItemError
		if _, err := ContactSheet(t.Context(), &vision.Loader{Data: broken, Preprocess: vision.ImageNet(16), BatchSize: batch}, 0, 2, 2); !errors.As(err, &bad) || bad.Index != 2 {
			t.Errorf("batches of %d: the third image is malformed, found %v", batch, err)
		}
	}
	if _, err := ContactSheet(t.Context(), l, 0, 0, 2); err == nil {
		t.Error("a sheet of no rows")
	}
}
