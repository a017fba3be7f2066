package portable

import "math"

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

func sqrt(x float32) float32 { return float32(math.Sqrt(float64(x))) }

func abs(x float32) float32 { return math.Float32frombits(math.Float32bits(x) &^ (1 << 31)) }

func neg(x float32) float32 { return math.Float32frombits(math.Float32bits(x) ^ (1 << 31)) }

func exp(x float32) float32  { return float32(math.Exp(float64(x))) }
func log(x float32) float32  { return float32(math.Log(float64(x))) }
func tanh(x float32) float32 { return float32(math.Tanh(float64(x))) }
func erf(x float32) float32  { return float32(math.Erf(float64(x))) }

func sigmoid(x float32) float32 { return 1 / (1 + exp(-x)) }

func silu(x float32) float32 { return mul(x, sigmoid(x)) }

func siluSlope(x float32) float32 {
	s := sigmoid(x)
	return s * (1 + x*(1-s))
}

func gelu(x float32) float32 { return 0.5 * x * (1 + erf(x*(1/math.Sqrt2))) }

func geluSlope(x float32) float32 {
	return 0.5*(1+erf(x*(1/math.Sqrt2))) + x*exp(-0.5*x*x)*0.3989422804014327
}

func geluTanh(x float32) float32 {
	return 0.5 * x * (1 + tanh(0.7978845608028654*(x+0.044715*x*x*x)))
}

func geluTanhSlope(x float32) float32 {
	t := tanh(0.7978845608028654 * (x + 0.044715*x*x*x))
	return 0.5*(1+t) + 0.5*x*(1-t*t)*0.7978845608028654*(1+3*0.044715*x*x)
}

func quickGelu(x float32) float32 { return mul(x, sigmoid(1.702*x)) }

func quickGeluSlope(x float32) float32 { return siluSlope(1.702 * x) }

func sigmoidSlope(x float32) float32 {
	s := sigmoid(x)
	return s * (1 - s)
}

func tanhSlope(x float32) float32 {
	t := tanh(x)
	return fma(-t, t, 1)
}
