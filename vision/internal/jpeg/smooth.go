package jpeg

// A progressive file may end before all bits of its coefficients are known. libjpeg then estimates the first nine after the
// mean of a block from the means of 25 blocks around it, and so does this file (jdcoefct.c, decompress_smooth_data; in
// the manner of T.81, K.8). An estimate takes the place of a coefficient that is zero and not known to the last bit.

// kernel weighs the means of five rows of five blocks; the middle is the block itself.
type kernel [5][5]int64

// coarse are the kernels of the coefficients, in the order of the file, where the mean alone is known. The first
// smooths the mean.
var coarse = [10]kernel{
	{{-2, -6, -8, -6, -2}, {-6, 6, 42, 6, -6}, {-8, 42, 152, 42, -8}, {-6, 6, 42, 6, -6}, {-2, -6, -8, -6, -2}},
	{{-1, -1, 0, 1, 1}, {-3, 13, 0, -13, 3}, {-3, 38, 0, -38, 3}, {-3, 13, 0, -13, 3}, {-1, -1, 0, 1, 1}},
	{{-1, -3, -3, -3, -1}, {-1, 13, 38, 13, -1}, {}, {1, -13, -38, -13, 1}, {1, 3, 3, 3, 1}},
	{{0, 0, 1, 0, 0}, {0, 2, 7, 2, 0}, {0, -5, -14, -5, 0}, {0, 2, 7, 2, 0}, {0, 0, 1, 0, 0}},
	{{-1, 0, 0, 0, 1}, {0, 9, 0, -9, 0}, {}, {0, -9, 0, 9, 0}, {1, 0, 0, 0, -1}},
	{{}, {0, 2, -5, 2, 0}, {1, 7, -14, 7, 1}, {0, 2, -5, 2, 0}, {}},
	{{}, {0, 1, 0, -1, 0}, {0, 2, 0, -2, 0}, {0, 1, 0, -1, 0}, {}},
	{{}, {0, 1, -3, 1, 0}, {}, {0, -1, 3, -1, 0}, {}},
	{{}, {0, 1, 0, -1, 0}, {0, -3, 0, 3, 0}, {0, 1, 0, -1, 0}, {}},
	{{}, {0, 1, 2, 1, 0}, {}, {0, -1, -2, -1, 0}, {}},
}

// fine are the kernels where some of the nine are known in part. The last four are not estimated then.
var fine = [6]kernel{
	{},
	{{}, {}, {-7, 50, 0, -50, 7}, {}, {}},
	{{0, 0, -7, 0, 0}, {0, 0, 50, 0, 0}, {}, {0, 0, -50, 0, 0}, {0, 0, 7, 0, 0}},
	{{0, 0, -1, 0, 0}, {0, 0, 13, 0, 0}, {0, 0, -24, 0, 0}, {0, 0, 13, 0, 0}, {0, 0, -1, 0, 0}},
	{{0, -1, 0, 1, 0}, {-1, 10, 0, -10, 1}, {}, {1, -10, 0, 10, -1}, {0, 1, 0, -1, 0}},
	{{}, {}, {-1, 13, -24, 13, -1}, {}, {}},
}

// smooths reports whether coefficients are to be estimated. libjpeg does not where it would divide by zero.
func (d *decoder) smooths() bool {
	useful := false
	for i := range d.comps {
		c := &d.comps[i]
		for k := range 10 {
			if c.quant[unzig[k]] == 0 {
				return false
			}
			useful = useful || k > 0 && c.known[k] != 0
		}
	}
	return d.progressive && useful
}

// rebuildSmooth is rebuild with estimates.
func (c *component) rebuildSmooth(row int) {
	kernels := coarse[:]
	for _, known := range c.known[1:10] {
		if known != -1 {
			kernels = fine[:]
		}
	}
	stride := c.size * c.stride
	for y := row * c.v; y < min((row+1)*c.v, c.blocksY); y++ {
		near := c.near(y)
		dst := c.plane[y%(2*c.v)*c.size*stride:]
		for x := range c.blocksX {
			b := c.coeffs[y*c.stride+x]
			var means kernel
			for i, y := range near {
				if y >= c.rows {
					continue // libjpeg has a row of zeros there
				}
				for j := range means[i] {
					means[i][j] = int64(c.coeffs[y*c.stride+min(max(x+j-2, 0), c.blocksX-1)][0])
				}
			}
			c.estimate(&b, &means, kernels)
			c.inverse(dst[c.size*x:], stride, &b, true)
		}
	}
}

// near returns the rows of blocks two above to two below y. At the edges, rows are repeated. The last row of MCUs may hold
// fewer rows of blocks; libjpeg counts all rows as if they had that many, and so repeats rows that it need not.
func (c *component) near(y int) [5]int {
	mcus := ceil(c.blocksY, c.mcuRows)
	n := c.mcuRows
	if rest := c.blocksY % n; y/n == mcus-1 && rest != 0 {
		n = rest
	}
	at, last := y/c.mcuRows*n+y%c.mcuRows, n*mcus-1
	near := [5]int{y, y, y, y, y}
	if at > 0 {
		near[0], near[1] = y-1, y-1
	}
	if at > 1 {
		near[0] = y - 2
	}
	if at < last {
		near[3], near[4] = y+1, y+1
	}
	if at < last-1 {
		near[4] = y + 2
	}
	return near
}

// estimate fills in coefficients of a block.
func (c *component) estimate(b *block, means *kernel, kernels []kernel) {
	step := func(k int) int64 { return int64(uint16(c.quant[unzig[k]])) }
	for k := len(kernels) - 1; k >= 0; k-- {
		known := c.known[k]
		if k > 0 && (known == 0 || b[unzig[k]] != 0) || k == 0 && len(kernels) == len(fine) {
			continue
		}
		sum := int64(0)
		for i, row := range kernels[k] {
			for j, w := range row {
				sum += w * means[i][j]
			}
		}
		sum *= step(0)
		sign := int64(1)
		if sum < 0 {
			sum, sign = -sum, -1
		}
		v := (step(k)<<7 + sum) / (step(k) << 8)
		if k > 0 && known > 0 {
			v = min(v, 1<<known-1)
		}
		b[unzig[k]] = int16(sign * v)
	}
}
