package exact

// Product returns an element of a matrix product of K = len(a): c is beta·C, rounded, or nil where beta is 0. K is
// cut into blocks and a block into chains, the last of which may be shorter. A chain is one of fused multiply-adds from
// +0. The chains of a block are added in order, and then the blocks, to c where it is not nil.
func Product(a, b []float32, block, chain int, c *float32) float32 {
	var sum float32
	if c != nil {
		sum = *c
	}
	for k0 := 0; k0 < len(a); k0 += block {
		k1 := min(k0+block, len(a))
		var part float32
		for k := k0; k < k1; k += chain {
			var s float32
			for q := k; q < min(k+chain, k1); q++ {
				s = FMA(a[q], b[q], s)
			}
			if k == k0 {
				part = s
			} else {
				part += s
			}
		}
		if k0 == 0 && c == nil {
			sum = part
		} else {
			sum += part
		}
	}
	return sum
}
