package exact

// Winograd's algorithm F(2×2, 3×3) for one channel of one tile. Each step is a function of four or three numbers, on the
// columns and then on the rows.

// WinogradPixels transforms 4×4 pixels.
func WinogradPixels(d *[16]float32) [16]float32 {
	step := func(a, b, c, d float32) (p, q, r, s float32) { return a - c, b + c, c - b, b - d }
	v := *d
	for x := range 4 {
		v[x], v[4+x], v[8+x], v[12+x] = step(v[x], v[4+x], v[8+x], v[12+x])
	}
	for y := 0; y < 16; y += 4 {
		v[y], v[y+1], v[y+2], v[y+3] = step(v[y], v[y+1], v[y+2], v[y+3])
	}
	return v
}

// WinogradSums returns 2×2 results of 4×4 sums over channels.
func WinogradSums(m *[16]float32) (y [4]float32) {
	step := func(a, b, c, d float32) (p, q float32) { return a + b + c, b - c - d }
	var z [8]float32
	for x := range 4 {
		z[x], z[4+x] = step(m[x], m[4+x], m[8+x], m[12+x])
	}
	y[0], y[1] = step(z[0], z[1], z[2], z[3])
	y[2], y[3] = step(z[4], z[5], z[6], z[7])
	return y
}

// WinogradFilter transforms a 3×3 filter, in float64.
func WinogradFilter(w *[9]float32) (u [16]float32) {
	step := func(a, b, c float64) [4]float64 { return [4]float64{a, (a + c + b) / 2, (a + c - b) / 2, c} }
	var columns [3][4]float64
	for x := range 3 {
		columns[x] = step(float64(w[x]), float64(w[3+x]), float64(w[6+x]))
	}
	for y := range 4 {
		for x, v := range step(columns[0][y], columns[1][y], columns[2][y]) {
			u[4*y+x] = float32(v)
		}
	}
	return u
}
