package vision

import (
	"fmt"
	"math"

	"github.com/fovea-ml/fovea/data"
)

// EraseMode says what [RandomErasing] writes into a rectangle.
type EraseMode uint8

const (
	// EraseZero is 0, the mean color of normalized pixels.
	EraseZero EraseMode = iota
	// EraseColor is one normally distributed color per rectangle.
	EraseColor
	// ErasePixels is normally distributed noise.
	ErasePixels
	eraseModeCount
)

func (m EraseMode) String() string {
	if m < eraseModeCount {
		return [...]string{"zero", "color", "pixels"}[m]
	}
	return fmt.Sprintf("EraseMode(%d)", uint8(m))
}

// RandomErasing overwrites a random rectangle of a normalized image (Zhong et al., arXiv 1708.04896), by the algorithm
// of timm's RandomErasing. With probability Prob it draws an area uniform in Area and an aspect log-uniform in Aspect,
// up to ten times, until the rectangle is smaller than the image. Then it draws a position.
type RandomErasing struct {
	Prob   float64
	Area   [2]float64 // of the rectangle, as a share of the image's; zero means 0.02 to 1/3
	Aspect [2]float64 // height divided by width; zero means 0.3 to 1/0.3
	Mode   EraseMode
	Count  int // rectangles, which share the area; 0 means 1
}

// Validate returns an error for invalid probabilities, ranges, modes and counts.
func (e *RandomErasing) Validate() error {
	area, aspect := e.ranges()
	switch {
	case !(e.Prob >= 0 && e.Prob <= 1):
		return fmt.Errorf("vision: random erasing with probability %v, expected 0 to 1", e.Prob)
	case !(area[0] > 0 && area[0] <= area[1] && area[1] <= 1):
		return fmt.Errorf("vision: random erasing: area from %v to %v, expected 0 < from ≤ to ≤ 1", area[0], area[1])
	case !(aspect[0] > 0 && aspect[0] <= aspect[1] && aspect[1] < math.Inf(1)):
		return fmt.Errorf("vision: random erasing: aspect from %v to %v, expected 0 < from ≤ to", aspect[0], aspect[1])
	case e.Mode >= eraseModeCount:
		return fmt.Errorf("vision: random erasing: unknown mode %d", e.Mode)
	case e.Count < 0 || e.Count > 1000:
		return fmt.Errorf("vision: random erasing: %d rectangles, expected up to 1000", e.Count)
	}
	return nil
}

func (e *RandomErasing) ranges() (area, aspect [2]float64) {
	area, aspect = e.Area, e.Aspect
	if area == [2]float64{} {
		area = [2]float64{0.02, 1. / 3}
	}
	if aspect == [2]float64{} {
		aspect = [2]float64{0.3, 1 / 0.3}
	}
	return area, aspect
}

// Apply erases part of an image whose planes are [channels, height, width].
func (e *RandomErasing) Apply(r *data.Rand, planes []float32, height, width int) {
	if r.Float64() >= e.Prob {
		return
	}
	area, aspect := e.ranges()
	count := max(e.Count, 1)
	for range count {
		for range 10 {
			size := r.Uniform(area[0], area[1]) * float64(width) * float64(height) / float64(count)
			ratio := math.Exp(r.Uniform(math.Log(aspect[0]), math.Log(aspect[1])))
			h, w := int(math.RoundToEven(math.Sqrt(size*ratio))), int(math.RoundToEven(math.Sqrt(size/ratio)))
			if w < width && h < height {
				x := r.IntN(width - w + 1) // drawn before y
				y := r.IntN(height - h + 1)
				e.fill(r, planes, height, width, y, x, h, w)
				break
			}
		}
	}
}

func (e *RandomErasing) fill(r *data.Rand, planes []float32, height, width, y, x, h, w int) {
	for from := 0; from+width*height <= len(planes); from += width * height {
		var v float32
		if e.Mode == EraseColor {
			v = float32(r.Normal())
		}
		for row := y; row < y+h; row++ {
			line := planes[from+row*width+x:][:w]
			for i := range line {
				if e.Mode == ErasePixels {
					v = float32(r.Normal())
				}
				line[i] = v
			}
		}
	}
}
