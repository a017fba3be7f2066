package exact

// Product returns an element of a matrix product of K = len(a): c is beta·C, rounded, or nil where beta is
// 0. K is cut into blocks, the last of which may be shorter. A block is one chain of fused multiply-adds from +0. C
// becomes the first block's sum, or that is added to it; the sums of the others are added in order.
func Product(a, b []float32, block int, c *float32) float32 {
	var sum float32
	if c != nil {
		sum = *c
	}
	for k := 0; k < len(a); k += block {
		var s float32
		for q := k; q < min(k+block, len(a)); q++ {
			s = FMA(a[q], b[q], s)
		}
		if k == 0 && c == nil {
			sum = s
		} else {
			sum += s
		}
	}
	return sum
}
