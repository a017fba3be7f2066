package boxes

import (
	"fmt"
	"math"
)

// Radius returns how far, in cells of a heatmap, a corner or center may lie from that of an object of the given size, so that
// the box still has the given IoU with the object, usually 0.7 (CornerNet, arXiv 1808.01244). It is the least of three cases:
// the box lies outside the object, inside it, or beside it.
//
// CenterNet's published code has a mistake in it: it divides each root by 2, and takes the larger root in all cases. Its
// checkpoints were trained with these radii, which published asks for. They are two to four times as large.
func Radius(height, width, overlap float64, published bool) float64 {
	sum, area := height+width, height*width
	least := math.Inf(1)
	for _, c := range [3]struct{ a, b, c, sign float64 }{
		{1, sum, area * (1 - overlap) / (1 + overlap), -1},
		{4, 2 * sum, (1 - overlap) * area, -1},
		{4 * overlap, -2 * overlap * sum, (overlap - 1) * area, 1},
	} {
		root := math.Sqrt(float64(c.b*c.b) - float64(4*c.a*c.c))
		if published {
			least = min(least, (c.b+root)/2)
		} else {
			least = min(least, (c.b+float64(c.sign*root))/(2*c.a))
		}
	}
	return least
}

// DrawGaussian raises the cells of a heatmap [height, width] around (x, y) to a Gaussian that is 1 there, as CenterNet's targets.
// It reaches radius cells in each direction and has a standard deviation of a sixth of its diameter. Cells keep larger values.
// Parts outside the heatmap are left out. It panics unless the size fits and the radius is at least 0.
func DrawGaussian(heatmap []float32, height, width, x, y, radius int) {
	if height < 0 || width < 0 || len(heatmap) != height*width || radius < 0 {
		panic(fmt.Sprintf("boxes: DrawGaussian: %d cells and a radius of %d, expected %d×%d and at least 0", len(heatmap), radius, height, width))
	}
	sigma := float64(2*radius+1) / 6
	row := make([]float64, radius+1) // by distance
	for d := range row {
		row[d] = math.Exp(-float64(d*d) / (2 * sigma * sigma))
	}
	for i := max(0, y-radius); i <= min(height-1, y+radius); i++ {
		for j := max(0, x-radius); j <= min(width-1, x+radius); j++ {
			cell := &heatmap[i*width+j]
			*cell = max(*cell, float32(row[abs(i-y)]*row[abs(j-x)]))
		}
	}
}

func abs(i int) int { return max(i, -i) }
