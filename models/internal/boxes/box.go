package boxes

import "github.com/fovea-ml/fovea/models"

// Box is a rectangle in pixels.
type Box = models.Box

// FromCenter returns the box around a center (cxcywh). It may be negative in width or height.
func FromCenter(cx, cy, w, h float32) Box {
	dx, dy := float32(0.5*w), float32(0.5*h)
	return Box{X0: cx - dx, Y0: cy - dy, X1: cx + dx, Y1: cy + dy}
}
