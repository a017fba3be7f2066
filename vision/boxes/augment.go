package boxes

import (
	"errors"
	"fmt"
	"image"
	"math"

	"github.com/fovea-ml/fovea/data"
	"github.com/fovea-ml/fovea/vision"
)

// Augment changes a sample at random for training, its image and its boxes alike. The zero value changes nothing. Each
// probability is from 0 to 1. Random decisions are drawn in the order of the fields.
type Augment struct {
	// Mosaic is the probability of putting four images together (YOLOv4; arXiv 2004.10934, section 3.3). They meet in a point
	// in the middle half of a canvas of the first image's size. Each is resized to fit half the canvas. What crosses the
	// canvas's edge is cut off, and the rest is gray.
	Mosaic float64
	// Mixup is the probability of laying another image over this one (arXiv 1902.04103, section 3.1). The objects of both count
	// fully. The weight of this image is drawn from the distribution Beta(32, 32), around one half. Neither is resized. Images that
	// would need a canvas of more than 2²⁴ pixels, and of more than both have together, are not mixed.
	Mixup float64
	// ZoomOut is the probability of putting the image on a larger canvas of the color of ImageNet's mean, at a random place: up to
	// MaxZoom times larger (SSD; arXiv 1512.02325, section 3.6), but not beyond 2²⁴ pixels. MaxZoom 0 means 4.
	ZoomOut, MaxZoom float64
	// Crop is the probability of taking a random part of the image by the algorithm of SSD (torchvision's RandomIoUCrop). One
	// object or more overlaps the part by a share that is drawn first, and the others in it are those whose centers are inside.
	// Sides are at least MinCrop of the image's. MinCrop 0 means 0.3.
	Crop, MinCrop float64
	// Flip and FlipVertical are the probabilities of mirroring left to right, and top to bottom.
	Flip, FlipVertical float64
	// Jitter changes colors; nil leaves them.
	Jitter *vision.ColorJitter
	// MinVisible is the share of a box that remains when Mosaic or Crop cut it off, or its object is left out. It decides
	// nothing by chance.
	MinVisible float64
}

// Validate returns an error for a number out of its range.
func (a *Augment) Validate() error {
	for _, p := range []struct {
		name  string
		value float64
	}{{"Mosaic", a.Mosaic}, {"Mixup", a.Mixup}, {"ZoomOut", a.ZoomOut}, {"Crop", a.Crop}, {"MinCrop", a.MinCrop},
		{"Flip", a.Flip}, {"FlipVertical", a.FlipVertical}, {"MinVisible", a.MinVisible}} {
		if !(p.value >= 0 && p.value <= 1) {
			return fmt.Errorf("boxes: augment: %s is %v, expected 0 to 1", p.name, p.value)
		}
	}
	if a.MaxZoom != 0 && !(a.MaxZoom >= 1 && a.MaxZoom <= 16) {
		return fmt.Errorf("boxes: augment: MaxZoom is %v, expected 1 to 16", a.MaxZoom)
	}
	if a.Jitter != nil {
		return a.Jitter.Validate()
	}
	return nil
}

// Apply returns a sample changed at random, as RGB, with boxes inside the image. more returns another sample of the data set, drawn from r, for Mosaic and
// Mixup. An error is that of Validate or of more, or one about a sample without pixels.
func (a *Augment) Apply(r *data.Rand, s Sample, more func(r *data.Rand) (Sample, error)) (Sample, error) {
	if err := a.Validate(); err != nil {
		return Sample{}, err
	}
	if more == nil && (a.Mosaic > 0 || a.Mixup > 0) {
		return Sample{}, errors.New("boxes: augment: Mosaic and Mixup need more samples")
	}
	if err := s.Image.Validate(); err != nil {
		return Sample{}, err
	}
	s = s.within()
	if draw := more; draw != nil {
		more = func(r *data.Rand) (Sample, error) {
			s, err := draw(r)
			if err == nil {
				err = s.Image.Validate()
			}
			if err != nil {
				return Sample{}, err
			}
			return s.within(), nil
		}
	}
	chance := func(p float64) bool { return p > 0 && r.Float64() < p }
	for _, step := range []struct {
		probability float64
		change      func(*data.Rand, Sample) (Sample, error)
	}{
		{a.Mosaic, func(r *data.Rand, s Sample) (Sample, error) { return a.mosaic(r, s, more) }},
		{a.Mixup, func(r *data.Rand, s Sample) (Sample, error) { return mixup(r, s, more) }},
		{a.ZoomOut, a.zoomOut},
		{a.Crop, a.crop},
		{a.Flip, func(_ *data.Rand, s Sample) (Sample, error) { return s.FlipHorizontal(), nil }},
		{a.FlipVertical, func(_ *data.Rand, s Sample) (Sample, error) { return s.FlipVertical(), nil }},
	} {
		if !chance(step.probability) {
			continue
		}
		var err error
		if s, err = step.change(r, s); err != nil {
			return Sample{}, err
		}
	}
	if a.Jitter != nil {
		s.Image = a.Jitter.Apply(r, s.Image)
	}
	return s, nil
}

