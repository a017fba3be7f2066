package portable

import (
	"math"

	"github.com/fovea-ml/fovea/simd/internal/coeff"
)

func mul(a, b float32) float32 { return float32(a * b) }

func maxSel(a, b float32) float32 {
	if a > b {
		return a
	}
	return b
}

func minSel(a, b float32) float32 {
	if a < b {
		return a
	}
	return b
}

// maxNaN is maxSel, and NaN where either operand is.
func maxNaN(a, b float32) float32 {
	if a != a {
		return a
	}
	return maxSel(a, b)
}

func minNaN(a, b float32) float32 {
	if a != a {
		return a
	}
	return minSel(a, b)
}

func sqrt(x float32) float32 { return float32(math.Sqrt(float64(x))) }

func abs(x float32) float32 { return math.Float32frombits(math.Float32bits(x) &^ (1 << 31)) }

func neg(x float32) float32 { return math.Float32frombits(math.Float32bits(x) ^ (1 << 31)) }

// horner is c[0] + c[1]·t + c[2]·t² + …
func horner(c []float32, t float32) float32 {
	p := c[len(c)-1]
	for k := len(c) - 2; k >= 0; k-- {
		p = fma(p, t, c[k])
	}
	return p
}

// exp reduces x to n·log 2 + r. The factor 2^n is applied as two factors of about half the exponent. The
// first product is exact, so a denormal result is rounded once and overflow gives infinity.
func exp(x float32) float32 {
	x = maxSel(coeff.ExpMin, minSel(coeff.ExpMax, x))
	t := fma(x, coeff.Log2E, coeff.RoundMagic)
	n := t - coeff.RoundMagic
	r := fma(-n, coeff.Ln2Hi, x)
	r = fma(-n, coeff.Ln2Lo, r)
	p := horner(coeff.Exp, r)
	p = fma(p, r, 1)
	p = fma(p, r, 1)
	i := int32(math.Float32bits(t))
	half := i >> 1
	p = mul(p, math.Float32frombits(uint32(half)<<23))
	return mul(p, math.Float32frombits(uint32(i-half)<<23))
}

// log splits x into 2^e·(1+f), 1+f between √½ and √2.
func log(x float32) float32 {
	y, e := x, float32(0)
	if x < 0x1p-126 {
		y, e = mul(x, 0x1p23), -23
	}
	i := int32(math.Float32bits(y)) - coeff.LogSplit
	e += float32(i >> 23)
	f := math.Float32frombits(uint32(i)&0x7fffff+coeff.LogSplit) - 1
	s := mul(f, f)
	r := mul(mul(s, f), horner(coeff.Log, f))
	r = fma(e, coeff.Ln2Lo, r)
	r = fma(-0.5, s, r)
	r = fma(e, coeff.Ln2Hi, f+r)
	switch {
	case x == 0:
		return float32(math.Inf(-1))
	case x < 0:
		return float32(math.NaN())
	case x < float32(math.Inf(1)):
		return r
	}
	return x // +Inf or NaN
}

// sinTurned is the sine of x + turns·π/2, |x| ≤ coeff.TrigMax. It takes the nearest multiple n·π/2 from x, in parts. Three
// are taken exactly. What three others lose to rounding is kept in lost, and taken with the last. The sum with 0 below
// turns a product of -0 into +0, so that the sine of -0 is -0.
func sinTurned(x float32, turns uint32) float32 {
	t := fma(x, coeff.TwoOverPi, coeff.TrigMagic)
	n := t - coeff.TrigMagic
	r, lost := x, float32(0)
	for i, p := range coeff.HalfPi[:6] {
		s := fma(-n, p, r)
		if i >= 3 {
			lost += fma(n, p, s-r)
		}
		r = s
	}
	r -= fma(n, coeff.HalfPi[6], lost)
	z := mul(r, r)
	y := fma(fma(z, horner(coeff.Sin, z), 0), r, r)
	i := math.Float32bits(t) + turns
	if i&1 != 0 {
		y = horner(coeff.Cos, z)
	}
	return math.Float32frombits(math.Float32bits(y) ^ i&2<<30)
}

func tanh(x float32) float32 {
	s := minSel(coeff.TanhSquareMax, mul(x, x))
	y := mul(x, horner(coeff.TanhP, s)) / horner(coeff.TanhQ, s)
	return maxSel(-1, minSel(1, y))
}

func erf(x float32) float32 {
	s := minSel(coeff.ErfSquareMax, mul(x, x))
	y := mul(x, horner(coeff.Erf, fma(s, coeff.ErfScale, -1)))
	return maxSel(-1, minSel(1, y))
}

