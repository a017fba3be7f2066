package boxes

import (
	"math"

	"github.com/chewxy/math32"
)

// Anchors are the boxes that a detector starts from at every place of a feature map: one for each pair of a ratio and a size,
// the sizes of the first ratio first, as torchvision's AnchorGenerator.
type Anchors struct {
	Sizes  []float32 // the square root of the area, in pixels
	Ratios []float32 // height over width
}

// Cell returns the anchors around the origin. Their edges are rounded to whole pixels, halves to even ones, as torchvision's.
func (a Anchors) Cell() []Box {
	cell := make([]Box, 0, len(a.Sizes)*len(a.Ratios))
	for _, ratio := range a.Ratios {
		high := math32.Sqrt(ratio)
		wide := 1 / high
		for _, size := range a.Sizes {
			w, h := round(wide*size/2), round(high*size/2)
			cell = append(cell, Box{X0: -w, Y0: -h, X1: w, Y1: h})
		}
	}
	return cell
}

// Grid appends the anchors of a feature map to boxes and returns it: row by row, for each place those of Cell around (column,
// row) times the stride. So the first place is the corner of the image, without the half of a cell that other generators add.
func (a Anchors) Grid(boxes []Box, height, width int, strideY, strideX float32) []Box {
	cell := a.Cell()
	for row := range height {
		y := float32(row) * strideY
		for column := range width {
			x := float32(column) * strideX
			for _, c := range cell {
				boxes = append(boxes, Box{X0: x + c.X0, Y0: y + c.Y0, X1: x + c.X1, Y1: y + c.Y1})
			}
		}
	}
	return boxes
}

func round(v float32) float32 { return float32(math.RoundToEven(float64(v))) }
