package boxes

import (
	"context"
	"fmt"
	"image"
	"math"

	"github.com/fovea-ml/fovea/vision"
)

// CropOptions says which boxes [Dataset.Crops] cuts out.
type CropOptions struct {
	// MinSide leaves out boxes with a side of fewer pixels. Data sets have boxes of a pixel or two, by mistake.
	MinSide int
}

// Crops is a data set of images that are each the content of a box, with the label of its object. It is a [vision.Dataset].
type Crops struct {
	of    *Dataset
	items []crop
}

// crop is a box to cut out.
type crop struct {
	image, object int
	label         int
}

var _ vision.Dataset = (*Crops)(nil)

// Crops returns the boxes of the data set as images, in order. A crop holds the pixels that the box touches, inside the image.
// Boxes around crowds and boxes below o.MinSide are left out.
func (d *Dataset) Crops(o CropOptions) *Crops {
	c := &Crops{of: d}
	for i, m := range d.images {
		for k, object := range m.objects {
			r := object.Box.pixels()
			if !object.Crowd && min(r.Dx(), r.Dy()) >= o.MinSide {
				c.items = append(c.items, crop{i, k, object.Label})
			}
		}
	}
	return c
}

// pixels returns the pixels that a box touches.
func (b Box) pixels() image.Rectangle {
	floor, ceil := func(v float64) int { return int(math.Floor(v)) }, func(v float64) int { return int(math.Ceil(v)) }
	return image.Rect(floor(b.X0), floor(b.Y0), ceil(b.X1), ceil(b.Y1))
}

// Len returns the number of crops.
func (c *Crops) Len() int { return len(c.items) }

// Classes returns the names of the classes, by label.
func (c *Crops) Classes() []string { return c.of.classes }

// Label returns the label of crop i.
func (c *Crops) Label(i int) int { return c.items[i].label }

// Name returns the path of the image and the number of the object in it, counted from 0.
func (c *Crops) Name(i int) string {
	return fmt.Sprintf("%s#%d", c.of.Name(c.items[i].image), c.items[i].object)
}

// Open decodes the image of crop i and cuts the crop out. Many crops of one image decode it as many times; [Crops.Load] does
// it once.
func (c *Crops) Open(i int) (*vision.Image, error) {
	m, err := c.of.Open(c.items[i].image)
	if err != nil {
		return nil, err
	}
	return c.cut(m, i)
}

// cut returns crop i of its image.
func (c *Crops) cut(m *vision.Image, i int) (*vision.Image, error) {
	box := c.of.images[c.items[i].image].objects[c.items[i].object].Box
	r := box.pixels().Intersect(m.Bounds())
	if r.Empty() {
		return nil, fmt.Errorf("boxes: %s: the box from (%v, %v) to (%v, %v) lies outside the image of %d×%d pixels: %w",
			c.Name(i), box.X0, box.Y0, box.X1, box.Y1, m.Width, m.Height, vision.ErrSize)
	}
	return m.Crop(r)
}

// Load returns all crops in memory, where training opens them at no cost. Each image is decoded once. An error is ctx's, or
// that of an image that cannot be read.
func (c *Crops) Load(ctx context.Context) (*vision.Memory, error) {
	out := &vision.Memory{ClassNames: c.of.classes}
	var m *vision.Image
	for i, item := range c.items {
		if i == 0 || c.items[i-1].image != item.image {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			var err error
			if m, err = c.of.Open(item.image); err != nil {
				return nil, err
			}
		}
		part, err := c.cut(m, i)
		if err != nil {
			return nil, err
		}
		out.Images = append(out.Images, part)
		out.Labels = append(out.Labels, item.label)
		out.Names = append(out.Names, c.Name(i))
	}
	return out, nil
}
