package boxes

import (
	"fmt"
	"image"

	"github.com/fovea-ml/fovea/vision"
)

// Sample is an image with the objects in it. Its methods change both alike, leave the sample as it is, and return a new one.
// They are those of torchvision.transforms.v2 of the same names.
type Sample struct {
	Image   *vision.Image
	Objects []Object
}

// Sample decodes image i. Its objects are those of Objects. It returns an error for an image of another size than its annotation
// states, as Check does.
func (d *Dataset) Sample(i int) (Sample, error) {
	m, err := d.Open(i)
	if err == nil {
		err = d.checkSize(i, m.Height, m.Width)
	}
	if err != nil {
		return Sample{}, err
	}
	return Sample{m, d.Objects(i)}, nil
}

// Check reads the header of image i. It returns an error for a file that cannot be read, and for an image of another size than its
// annotation states: the boxes are then those of another image, or of one that is not turned by its EXIF orientation.
func (d *Dataset) Check(i int) error {
	height, width, err := d.Size(i)
	if err != nil {
		return err
	}
	return d.checkSize(i, height, width)
}

func (d *Dataset) checkSize(i, height, width int) error {
	m := d.images[i]
	if m.height == 0 || m.width == 0 || m.height == height && m.width == width {
		return nil
	}
	hint := ""
	if m.height == width && m.width == height {
		hint = "; is it turned by its EXIF orientation? Options.Decode.ApplyOrientation decides that"
	}
	return &Error{File: m.file, Err: fmt.Errorf("expected an image of %d×%d pixels, as its annotation states, found %d×%d%s: %w", m.width, m.height, width, height, hint, vision.ErrSize)}
}

// FlipHorizontal returns the sample mirrored left to right.
func (s Sample) FlipHorizontal() Sample {
	width := float64(s.Image.Width)
	return Sample{s.Image.FlipHorizontal(), s.each(func(b Box) Box { return Box{width - b.X1, b.Y0, width - b.X0, b.Y1} })}
}

// FlipVertical returns the sample mirrored top to bottom.
func (s Sample) FlipVertical() Sample {
	const upsideDown = 4 // of EXIF
	height := float64(s.Image.Height)
	return Sample{s.Image.Orient(upsideDown), s.each(func(b Box) Box { return Box{b.X0, height - b.Y1, b.X1, height - b.Y0} })}
}

// Resize returns the sample resized to height × width pixels. Areas change in proportion. It returns an error that matches
// [vision.ErrSize] when the image or the size has no pixels.
func (s Sample) Resize(height, width int, f vision.Filter) (Sample, error) {
	m, err := vision.Resize(s.Image, height, width, f)
	if err != nil {
		return Sample{}, err
	}
	x, y := float64(width)/float64(s.Image.Width), float64(height)/float64(s.Image.Height)
	objects := s.each(func(b Box) Box { return Box{b.X0 * x, b.Y0 * y, b.X1 * x, b.Y1 * y} })
	for i := range objects {
		objects[i].Area *= x * y
	}
	return Sample{m, objects}, nil
}

// Pad returns the sample with a border of the given widths in one color. It returns an error that matches [vision.ErrSize] when
// a width is negative.
func (s Sample) Pad(left, top, right, bottom int, fill [3]uint8) (Sample, error) {
	m, err := s.Image.Pad(left, top, right, bottom, fill)
	if err != nil {
		return Sample{}, err
	}
	return Sample{m, s.each(moved(float64(left), float64(top)))}, nil
}

// Crop returns the part of the sample inside r. Boxes are cut to it, and objects outside of it are left out. Areas change in
// proportion to those of the boxes. It returns an error that matches [vision.ErrSize] when r is empty or leaves the image.
func (s Sample) Crop(r image.Rectangle) (Sample, error) { return s.crop(r, 0, nil) }

// crop is Crop. It also leaves out objects of which less than a share is inside, and those that keep, if not nil, refuses.
func (s Sample) crop(r image.Rectangle, share float64, keep func(Box) bool) (Sample, error) {
	m, err := s.Image.Crop(r)
	if err != nil {
		return Sample{}, err
	}
	out := Sample{Image: m}
	for _, o := range s.Objects {
		if keep != nil && !keep(o.Box) {
			continue
		}
		if o, visible := o.cut(r); visible > 0 && visible >= share {
			o.Box = moved(float64(-r.Min.X), float64(-r.Min.Y))(o.Box)
			out.Objects = append(out.Objects, o)
		}
	}
	return out, nil
}

// cut returns an object whose box is cut to a rectangle, and the share of the box inside, which is 0 for one outside or without
// an area.
func (o Object) cut(r image.Rectangle) (Object, float64) {
	x0, y0, x1, y1 := float64(r.Min.X), float64(r.Min.Y), float64(r.Max.X), float64(r.Max.Y)
	b := Box{min(max(o.Box.X0, x0), x1), min(max(o.Box.Y0, y0), y1), min(max(o.Box.X1, x0), x1), min(max(o.Box.Y1, y0), y1)}
	if !(b.X0 < b.X1 && b.Y0 < b.Y1) {
		return o, 0
	}
	visible := b.area() / o.Box.area()
	o.Box, o.Area = b, o.Area*visible
	return o, visible
}

// moved returns a function that moves a box.
func moved(x, y float64) func(Box) Box {
	return func(b Box) Box { return Box{b.X0 + x, b.Y0 + y, b.X1 + x, b.Y1 + y} }
}

// each returns the objects with other boxes.
func (s Sample) each(f func(Box) Box) []Object {
	objects := make([]Object, len(s.Objects))
	for i, o := range s.Objects {
		o.Box = f(o.Box)
		objects[i] = o
	}
	return objects
}

// Size returns the height and the width of image i. It reads no more than the header of the file, where the format allows it.
func (d *Dataset) Size(i int) (height, width int, err error) {
	return vision.DecodeSize(d.fsys, d.images[i].file, d.options.Decode)
}

// Subset returns a data set of some of the images, in the given order, with the same classes. It panics for a number that no
// image has.
func (d *Dataset) Subset(images []int) *Dataset {
	part := *d
	part.images = make([]annotated, len(images))
	for to, from := range images {
		if from < 0 || from >= len(d.images) {
			panic(fmt.Sprintf("boxes: a subset with image %d of %d", from, len(d.images)))
		}
		part.images[to] = d.images[from]
	}
	return &part
}
