package exact

// A Depthwise is the geometry of a depthwise convolution with one filter for each plane, as simd.DepthwiseShape's.
type Depthwise struct {
	Height, Width, Rows, Columns       int
	KernelY, KernelX, StrideY, StrideX int
	PadY, PadX, DilationY, DilationX   int
}

// pixel is the value of a plane at row y and column x, +0 outside.
func pixel(plane []float32, height, width, y, x int) float32 {
	if y < 0 || y >= height || x < 0 || x >= width {
		return 0
	}
	return plane[y*width+x]
}

// Forward convolves a plane: each output is one chain over the taps.
func (s *Depthwise) Forward(dst, src, weight []float32) {
	for i := range dst[:s.Rows*s.Columns] {
		y, x := i/s.Columns*s.StrideY-s.PadY, i%s.Columns*s.StrideX-s.PadX
		sum := float32(0)
		for j, w := range weight[:s.KernelY*s.KernelX] {
			ky, kx := j/s.KernelX, j%s.KernelX
			sum = FMA(w, pixel(src, s.Height, s.Width, y+ky*s.DilationY, x+kx*s.DilationX), sum)
		}
		dst[i] = sum
	}
}