// within returns the sample as RGB, with boxes that are cut to the image.
func (s Sample) within() Sample {
	out := Sample{Image: s.Image.RGB()}
	for _, o := range s.Objects {
		if o, visible := o.cut(s.Image.Bounds()); visible > 0 {
			out.Objects = append(out.Objects, o)
		}
	}
	return out
}

// gray is the color around the images of a mosaic (YOLOv5), and mean that around a smaller one: the mean of ImageNet.
const gray = 114

var mean = [3]uint8{124, 116, 104}

// mosaic puts a sample and three more around a point.
func (a *Augment) mosaic(r *data.Rand, s Sample, more func(r *data.Rand) (Sample, error)) (Sample, error) {
	height, width := s.Image.Height, s.Image.Width
	center := image.Pt(width/4+r.IntN(max(1, width/2)), height/4+r.IntN(max(1, height/2)))
	canvas := vision.NewImage(height, width, 3)
	for i := range canvas.Pix {
		canvas.Pix[i] = gray
	}
	out := Sample{Image: canvas}
	for corner := range 4 {
		var err error
		if corner > 0 {
			if s, err = more(r); err != nil {
				return Sample{}, err
			}
		}
		scale := min(float64(width)/float64(2*s.Image.Width), float64(height)/float64(2*s.Image.Height))
		h, w := max(1, int(float64(s.Image.Height)*scale)), max(1, int(float64(s.Image.Width)*scale))
		if s, err = s.Resize(h, w, vision.Bilinear); err != nil {
			return Sample{}, err
		}
		at := center // of the upper left corner of the image
		if corner%2 == 0 {
			at.X -= w
		}
		if corner < 2 {
			at.Y -= h
		}
		paste(canvas, s.Image, at)
		for _, o := range s.Objects {
			o.Box = moved(float64(at.X), float64(at.Y))(o.Box)
			if o, visible := o.cut(canvas.Bounds()); visible > 0 && visible >= a.MinVisible {
				out.Objects = append(out.Objects, o)
			}
		}
	}
	return out, nil
}

// paste copies an RGB image into another one. What lies outside is cut off.
func paste(to, from *vision.Image, at image.Point) {
	in := from.Bounds().Add(at).Intersect(to.Bounds())
	for y := in.Min.Y; y < in.Max.Y; y++ {
		copy(to.Pix[3*(y*to.Width+in.Min.X):][:3*in.Dx()], from.Pix[3*((y-at.Y)*from.Width+in.Min.X-at.X):])
	}
}

