// Package coeff holds the constants of the transcendental kernels. The portable code and the generator both
// read them here.
//
// The polynomials are minimax fits in the relative error of the function, lowest power first. They come from
// Remez exchange in 40 digits; the coefficients were then rounded to float32. The error stated for each is
// the error of the fit in exact arithmetic. 2^-24 is half a unit in the last place of float32.
package coeff

const (
	Log2E = 0x1.715476p+0

	// Ln2Hi + Ln2Lo is log 2. Ln2Hi has few enough bits that its product with an exponent is exact, with
	// or without fused multiply-add.
	Ln2Hi = 0x1.63p-1
	Ln2Lo = -0x1.bd0106p-13

	// ExpMax and ExpMin bound the argument of exp: e^89 overflows, e^-104 is below half the smallest
	// denormal number.
	ExpMax = 89
	ExpMin = -104

	// RoundMagic is 1.5·2^23 + 254. Added to x, it leaves round(x) + 254 in the low bits of the sum. 254 is
	// twice the bias of the exponent, so each half of the number is the biased exponent of a factor.
	RoundMagic = 0x1.8p23 + 254

	// LogSplit is the bit pattern of √½ in float32. Mantissas range from √½ to √2.
	LogSplit = 0x3f3504f3

	// ErfSquareMax is the x² from which erf(x) is 1 in float32. Larger squares are clamped to it; the product
	// with x then exceeds 1 and is clamped to 1. ErfScale maps squares to -1..1.
	ErfSquareMax = 15.4
	ErfScale     = 0x1.09f95ap-3 // 2 / 15.4

	// PhiSquareMax and PhiScale do the same for Φ(x) - ½ = ½·erf(x/√2).
	PhiSquareMax = 30.8
	PhiScale     = 0x1.09f95ap-4 // 2 / 30.8

	// TanhSquareMax does the same for tanh.
	TanhSquareMax = 83

	// TrigMax bounds the arguments of the kernels of sine and cosine: the number of quarter turns in them has 16 bits.
	// TrigMagic is 1.5·2^23. Added to such a number, it leaves it, rounded, in the low bits of the sum.
	TrigMax   = 1e5
	TrigMagic = 0x1.8p23
	TwoOverPi = 0x1.45f306p-1

	InvSqrt2Pi = 0x1.988454p-2 // 1/√(2π)

	// The argument of the tanh in GELU's tanh form is x·(GeluC0 + GeluC1·x²).
	GeluC0  = 0x1.988454p-1 // √(2/π)
	GeluC1  = 0x1.2444f2p-5 // 0.044715·√(2/π)
	GeluC13 = 0x1.b6676cp-4 // 3·0.044715·√(2/π)

	QuickGelu = 1.702

	// Sixth is 1/6. Its product with 6 rounds to 1, so that hard-swish is exact above 3.
	Sixth = 0x1.555556p-3
)

var (
	// Exp is (e^r - 1 - r) / r² for |r| ≤ ½·log 2, error 3e-9.
	Exp = []float32{0x1.fffffcp-2, 0x1.555492p-3, 0x1.5558f2p-5, 0x1.123a2p-7, 0x1.6a23cep-10}

	// Log is (log(1+f) - f + f²/2) / f³ for √½ ≤ 1+f ≤ √2, error 8e-10.
	Log = []float32{
		0x1.555548p-2, -0x1.000006p-2, 0x1.99a4b8p-3, -0x1.555c4ep-3, 0x1.23373cp-3, -0x1.fc218ep-4,
		0x1.e6f2aep-4, -0x1.de4042p-4, 0x1.145798p-4,
	}

	// HalfPi adds up to π/2. All but the last have at most 8 bits, so their products with a number of 16 bits are
	// exact, with or without fused multiply-add. The last is rounded to 24 bits.
	HalfPi = []float32{0x1.92p0, 0x1.ep-12, 0x1.b4p-16, 0x1.44p-24, 0x1.08p-34, 0x1.ap-41, 0x1.84698ap-48}

	// Sin is (sin(r)/r - 1) / z in z = r² for |r| ≤ 0.8, error 5e-9.
	Sin = []float32{-0x1.555544p-3, 0x1.1106a4p-7, -0x1.990df6p-13}

	// Cos is cos(r) in z = r² for |r| ≤ 0.8, error 6e-10.
	Cos = []float32{1, -0.5, 0x1.55554ap-5, -0x1.6c0bc4p-10, 0x1.99c84p-16}

	// Erf is erf(x)/x in t = x²·ErfScale - 1, error 3e-8.
	Erf = []float32{
		0x1.70fdecp-2, -0x1.7077fep-3, 0x1.1256eep-3, -0x1.bee278p-4, 0x1.73037ap-4, -0x1.2f5f06p-4,
		0x1.df3942p-5, -0x1.64e84ap-5, 0x1.e88314p-6, -0x1.498f76p-6, 0x1.d62806p-7, -0x1.fb712p-8,
		0x1.f7b774p-10, -0x1.70b894p-10, 0x1.1849bcp-9, -0x1.c3a1p-11,
	}

	// Phi is (Φ(x) - ½)/x in t = x²·PhiScale - 1, error 3e-8.
	Phi = []float32{
		0x1.04eaaap-3, -0x1.048bf6p-4, 0x1.83f988p-5, -0x1.3bfec4p-5, 0x1.0658a2p-5, -0x1.ad081ap-6,
		0x1.52dcc0p-6, -0x1.f8be44p-7, 0x1.596e1ep-7, -0x1.d2119cp-8, 0x1.4c7362p-8, -0x1.66d0cap-9,
		0x1.642e72p-11, -0x1.04b9a2p-11, 0x1.8c631ap-11, -0x1.3f599p-12,
	}

	// TanhP / TanhQ is tanh(x)/x in x² ≤ 83, error 3e-8. Both start with 1, so tanh(x) is x near 0.
	TanhP = []float32{1, 0x1.11f4cp-3, 0x1.c97ecap-9, 0x1.584320p-16, 0x1.c65564p-27}
	TanhQ = []float32{1, 0x1.de4facp-2, 0x1.a7a686p-6, 0x1.579ddcp-12, 0x1.9eb178p-21}
)
