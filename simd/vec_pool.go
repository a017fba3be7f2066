package simd

// MaxRow joins a row to the largest values of those above it: where x[i] is larger than top[i], at[i] becomes place. top
// becomes the larger of the two, NaN if either is NaN; then at is undefined. The slices must not overlap.
func MaxRow(top, at, x []float32, place float32) {
	n := len(top)
	atLeast("MaxRow", "at", len(at), n)
	atLeast("MaxRow", "x", len(x), n)
	vecMaxRow(top, at, x, place)
}

// MaxShifted joins the largest values of other columns, which are at the places xAt[i] + place: where x[i] is larger
// than top[i], or as large at a smaller place, at[i] becomes that place. top is as in MaxRow. x and xAt may overlap top
// and at only where they begin after them.
func MaxShifted(top, at, x, xAt []float32, place float32) {
	n := len(top)
	atLeast("MaxShifted", "at", len(at), n)
	atLeast("MaxShifted", "x", len(x), n)
	atLeast("MaxShifted", "xAt", len(xAt), n)
	vecMaxShifted(top, at, x, xAt, place)
}
