package boxes

// Box is a rectangle in pixels, from its left and upper edges to its right and lower ones (xyxy). Products are rounded before
// they are added, so that all processors agree.
type Box struct{ X0, Y0, X1, Y1 float32 }

// FromCenter returns the box around a center (cxcywh). It may be negative in width or height.
func FromCenter(cx, cy, w, h float32) Box {
	dx, dy := float32(0.5*w), float32(0.5*h)
	return Box{cx - dx, cy - dy, cx + dx, cy + dy}
}

// Center returns the center, the width and the height.
func (b Box) Center() (cx, cy, w, h float32) {
	return (b.X0 + b.X1) / 2, (b.Y0 + b.Y1) / 2, b.X1 - b.X0, b.Y1 - b.Y0
}

// Area returns width times height, as torchvision.ops.box_area: negative for a box that is inverted in one dimension.
func (b Box) Area() float32 { return float32((b.X1 - b.X0) * (b.Y1 - b.Y0)) }

// Valid reports whether all coordinates are finite and the box has an area.
func (b Box) Valid() bool {
	area := b.Area()
	return b.X1 > b.X0 && b.Y1 > b.Y0 && area > 0 && area-area == 0
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
