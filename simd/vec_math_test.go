package simd

import (
	"math"
	"os"
	"strings"
	"testing"
)

// A function is a transcendental kernel with the error it promises: the larger of ulps units in the last
// place of the result and abs. portable and absPortable are the promise of the portable level on hardware
// without fused multiply-add.
type function struct {
	name             string
	f                func(dst, x []float32)
	ref              func(float64) float64
	ulps, portable   float64
	abs, absPortable float64
}

func sigma(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

func normal(x float64) float64 { return math.Exp(-x*x/2) / math.Sqrt(2*math.Pi) }

func cdf(x float64) float64 { return math.Erfc(-x/math.Sqrt2) / 2 }

func tanhForm(x float64) (value, slope float64) {
	c := math.Sqrt(2 / math.Pi)
	th := math.Tanh(c * (x + 0.044715*x*x*x))
	if math.IsInf(x, 0) || math.Abs(x) > 1e3 {
		return max(x, 0), (th + 1) / 2
	}
	return x / 2 * (1 + th), (1+th)/2 + x/2*(1-th*th)*c*(1+3*0.044715*x*x)
}

// mishForm is mish and its slope, by log1p and expm1.
func mishForm(x float64) (value, slope float64) {
	if x > 200 {
		return x, 1
	}
	if x < -200 {
		return 0, 0
	}
	th := math.Tanh(math.Log1p(math.Exp(x)))
	return x * th, th + x*(1-th*th)*sigma(x)
}

func hardSwishForm(x float64) float64 {
	if x <= -3 {
		return 0
	}
	return x * min((x+3)/6, 1)
}

func hardSwishSlopeForm(x float64) float64 {
	switch {
	case x <= -3:
		return 0
	case x < 3:
		return (2*x + 3) / 6
	}
	return 1 // NaN as well, as in PyTorch
}

// limit is f with its limits for large |x|, where the formula is 0·Inf or nearly so.
func limit(f func(float64) float64, below, above func(x float64) float64) func(float64) float64 {
	return func(x float64) float64 {
		switch {
		case x < -200:
			return below(x)
		case x > 200:
			return above(x)
		}
		return f(x)
	}
}

func zero(float64) float64   { return 0 }
func one(float64) float64    { return 1 }
func same(x float64) float64 { return x }
func ones(dst []float32)     { Fill(dst, 1) }
func slopeOf(grad func(dst, x, dy []float32)) func(dst, x []float32) {
	return func(dst, x []float32) {
		dy := make([]float32, len(x))
		ones(dy)
		grad(dst, x, dy)
	}
}

var functions = []function{
	{"Exp", Exp, math.Exp, 1, 2, 0, 0},
	{"Log", Log, math.Log, 1, 2, 0, 0},
	{"Tanh", Tanh, math.Tanh, 5.3, 6.5, 0, 0},
	{"Sin", Sin, math.Sin, 1.6, 1.6, 0, 0},
	{"Cos", Cos, math.Cos, 1.6, 1.6, 0, 0},
	{"Erf", Erf, math.Erf, 4, 5, 0, 0},
	{"Sigmoid", Sigmoid, sigma, 2.5, 4, 0, 0},
	{"Silu", Silu, limit(func(x float64) float64 { return x * sigma(x) }, zero, same), 3, 4, 1e-43, 1e-43},
	{"Gelu", Gelu, limit(func(x float64) float64 { return x * cdf(x) }, zero, same), 3, 4, 4e-7, 5e-7},
	{"GeluTanh", GeluTanh, func(x float64) float64 { v, _ := tanhForm(x); return v }, 3, 4, 8e-7, 1.2e-6},
	{"QuickGelu", QuickGelu, limit(func(x float64) float64 { return x * sigma(1.702*x) }, zero, same), 5, 6, 2e-8, 2e-8},
	{"HardSwish", HardSwish, hardSwishForm, 3, 3, 0, 0},
	{"Mish", Mish, func(x float64) float64 { v, _ := mishForm(x); return v }, 6, 7, 1e-43, 1e-43},
	{"HardSwishGrad", slopeOf(HardSwishGrad), hardSwishSlopeForm, 2, 2, 0, 0},
	{"MishGrad", slopeOf(MishGrad), func(x float64) float64 { _, v := mishForm(x); return v }, 4, 5, 3e-7, 3e-7},
	{"SigmoidGrad", slopeOf(SigmoidGrad), func(x float64) float64 { s := sigma(-math.Abs(x)); return s * (1 - s) }, 5, 6, 0, 0},
	{"TanhGrad", slopeOf(TanhGrad), func(x float64) float64 { c := math.Cosh(min(math.Abs(x), 700)); return 1 / (c * c) }, 2, 3, 6e-7, 8e-7},
	{"SiluGrad", slopeOf(SiluGrad), limit(func(x float64) float64 { s := sigma(x); return s * (1 + x*sigma(-x)) }, zero, one), 4, 5, 3e-7, 3e-7},
	{"GeluGrad", slopeOf(GeluGrad), limit(func(x float64) float64 { return cdf(x) + x*normal(x) }, zero, one), 2, 3, 3e-7, 4e-7},
	{"GeluTanhGrad", slopeOf(GeluTanhGrad), func(x float64) float64 { _, v := tanhForm(x); return v }, 2, 3, 5e-6, 6e-6},
	{"QuickGeluGrad", slopeOf(QuickGeluGrad), limit(func(x float64) float64 {
		z := 1.702 * x
		return sigma(z) * (1 + z*sigma(-z))
	}, zero, one), 4, 5, 3e-7, 3e-7},
}

// ulpError is |got - want| in units in the last place of want as a float32, 0 where both overflow.
func ulpError(got float32, want float64) float64 {
	if math.IsNaN(want) || got != got {
		if math.IsNaN(want) && got != got {
			return 0
		}
		return math.Inf(1)
	}
	// Numbers from half a unit past the largest float32 on round to infinity.
	const overflow = 0x1.ffffffp127
	if math.Abs(want) >= overflow || math.IsInf(float64(got), 0) {
		if math.IsInf(float64(got), 0) && math.Abs(want) >= 0x1.fffffep127 && (got > 0) == (want > 0) {
			return 0
		}
		if !math.IsInf(want, 0) && math.Abs(float64(got)) == math.MaxFloat32 {
			return 1
		}
		return math.Inf(1)
	}
	_, e := math.Frexp(want)
	return math.Abs(float64(got)-want) / math.Ldexp(1, max(e-24, -149))
}

// worst tries the bit patterns from, from + step, …, to the last. Over the arguments whose absolute error
// exceeds abs, it returns the largest error in units in the last place, the largest absolute error, and the
// argument of each.
func worst(c function, from, step uint64, abs float64) (ulps, absErr float64, atUlps, atAbs float32) {
	const block = 4096
	x, y := make([]float32, 0, block), make([]float32, block)
	flush := func() {
		c.f(y[:len(x)], x)
		for i, v := range x {
			want := c.ref(float64(v))
			u := ulpError(y[i], want)
			d := math.Abs(float64(y[i]) - want)
			if d <= abs {
				continue
			}
			if u > ulps {
				ulps, atUlps = u, v
			}
			if d > absErr {
				absErr, atAbs = d, v
			}
		}
		x = x[:0]
	}
	for u := from; u < 1<<32; u += step {
		if x = append(x, math.Float32frombits(uint32(u))); len(x) == block {
			flush()
		}
	}
	flush()
	return ulps, absErr, atUlps, atAbs
}

func (c function) promise() (ulps, abs float64) {
	for _, l := range fusedLevels() {
		if l == level {
			return c.ulps, c.abs
		}
	}
	return c.portable, c.absPortable
}

// A sample of all bit patterns, the same number from each exponent. The levels with fused multiply-adds give
// the same bits (TestElementwiseBits), so the best one is tested for all of them.
func TestFunctionErrors(t *testing.T) {
	step := uint64(16411) // a prime, so mantissas of every kind occur
	if testing.Short() {
		step *= 8
	}
	onLevels(t, []Level{Generic, Levels()[len(Levels())-1]}, func(t *testing.T) {
		for _, c := range functions {
			allowed, abs := c.promise()
			ulps, _, at, _ := worst(c, 0, step, abs)
			t.Logf("%s: %.3g ulp at %g", c.name, ulps, at)
			if !(ulps <= allowed) {
				var y [1]float32
				c.f(y[:], []float32{at})
				t.Errorf("%s(%g) = %g, want %g: %.3g ulp, promised %g", c.name, at, y[0], c.ref(float64(at)), ulps, allowed)
			}
		}
	})
}

// The arguments at which Tanh is worst, among all 2³²: at the first with fused multiply-adds, at the second without.
func TestTanhWorst(t *testing.T) {
	onLevels(t, Levels(), func(t *testing.T) {
		c := function{name: "Tanh", ulps: 5.3, portable: 6.5}
		allowed, _ := c.promise()
		most := 0.0
		for _, x := range []float32{6.8490047, 5.42247} {
			y := []float32{x}
			Tanh(y, y)
			most = max(most, ulpError(y[0], math.Tanh(float64(x))))
		}
		if !(most > 5.2 && most <= allowed) {
			t.Errorf("%.4g ulp, expected more than 5.2 and at most %g", most, allowed)
		}
	})
}

// The arguments at which Sin and Cos are worst, between 1/4 and 1e5.
func TestTrigWorst(t *testing.T) {
	onLevels(t, Levels(), func(t *testing.T) {
		s, c := []float32{2547.3271, 10687.949}, []float32{7195.299, 24819.9}
		most := 0.0
		for i := range s {
			x, y := float64(s[i]), float64(c[i])
			Sin(s[i:i+1], s[i:i+1])
			Cos(c[i:i+1], c[i:i+1])
			most = max(most, ulpError(s[i], math.Sin(x)), ulpError(c[i], math.Cos(y)))
		}
		if !(most > 1.5 && most <= 1.6) {
			t.Errorf("%.4g ulp, expected more than 1.5 and at most 1.6", most)
		}
	})
}

// FOVEA_SWEEP=Exp,Log (or all) tries all 2³² arguments of each function, a minute or more for each.
func TestFunctionSweep(t *testing.T) {
	want := os.Getenv("FOVEA_SWEEP")
	if want == "" {
		t.Skip("FOVEA_SWEEP names no function")
	}
	for _, c := range functions {
		if want != "all" && !strings.Contains(","+want+",", ","+c.name+",") {
			continue
		}
		allowed, abs := c.promise()
		ulps, absErr, at, atAbs := worst(c, 0, 1, abs)
		t.Logf("%s on %v: %.4g ulp at %g, absolute error %.4g at %g", c.name, Current(), ulps, at, absErr, atAbs)
		if !(ulps <= allowed) {
			t.Errorf("%s: %.4g ulp at %g, promised %g", c.name, ulps, at, allowed)
		}
	}
}

func TestFunctionLimits(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	negZero := float32(math.Copysign(0, -1))
	onLevels(t, Levels(), func(t *testing.T) {
		for _, c := range []struct {
			name string
			f    func(dst, x []float32)
			x, y float32
		}{
			{"Exp", Exp, 0, 1}, {"Exp", Exp, inf, inf}, {"Exp", Exp, -inf, 0}, {"Exp", Exp, 89, inf},
			{"Exp", Exp, -104, 0}, {"Exp", Exp, -103, math.SmallestNonzeroFloat32}, {"Exp", Exp, nan, nan},
			{"Log", Log, 1, 0}, {"Log", Log, 0, -inf}, {"Log", Log, negZero, -inf}, {"Log", Log, -1, nan},
			{"Log", Log, inf, inf}, {"Log", Log, -inf, nan}, {"Log", Log, nan, nan},
			{"Tanh", Tanh, inf, 1}, {"Tanh", Tanh, -inf, -1}, {"Tanh", Tanh, 10, 1}, {"Tanh", Tanh, negZero, negZero},
			{"Tanh", Tanh, 1e-40, 1e-40}, {"Tanh", Tanh, nan, nan},
			{"Sin", Sin, 0, 0}, {"Sin", Sin, negZero, negZero}, {"Sin", Sin, 1e-40, 1e-40}, {"Sin", Sin, -1e-40, -1e-40},
			{"Sin", Sin, inf, nan}, {"Sin", Sin, -inf, nan}, {"Sin", Sin, nan, nan}, {"Sin", Sin, 0x1p-20, 0x1p-20},
			{"Cos", Cos, 0, 1}, {"Cos", Cos, negZero, 1}, {"Cos", Cos, 1e-40, 1}, {"Cos", Cos, inf, nan}, {"Cos", Cos, nan, nan},
			{"Erf", Erf, inf, 1}, {"Erf", Erf, -inf, -1}, {"Erf", Erf, 4, 1}, {"Erf", Erf, nan, nan},
			{"Sigmoid", Sigmoid, 0, .5}, {"Sigmoid", Sigmoid, inf, 1}, {"Sigmoid", Sigmoid, -inf, 0}, {"Sigmoid", Sigmoid, nan, nan},
			{"Silu", Silu, inf, inf}, {"Silu", Silu, -inf, negZero}, {"Silu", Silu, nan, nan},
			{"Gelu", Gelu, inf, inf}, {"Gelu", Gelu, -inf, negZero}, {"Gelu", Gelu, 20, 20}, {"Gelu", Gelu, nan, nan},
			{"GeluTanh", GeluTanh, inf, inf}, {"GeluTanh", GeluTanh, -inf, 0}, {"GeluTanh", GeluTanh, 20, 20}, {"GeluTanh", GeluTanh, nan, nan},
			{"QuickGelu", QuickGelu, inf, inf}, {"QuickGelu", QuickGelu, -inf, negZero}, {"QuickGelu", QuickGelu, nan, nan},
			{"Relu", Relu, -inf, 0}, {"Relu", Relu, nan, nan}, {"Relu", Relu, -3, 0},
			{"Relu6", Relu6, -inf, 0}, {"Relu6", Relu6, 5.5, 5.5}, {"Relu6", Relu6, inf, 6}, {"Relu6", Relu6, nan, nan},
			{"SquaredRelu", SquaredRelu, -inf, 0}, {"SquaredRelu", SquaredRelu, -2, 0}, {"SquaredRelu", SquaredRelu, 3, 9},
			{"SquaredRelu", SquaredRelu, inf, inf}, {"SquaredRelu", SquaredRelu, nan, nan},
			{"HardSwish", HardSwish, inf, inf}, {"HardSwish", HardSwish, -inf, negZero}, {"HardSwish", HardSwish, 3, 3},
			{"HardSwish", HardSwish, 3e38, 3e38}, {"HardSwish", HardSwish, -3, negZero}, {"HardSwish", HardSwish, nan, nan},
			{"Mish", Mish, inf, inf}, {"Mish", Mish, -inf, negZero}, {"Mish", Mish, 3e38, 3e38}, {"Mish", Mish, -3e38, negZero},
			{"Mish", Mish, 44, 44}, {"Mish", Mish, 90, 90}, {"Mish", Mish, nan, nan},
			{"Relu6Grad", slopeOf(Relu6Grad), 0, 0}, {"Relu6Grad", slopeOf(Relu6Grad), 1, 1}, {"Relu6Grad", slopeOf(Relu6Grad), 6, 0},
			{"SquaredReluGrad", slopeOf(SquaredReluGrad), inf, inf}, {"SquaredReluGrad", slopeOf(SquaredReluGrad), -inf, 0},
			{"HardSwishGrad", slopeOf(HardSwishGrad), inf, 1}, {"HardSwishGrad", slopeOf(HardSwishGrad), -inf, 0},
			{"HardSwishGrad", slopeOf(HardSwishGrad), 3, 1}, {"HardSwishGrad", slopeOf(HardSwishGrad), -3, 0},
			{"MishGrad", slopeOf(MishGrad), inf, 1}, {"MishGrad", slopeOf(MishGrad), -inf, 0},
			{"MishGrad", slopeOf(MishGrad), 3e38, 1}, {"MishGrad", slopeOf(MishGrad), 50, 1}, {"MishGrad", slopeOf(MishGrad), nan, nan},
			{"SiluGrad", slopeOf(SiluGrad), inf, 1}, {"SiluGrad", slopeOf(SiluGrad), -inf, 0},
			{"GeluGrad", slopeOf(GeluGrad), inf, 1}, {"GeluGrad", slopeOf(GeluGrad), -inf, 0},
			{"GeluTanhGrad", slopeOf(GeluTanhGrad), inf, 1}, {"GeluTanhGrad", slopeOf(GeluTanhGrad), -inf, 0},
		} {
			y := []float32{c.x}
			c.f(y, y)
			if v := y[0]; !sameBits(v, c.y) && !(v == 0 && c.y == 0 && strings.HasSuffix(c.name, "Grad")) {
				t.Errorf("%s(%g) = %g, want %g", c.name, c.x, v, c.y)
			}
		}
	})
}
