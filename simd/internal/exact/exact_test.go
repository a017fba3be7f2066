package exact

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
)

// slowFMA rounds the exact sum with math/big.
func slowFMA(a, b, c float32) float32 {
	x := new(big.Float).SetPrec(2000)
	x.Mul(new(big.Float).SetPrec(100).SetFloat64(float64(a)), new(big.Float).SetPrec(100).SetFloat64(float64(b)))
	x.Add(x, new(big.Float).SetPrec(100).SetFloat64(float64(c)))
	r, _ := x.Float32()
	return r
}

func TestFMA(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	draw := func(kind int) float32 {
		switch kind {
		case 0:
			return float32(rng.NormFloat64())
		case 1: // anywhere, denormals included
			return math.Float32frombits(rng.Uint32())
		case 2: // few mantissa bits: ties
			return float32(rng.IntN(64)-32) * float32(math.Ldexp(1, rng.IntN(60)-30))
		default: // small, so that products are denormal
			return math.Float32frombits(rng.Uint32() & 0x9fffffff)
		}
	}
	for i := range 400000 {
		a, b, c := draw(i%4), draw(i/4%4), draw(i/16%4)
		if i%5 == 0 { // cancellation: c near -a*b
			c = -a * b
		}
		got := FMA(a, b, c)
		if sp := float64(a)*float64(b) + float64(c); math.IsNaN(sp) || math.IsInf(sp, 0) {
			if (got != got) != (sp != sp) || got == got && float64(got) != sp {
				t.Fatalf("FMA(%g, %g, %g) = %g, want %g", a, b, c, got, sp)
			}
			continue
		}
		if want := slowFMA(a, b, c); got != want {
			t.Fatalf("FMA(%x, %x, %x) = %x, want %x", a, b, c, got, want)
		}
	}
	if r := FMA(float32(math.Copysign(0, -1)), 1, 0); r != 0 || math.Signbit(float64(r)) {
		t.Errorf("FMA(-0, 1, +0) = %g, want +0", r)
	}
	// 1 + 2^-24 + 2^-60 is just over a tie: float64 loses the last term and would round to even, to 1.
	if r := FMA(float32(math.Ldexp(1, -30)), float32(math.Ldexp(1, -30)), 1); r != 1 {
		t.Errorf("got %g", r)
	}
	a := float32(1 + math.Ldexp(1, -12))
	if r, want := FMA(a, a, float32(math.Ldexp(1, -60))), slowFMA(a, a, float32(math.Ldexp(1, -60))); r != want {
		t.Errorf("got %x, want %x", r, want)
	}
}

func TestFMASpecial(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	for _, c := range [][4]float32{{inf, 0, 1, nan}, {inf, 1, -inf, nan}, {inf, 2, 1, inf}, {1, 1, -inf, -inf}, {nan, 0, 0, nan}, {3e38, 3e38, -inf, -inf}} {
		got := FMA(c[0], c[1], c[2])
		if got != c[3] && !(got != got && c[3] != c[3]) {
			t.Errorf("FMA(%g, %g, %g) = %g, want %g", c[0], c[1], c[2], got, c[3])
		}
	}
}