// mixup lays another sample over one. The canvas is as large as both.
func mixup(r *data.Rand, s Sample, more func(r *data.Rand) (Sample, error)) (Sample, error) {
	const alpha = 32
	share := r.Beta(alpha)
	other, err := more(r)
	if err != nil {
		return Sample{}, err
	}
	height, width := max(s.Image.Height, other.Image.Height), max(s.Image.Width, other.Image.Width)
	if height*width > max(canvasPixels, s.Image.Height*s.Image.Width+other.Image.Height*other.Image.Width) {
		return s, nil
	}
	out := Sample{Image: vision.NewImage(height, width, 3)}
	first := uint32(math.Round(share * 256))
	for y := range out.Image.Height {
		for _, part := range []struct {
			m      *vision.Image
			weight uint32
		}{{s.Image, first}, {other.Image, 256 - first}} {
			if y >= part.m.Height {
				continue
			}
			row, to := part.m.Pix[3*y*part.m.Width:][:3*part.m.Width], out.Image.Pix[3*y*out.Image.Width:]
			for i, v := range row {
				to[i] += uint8((uint32(v)*part.weight + 127) >> 8) // the sum of both is at most 255
			}
		}
	}
	out.Objects = append(append(out.Objects, s.Objects...), other.Objects...)
	return out, nil
}

// canvasPixels bounds the pixels of a larger canvas.
const canvasPixels = 1 << 24

// zoomOut puts a sample on a larger canvas, as torchvision's RandomZoomOut.
func (a *Augment) zoomOut(r *data.Rand, s Sample) (Sample, error) {
	most := a.MaxZoom
	if most == 0 {
		most = 4
	}
	zoom := min(r.Uniform(1, most), math.Sqrt(canvasPixels/(float64(s.Image.Width)*float64(s.Image.Height))))
	width, height := max(s.Image.Width, int(float64(s.Image.Width)*zoom)), max(s.Image.Height, int(float64(s.Image.Height)*zoom))
	left := int(float64(width-s.Image.Width) * r.Float64())
	top := int(float64(height-s.Image.Height) * r.Float64())
	return s.Pad(left, top, width-s.Image.Width-left, height-s.Image.Height-top, mean)
}

// Shapes, overlaps and trials of the crop of SSD. An overlap of 1 leaves the image as it is.
var cropOverlaps = []float64{0, 0.1, 0.3, 0.5, 0.7, 0.9, 1}

const (
	cropTrials = 40
	cropAspect = 2 // the largest ratio of the sides
	cropScale  = 0.3
)

// crop takes a random part of a sample, as torchvision's RandomIoUCrop. A sample without objects stays whole.
func (a *Augment) crop(r *data.Rand, s Sample) (Sample, error) {
	if len(s.Objects) == 0 {
		return s, nil
	}
	least := a.MinCrop
	if least == 0 {
		least = cropScale
	}
	width, height := float64(s.Image.Width), float64(s.Image.Height)
	for {
		overlap := cropOverlaps[r.IntN(len(cropOverlaps))]
		if overlap == 1 {
			return s, nil
		}
		for range cropTrials {
			w, h := int(width*r.Uniform(least, 1)), int(height*r.Uniform(least, 1))
			if w < 1 || h < 1 || w > cropAspect*h || h > cropAspect*w {
				continue
			}
			left, top := int((width-float64(w))*r.Float64()), int((height-float64(h))*r.Float64())
			part := image.Rect(left, top, left+w, top+h)
			if s.overlaps(part, overlap) {
				return s.crop(part, a.MinVisible, func(b Box) bool { return b.centered(part) })
			}
		}
	}
}

// overlaps reports whether an object with its center inside a rectangle has at least the given IoU with it.
func (s Sample) overlaps(r image.Rectangle, iou float64) bool {
	part := Box{float64(r.Min.X), float64(r.Min.Y), float64(r.Max.X), float64(r.Max.Y)}
	for _, o := range s.Objects {
		if !o.Box.centered(r) {
			continue
		}
		in := Box{max(o.Box.X0, part.X0), max(o.Box.Y0, part.Y0), min(o.Box.X1, part.X1), min(o.Box.Y1, part.Y1)}.area() // both sides are positive: the center is inside
		if in/(o.Box.area()+part.area()-in) >= iou {
			return true
		}
	}
	return false
}

// centered reports whether the center of a box lies inside a rectangle.
func (b Box) centered(r image.Rectangle) bool {
	x, y := 0.5*(b.X0+b.X1), 0.5*(b.Y0+b.Y1)
	return x > float64(r.Min.X) && x < float64(r.Max.X) && y > float64(r.Min.Y) && y < float64(r.Max.Y)
}