// phi is Φ(x) = ½ + ½·erf(x/√2), the distribution function of the standard normal. Only its absolute error is
// small.
func phi(x float32) float32 {
	s := minSel(coeff.PhiSquareMax, mul(x, x))
	y := mul(x, horner(coeff.Phi, fma(s, coeff.PhiScale, -1)))
	return 0.5 + maxSel(-0.5, minSel(0.5, y))
}

// logistic returns e = exp(-|x|) and the numerators of σ(x) and σ(-x) over 1 + e.
func logistic(x float32) (e, num, other float32) {
	e = exp(math.Float32frombits(math.Float32bits(x) | 1<<31))
	if x < 0 {
		return e, e, 1
	}
	return e, 1, e
}

func sigmoid(x float32) float32 {
	e, num, _ := logistic(x)
	return num / (1 + e)
}

func sigmoidSlope(x float32) float32 {
	e, _, _ := logistic(x)
	q := 1 / (1 + e)
	return mul(mul(e, q), q)
}

// silu clamps x to -104 and above. σ is 0 there, so -Inf does not multiply that 0.
func silu(x float32) float32 {
	x = maxSel(coeff.ExpMin, x)
	return mul(x, sigmoid(x))
}

func siluSlope(x float32) float32 {
	x = minSel(-coeff.ExpMin, maxSel(coeff.ExpMin, x))
	e, num, other := logistic(x)
	q := 1 / (1 + e)
	s := mul(num, q)
	return fma(mul(x, mul(other, q)), s, s)
}

func quickGelu(x float32) float32 {
	x = maxSel(-64, x)
	return mul(x, sigmoid(mul(coeff.QuickGelu, x)))
}

func quickGeluSlope(x float32) float32 { return siluSlope(mul(coeff.QuickGelu, x)) }

func gelu(x float32) float32 { return mul(maxSel(coeff.ExpMin, x), phi(x)) }

func geluSlope(x float32) float32 {
	x = minSel(16, maxSel(-16, x))
	density := exp(mul(-0.5, mul(x, x)))
	return fma(mul(x, coeff.InvSqrt2Pi), density, phi(x))
}

func geluTanh(x float32) float32 {
	t := tanh(mul(x, fma(mul(x, x), coeff.GeluC1, coeff.GeluC0)))
	h := mul(0.5, maxSel(coeff.ExpMin, x))
	return fma(h, t, h)
}

func geluTanhSlope(x float32) float32 {
	x = minSel(16, maxSel(-16, x))
	s := mul(x, x)
	t := tanh(mul(x, fma(s, coeff.GeluC1, coeff.GeluC0)))
	v := mul(mul(0.5, x), fma(-t, t, 1))
	return fma(v, fma(s, coeff.GeluC13, coeff.GeluC0), fma(0.5, t, 0.5))
}

func tanhSlope(x float32) float32 {
	t := tanh(x)
	return fma(-t, t, 1)
}

// hardSwish clamps x to -3 and above. The factor (x + 3)/6 is 0 there, so -Inf does not multiply that 0.
func hardSwish(x float32) float32 {
	x = maxSel(-3, x)
	return mul(x, mul(minSel(6, x+3), coeff.Sixth))
}

// hardSwishSlope is (2·x + 3)/6 between the kinks. NaN gives 1, as in PyTorch.
func hardSwishSlope(x float32) float32 {
	switch {
	case !(x < 3):
		return 1
	case x > -3:
		return mul(x+x+3, coeff.Sixth)
	}
	return 0
}

// mishTerms returns e = exp(-|x|) and tanh(log(1 + e^x)) as the fraction num/den. With t = e^x it is
// (t² + 2·t) / (t² + 2·t + 2), divided by t² above and below where x is positive. Nothing overflows or cancels.
func mishTerms(x float32) (e, num, den float32) {
	e = exp(math.Float32frombits(math.Float32bits(x) | 1<<31))
	if x < 0 {
		num = mul(e, e+2)
		return e, num, num + 2
	}
	num = e + e + 1
	return e, num, fma(e+e, e, num)
}

// mish clamps x to -104 and above. The fraction is 0 there, so -Inf does not multiply that 0.
func mish(x float32) float32 {
	x = maxSel(coeff.ExpMin, x)
	_, num, den := mishTerms(x)
	return mul(x, num/den)
}

// mishSlope is f + x·f', f the fraction num/den of mishTerms. With t = e^x, f' is 4·t·(1 + t) / (t² + 2·t + 2)²,
// divided by t⁴ above and below where x is positive.
func mishSlope(x float32) float32 {
	x = minSel(-coeff.ExpMin, maxSel(coeff.ExpMin, x))
	e, num, den := mishTerms(x)
	m := e
	if !(x < 0) {
		m = mul(e, e)
	}
	q := 1 / den
	m = mul(mul(mul(4*m, e+1), q), q)
	return fma(x, m, mul(num, q))
}
