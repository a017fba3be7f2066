package simd

import (
	"math"
	"math/rand/v2"
	"testing"
)

// Random numbers, and random bit patterns, against float64.
func TestPowErrors(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	n := 300_000
	if testing.Short() {
		n /= 10
	}
	worst := 0.0
	for i := range n {
		x, y := float32(math.Exp(r.NormFloat64()*3)), float32(r.NormFloat64()*8)
		switch i % 4 {
		case 1:
			x, y = math.Float32frombits(r.Uint32()), math.Float32frombits(r.Uint32())
		case 2: // near 1, to a large power
			x, y = 1+float32(r.NormFloat64()*1e-4), float32(r.NormFloat64()*1e5)
		case 3:
			x, y = float32(r.NormFloat64()), float32(r.IntN(21)-10)
		}
		d := []float32{x}
		Pow(d, d, []float32{y})
		e := []float32{x}
		PowScalar(e, e, y)
		if want := math.Pow(float64(x), float64(y)); !(ulpError(d[0], want) <= 0.51) {
			t.Fatalf("Pow(%g, %g) = %g, expected %g", x, y, d[0], want)
		} else {
			worst = max(worst, ulpError(d[0], want))
		}
		if !sameBits(d[0], e[0]) {
			t.Fatalf("PowScalar(%g, %g) = %g, Pow %g", x, y, e[0], d[0])
		}
	}
	t.Logf("%.5f ulp", worst)
}

// Special cases are those of C, which package math has too.
func TestPowLimits(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	values := []float32{0, float32(math.Copysign(0, -1)), 1, -1, 0.5, -0.5, 2, -2, 3, -3, 1.5, -1.5, inf, -inf, nan, 1e30, -1e30,
		16777215, -16777215, 16777216, -16777217, math.SmallestNonzeroFloat32, -math.SmallestNonzeroFloat32, math.MaxFloat32}
	for _, x := range values {
		for _, y := range values {
			d := []float32{y}
			Pow(d, []float32{x}, d)
			if want := math.Pow(float64(x), float64(y)); !(ulpError(d[0], want) <= 0.51) || math.Signbit(want) != math.Signbit(float64(d[0])) && want == want {
				t.Errorf("Pow(%g, %g) = %g, expected %g", x, y, d[0], want)
			}
		}
	}
}
