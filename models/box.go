package models

import "math"

// Box is a rectangle in pixels of an image, from its left and upper edges to its right and lower ones (xyxy). It may reach
// outside of the image. A pixel in column 3 spans from 3 to 4, so that the width is X1 - X0. Products are rounded before they
// are added, so that all processors agree.
type Box struct{ X0, Y0, X1, Y1 float32 }

// Center returns the center, the width and the height.
func (b Box) Center() (cx, cy, w, h float32) {
	return (b.X0 + b.X1) / 2, (b.Y0 + b.Y1) / 2, b.X1 - b.X0, b.Y1 - b.Y0
}

// Area returns width times height, as torchvision.ops.box_area: negative for a box that is inverted in one dimension.
func (b Box) Area() float32 { return float32((b.X1 - b.X0) * (b.Y1 - b.Y0)) }

// Valid reports whether all coordinates are finite and the box has an area.
func (b Box) Valid() bool {
	area := b.Area()
	return b.X1 > b.X0 && b.Y1 > b.Y0 && area > 0 && area <= math.MaxFloat32
}

// Clip returns the part of the box inside an image of the given size. NaN stays NaN.
func (b Box) Clip(width, height float32) Box {
	return Box{min(max(b.X0, 0), width), min(max(b.Y0, 0), height), min(max(b.X1, 0), width), min(max(b.Y1, 0), height)}
}

// Intersection returns the area that both boxes cover, 0 when they do not overlap.
func (b Box) Intersection(c Box) float32 {
	w := max(0, min(b.X1, c.X1)-max(b.X0, c.X0))
	h := max(0, min(b.Y1, c.Y1)-max(b.Y0, c.Y0))
	return float32(w * h)
}

// IoU returns the intersection over the union, as torchvision.ops.box_iou: NaN for two boxes without area.
func (b Box) IoU(c Box) float32 {
	inter := b.Intersection(c)
	return inter / (b.Area() + c.Area() - inter)
}

// GIoU returns the generalized IoU (arXiv 1902.09630), as torchvision.ops.generalized_box_iou: the IoU less the part of the
// enclosing box that neither covers. It is from -1 to 1, and NaN for two boxes without area.
func (b Box) GIoU(c Box) float32 {
	inter := b.Intersection(c)
	union := b.Area() + c.Area() - inter
	w, h := b.enclosing(c)
	area := float32(w * h)
	return inter/union - (area-union)/area
}

// epsilon is torchvision's.
const epsilon = 1e-7

// DIoU returns the IoU less the squared distance of the centers over the squared diagonal of the enclosing box (arXiv
// 1911.08287), as torchvision.ops.distance_box_iou.
func (b Box) DIoU(c Box) float32 {
	w, h := b.enclosing(c)
	diagonal := float32(w*w) + float32(h*h) + epsilon
	dx, dy := (b.X0+b.X1)/2-(c.X0+c.X1)/2, (b.Y0+b.Y1)/2-(c.Y0+c.Y1)/2
	return b.IoU(c) - (float32(dx*dx)+float32(dy*dy))/diagonal
}

// CIoU returns DIoU less a penalty for different aspect ratios (arXiv 1911.08287), as torchvision.ops.complete_box_iou.
func (b Box) CIoU(c Box) float32 {
	angle := math.Atan(float64((b.X1-b.X0)/(b.Y1-b.Y0))) - math.Atan(float64((c.X1-c.X0)/(c.Y1-c.Y0)))
	v := float32(4 / (math.Pi * math.Pi) * angle * angle)
	alpha := v / (1 - b.IoU(c) + v + epsilon)
	return b.DIoU(c) - float32(alpha*v)
}

// enclosing returns the width and height of the smallest box around both.
func (b Box) enclosing(c Box) (w, h float32) {
	return max(0, max(b.X1, c.X1)-min(b.X0, c.X0)), max(0, max(b.Y1, c.Y1)-min(b.Y0, c.Y0))
}
