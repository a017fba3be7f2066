package metrics

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// Box is a rectangle in pixels: its left and upper edge, width and height, as COCO's files have them. [Corners] makes one
// from edges.
type Box struct{ X, Y, W, H float64 }

// Corners returns the box from the left and upper edges to the right and lower ones (xyxy).
func Corners(x0, y0, x1, y1 float64) Box { return Box{x0, y0, x1 - x0, y1 - y0} }

// Area returns width times height.
func (b Box) Area() float64 { return b.W * b.H }

// Object is an object that an image contains: the ground truth.
type Object struct {
	Image int // id
	Class int // id
	Box   Box
	Area  float64 // pixels that the object covers, for COCO's sizes; 0 means the area of the box
	// Crowd marks a box around many objects (COCO's iscrowd). It may be found any number of times or not at all, and neither
	// counts. A detection overlaps with it by the share of the detection that lies inside.
	Crowd bool
	// Difficult marks an object that does not count, found or not (VOC's difficult).
	Difficult bool
}

// ignored reports whether the object does not count.
func (o *Object) ignored() bool { return o.Crowd || o.Difficult }

// size returns the area that decides whether the object is small, medium or large.
func (o *Object) size() float64 {
	if o.Area == 0 {
		return o.Box.Area()
	}
	return o.Area
}

// Detection is an object that a model found.
type Detection struct {
	Image int // id
	Class int // id
	Box   Box
	Score float64 // higher is surer
}

// overlap returns the intersection over the union of a detection and an object; for a crowd, over the area of the
// detection. It computes in the order of pycocotools, so that equal overlaps are equal here too. pixel is added to widths
// and heights: 1 for boxes whose right and lower edges are the last pixels inside.
func overlap(d Box, o *Object, pixel float64) float64 {
	g := o.Box
	w := min(d.W+d.X, g.W+g.X) - max(d.X, g.X) + pixel
	if w <= 0 {
		return 0
	}
	h := min(d.H+d.Y, g.H+g.Y) - max(d.Y, g.Y) + pixel
	if h <= 0 {
		return 0
	}
	// The conversions keep processors from fusing products into sums.
	inter := float64(w * h)
	union := float64((d.W + pixel) * (d.H + pixel))
	if !o.Crowd {
		union = union + float64((g.W+pixel)*(g.H+pixel)) - inter
	}
	return inter / union
}

// checkDetections returns an error for a number that is not finite. It also returns one for an image that is not among images,
// unless that is nil.
func checkDetections(objects []Object, detections []Detection, images []int) error {
	var known map[int]bool
	if images != nil {
		known = make(map[int]bool, len(images))
		for _, id := range images {
			known[id] = true
		}
	}
	check := func(what string, i, image int, b Box, v float64) error {
		sum := math.Abs(b.X) + math.Abs(b.Y) + math.Abs(b.W) + math.Abs(b.H) + math.Abs(v)
		switch {
		case math.IsNaN(sum - sum):
			return fmt.Errorf("metrics: %s %d, of image %d: box %v, score or area %v, expected finite numbers", what, i, image, b, v)
		case known != nil && !known[image]:
			return fmt.Errorf("metrics: %s %d: image %d is not among the %d images", what, i, image, len(known))
		}
		return nil
	}
	for i := range objects {
		if err := check("object", i, objects[i].Image, objects[i].Box, objects[i].Area); err != nil {
			return err
		}
	}
	for i := range detections {
		if err := check("detection", i, detections[i].Image, detections[i].Box, detections[i].Score); err != nil {
			return err
		}
	}
	return nil
}

// key names the objects and detections that are matched together.
type key struct{ class, image int }

func (k key) compare(other key) int {
	if c := cmp.Compare(k.class, other.class); c != 0 {
		return c
	}
	return cmp.Compare(k.image, other.image)
}

// group is the objects and detections of one key, by position, in the order of the input.
type group struct {
	key
	objects, detections []int32
}

// groups divides objects and detections by their keys, in ascending order.
func groups(objects, detections []key) []group {
	byKey := func(keys []key) []int32 {
		at := make([]int32, len(keys))
		for i := range at {
			at[i] = int32(i)
		}
		slices.SortStableFunc(at, func(i, j int32) int { return keys[i].compare(keys[j]) })
		return at
	}
	o, d := byKey(objects), byKey(detections)
	// cut takes the positions of one key from the front.
	cut := func(at *[]int32, keys []key, k key) []int32 {
		n := 0
		for n < len(*at) && keys[(*at)[n]] == k {
			n++
		}
		head := (*at)[:n:n]
		*at = (*at)[n:]
		return head
	}
	var all []group
	for len(o)+len(d) > 0 {
		var k key
		switch {
		case len(o) == 0:
			k = detections[d[0]]
		case len(d) == 0 || objects[o[0]].compare(detections[d[0]]) < 0:
			k = objects[o[0]]
		default:
			k = detections[d[0]]
		}
		all = append(all, group{k, cut(&o, objects, k), cut(&d, detections, k)})
	}
	return all
}

// byClass groups by class and image.
func byClass(objects []Object, detections []Detection) []group {
	o, d := make([]key, len(objects)), make([]key, len(detections))
	for i := range o {
		o[i] = key{objects[i].Class, objects[i].Image}
	}
	for i := range d {
		d[i] = key{detections[i].Class, detections[i].Image}
	}
	return groups(o, d)
}

// byImage groups by image alone.
func byImage(objects []Object, detections []Detection) []group {
	o, d := make([]key, len(objects)), make([]key, len(detections))
	for i := range o {
		o[i] = key{image: objects[i].Image}
	}
	for i := range d {
		d[i] = key{image: detections[i].Image}
	}
	return groups(o, d)
}

// ranked sorts positions by descending score. Equal scores keep their order, as in pycocotools.
func ranked(at []int32, detections []Detection) {
	slices.SortStableFunc(at, func(i, j int32) int { return cmp.Compare(detections[j].Score, detections[i].Score) })
}
