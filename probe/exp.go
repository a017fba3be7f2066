package probe

import "math"

// Functions of package math are assembly on some machines and give other bits there. These are the same everywhere:
// every product is converted, so that the compiler does not fuse it with a sum. The formulas and constants are those of
// FreeBSD's msun, e_exp.c and e_log.c.

const (
	ln2Hi = 6.93147180369123816490e-01
	ln2Lo = 1.90821492927058770002e-10
)

// exp returns eˣ within 1 ULP for x of at most 0: 0 below -708, NaN for NaN.
func exp(x float64) float64 {
	if x < -708 {
		return 0
	}
	if x != x {
		return x
	}
	k := math.Floor(float64(x*math.Log2E) + 0.5)
	hi := x - float64(k*ln2Hi)
	lo := float64(k * ln2Lo)
	r := hi - lo
	t := float64(r * r)
	c := 4.13813679705723846039e-08
	for _, p := range [...]float64{-1.65339022054652515390e-06, 6.61375632143793436117e-05, -2.77777777770155933842e-03, 1.66666666666666019037e-01} {
		c = p + float64(t*c)
	}
	c = r - float64(t*c)
	y := 1 - ((lo - float64(r*c)/(2-c)) - hi)
	return float64(y * math.Float64frombits(uint64(int64(k)+1023)<<52))
}

// log returns the natural logarithm of a positive normal x within 1 ULP.
func log(x float64) float64 {
	f, exponent := math.Frexp(x)
	if f < math.Sqrt2/2 {
		f *= 2
		exponent--
	}
	f--
	k := float64(exponent)
	s := f / (2 + f)
	t := float64(s * s)
	r := 1.479819860511658591e-01
	for _, p := range [...]float64{1.531383769920937332e-01, 1.818357216161805012e-01, 2.222219843214978396e-01, 2.857142874366239149e-01, 3.999999999940941908e-01, 6.666666666666735130e-01} {
		r = p + float64(t*r)
	}
	r = float64(t * r)
	half := float64(float64(0.5*f) * f)
	return float64(k*ln2Hi) - ((half - (float64(s*(half+r)) + float64(k*ln2Lo))) - f)
}
