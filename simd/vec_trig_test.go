package simd

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
)

// A large argument among small ones, in blocks of every kind, has the bits that it has alone, on every level.
func TestTrigBlocks(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for _, f := range []func(dst, x []float32){Sin, Cos} {
		for _, n := range []int{1, 17, 256, 257, 1000} {
			x, want := make([]float32, n), make([]float32, n)
			onLevels(t, fusedLevels(), func(t *testing.T) {
				for i := range x {
					if x[i] = float32(r.NormFloat64() * 10); r.IntN(n) == 0 {
						x[i] = math.Float32frombits(r.Uint32())
					}
					f(want[i:i+1], x[i:i+1])
				}
				got := make([]float32, n)
				f(got, x)
				compareBits(t, "result", got, want)
				f(x, x)
				compareBits(t, "result in place", x, want)
			})
		}
	}
}

// Arguments that are hard to reduce: the largest, the one nearest to a multiple of π/2, and those around the bound of the
// kernels. π has 300 bits here.
func TestQuarterTurns(t *testing.T) {
	half, ok := new(big.Float).SetPrec(300).SetString(
		"1.57079632679489661923132169163975144209858469968755291048747229615390820314310449931401741267105853399107404326")
	if !ok {
		t.Fatal("π/2 is not a number")
	}
	for _, x := range []float32{65536, 1e5, -1e5, math.Nextafter32(1e5, 2e5), 1 << 25, 0x1.f4p30, -16367173 * 0x1p72, 0x1.6ac5b2p112, math.MaxFloat32, -math.MaxFloat32} {
		exact := new(big.Float).SetPrec(300).SetFloat64(float64(x))
		turns := new(big.Float).SetPrec(300).Quo(exact, half)
		shift := 0.5
		if x < 0 {
			shift = -0.5
		}
		whole, _ := new(big.Float).SetPrec(300).Add(turns, big.NewFloat(shift)).Int(nil)
		rest := new(big.Float).SetPrec(300).Sub(exact, new(big.Float).SetPrec(300).Mul(new(big.Float).SetPrec(300).SetInt(whole), half))
		want, _ := rest.Float64()
		n, r := quarterTurns(x)
		if m := uint32(new(big.Int).And(whole, big.NewInt(3)).Int64()); n != m || !(ulpError(r, want) <= 0.51) {
			t.Errorf("%g: %d and %g, expected %d and %g", x, n, r, m, want)
		}
	}
}
