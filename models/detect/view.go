package detect

import (
	"cmp"
	"fmt"
	"math"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/models/internal/boxes"
	"github.com/fovea-ml/fovea/vision"
)

// centerStride is how many times smaller the predictions of [CenterNet] are than the pixels.
const centerStride = 4

// centerMean and centerStd are those of COCO, for blue, green and red (datasets/dataset/coco.py).
var (
	centerMean = [3]float32{0.40789654, 0.44719302, 0.47026115}
	centerStd  = [3]float32{0.28863828, 0.27408164, 0.27809835}
)

// view is how an image lies in the pixels that [CenterNet] takes (pre_process in detectors/base_detector.py): it is
// resized, and then a rectangle of it fills the pixels.
type view struct {
	height, width int        // of the pixels
	resized       [2]int     // the height and width of the resized image
	scale         float64    // of the resize
	center        [2]float64 // of the rectangle, x and y, in pixels of the resized image
	side          float64    // the width of the rectangle
}

// view returns how an image is searched at a scale, in a square of the given size or in its own.
func (d *CenterNet) view(m *vision.Image, size int, scale float64) view {
	if !(scale > 0) || scale*float64(max(m.Height, m.Width)) > maxSize && (d.KeepSize || scale != 1) {
		reason := fmt.Sprintf("expected at most %d pixels a side at the scale %v", maxSize, scale)
		panic(&autograd.ShapeError{Op: "centernet", Shapes: [][]int{{m.Height, m.Width}}, Reason: reason})
	}
	height, width := max(1, int(float64(m.Height)*scale)), max(1, int(float64(m.Width)*scale))
	v := view{scale: scale, resized: [2]int{height, width}}
	if d.KeepSize {
		v.height, v.width = (height|(squareDivisor-1))+1, (width|(squareDivisor-1))+1
		v.center, v.side = [2]float64{float64(width / 2), float64(height / 2)}, float64(v.width)
		return v
	}
	v.height, v.width = size, size
	v.center, v.side = [2]float64{float64(width) / 2, float64(height) / 2}, float64(max(m.Height, m.Width))
	return v
}

// input implements [Trainable]. A size puts images into squares.
func (d *CenterNet) input(_ *autograd.Tape, m *vision.Image, size int) input {
	if size != 0 {
		square := *d
		square.KeepSize = false
		d = &square
	}
	v := d.view(m, cmp.Or(size, d.size), 1)
	p := planes{make([]float32, 3*v.height*v.width), v.height, v.width}
	v.pixels(p.pixels, m)
	zoom := float64(v.width) / v.side
	return input{planes: p, scale: [2]float64{zoom, zoom}, offset: [2]float64{
		float64(v.width)/2 - float64(zoom*v.center[0]), float64(v.height)/2 - float64(zoom*v.center[1]),
	}}
}

// samples returns the pixels of an image, red first.
func (v *view) samples(m *vision.Image) []uint8 {
	if v.resized != [2]int{m.Height, m.Width} {
		m = &vision.Image{Pix: stretch(m, v.resized[0], v.resized[1]), Height: v.resized[0], Width: v.resized[1], Channels: 3}
	}
	step := v.side / float64(v.width)
	return warp(m, v.height, v.width, step, v.center[0]-float64(step*float64(v.width)/2), v.center[1]-float64(step*float64(v.height)/2))
}

// pixels writes the pixels of an image, [3, height, width]: blue first, from 0 to 1, less the mean, over the deviation.
func (v *view) pixels(dst []float32, m *vision.Image) {
	samples, plane := v.samples(m), v.height*v.width
	for c := range 3 {
		var table [256]float32
		for i := range table {
			table[i] = float32((float64(i)/255 - float64(centerMean[c])) / float64(centerStd[c]))
		}
		for i := range plane {
			dst[c*plane+i] = table[samples[3*i+2-c]]
		}
	}
}

// restore brings a box in cells to pixels of the image.
func (v *view) restore(b boxes.Box) boxes.Box {
	step := v.side / float64(v.width/centerStride)
	place := func(x float32, cells int, center float64) float32 {
		return float32((float64((float64(x)-float64(cells)/2)*step) + center) / v.scale)
	}
	columns, rows := v.width/centerStride, v.height/centerStride
	return boxes.Box{
		X0: place(b.X0, columns, v.center[0]), Y0: place(b.Y0, rows, v.center[1]),
		X1: place(b.X1, columns, v.center[0]), Y1: place(b.Y1, rows, v.center[1]),
	}
}

// Bits of the places and weights of warp.
const warpPlace, warpStep, warpWeight = 10, 5, 15

// warp returns RGB samples of another size whose pixel (x, y) is the place (x0 + step·x, y0 + step·y) of an image,
// between the four nearest pixels; outside there are zeros. It gives the bytes of OpenCV's cv2.warpAffine with
// INTER_LINEAR (modules/imgproc/src/imgwarp.cpp): places in 1/32 of a pixel.
func warp(m *vision.Image, height, width int, step, x0, y0 float64) []uint8 {
	const one = 1 << warpStep
	across, down := warpPlaces(width, step, x0), warpPlaces(height, step, y0)
	out := make([]uint8, height*width*3)
	for i, y := range down {
		top, fy := y>>warpStep, int32(y&(one-1))
		if top < -1 || top >= m.Height {
			continue
		}
		for j, x := range across {
			left, fx := x>>warpStep, int32(x&(one-1))
			if left < -1 || left >= m.Width {
				continue
			}
			for c := range 3 {
				sample := func(x, y int) int32 {
					if x < 0 || x >= m.Width || y < 0 || y >= m.Height {
						return 0
					}
					return int32(m.Pix[(y*m.Width+x)*m.Channels+min(c, m.Channels-1)])
				}
				const half = 1 << (warpWeight - 1)
				sum := (one-fy)*((one-fx)*sample(left, top)+fx*sample(left+1, top)) + fy*((one-fx)*sample(left, top+1)+fx*sample(left+1, top+1))
				out[(i*width+j)*3+c] = uint8((sum<<(warpWeight-2*warpStep) + half) >> warpWeight)
			}
		}
	}
	return out
}

// warpPlaces returns the places of pixels along a side, in 1/32 of a pixel.
func warpPlaces(n int, step, start float64) []int {
	const one, shift = 1 << warpPlace, warpPlace - warpStep
	round := func(v float64) int { return int(math.RoundToEven(v * one)) }
	out := make([]int, n)
	for i := range out {
		out[i] = (round(start) + 1<<(shift-1) + round(float64(i)*step)) >> shift
	}
	return out
}
