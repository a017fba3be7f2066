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

// InputGrad computes the gradient of a plane: each pixel is one chain over the windows that contain it, those outside
// ddst included.
func (s *Depthwise) InputGrad(dsrc, ddst, weight []float32) {
	for i := range dsrc[:s.Height*s.Width] {
		y, x := i/s.Width+s.PadY, i%s.Width+s.PadX
		sum := float32(0)
		for ky := s.KernelY - 1; ky >= 0; ky-- {
			for kx := s.KernelX - 1; kx >= 0; kx-- {
				v, u := y-ky*s.DilationY, x-kx*s.DilationX
				if v%s.StrideY == 0 && u%s.StrideX == 0 {
					sum = FMA(weight[ky*s.KernelX+kx], pixel(ddst, s.Rows, s.Columns, v/s.StrideY, u/s.StrideX), sum)
				}
			}
		}
		dsrc[i] = sum
	}
}

// WeightGrad computes the gradient of a filter: each column of ddst is one chain over its rows, and the columns are
// added in sixteen lanes.
func (s *Depthwise) WeightGrad(dweight, src, ddst []float32) {
	for j := range dweight[:s.KernelY*s.KernelX] {
		ky, kx := j/s.KernelX*s.DilationY-s.PadY, j%s.KernelX*s.DilationX-s.PadX
		var lanes [16]float32
		for x := range s.Columns {
			sum := float32(0)
			for y := range s.Rows {
				sum = FMA(pixel(src, s.Height, s.Width, y*s.StrideY+ky, x*s.StrideX+kx), ddst[y*s.Columns+x], sum)
			}
			lanes[x%16] += sum
		}
		dweight[j] = Fold(&lanes)
	}
}
