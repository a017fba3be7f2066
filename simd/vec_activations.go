package simd

// Exp stores e^x[i], within about 1 ULP, denormal results included. -Inf gives 0; results above the largest
// float32 are +Inf. dst may be x. Every function in this file panics if an operand is shorter than dst.
func Exp(dst, x []float32) {
	atLeast("Exp", "x", len(x), len(dst))
	vecExp(dst, x)
}

// Log stores the natural logarithm of x[i]: -Inf for ±0, NaN for negative numbers. dst may be x.
func Log(dst, x []float32) {
	atLeast("Log", "x", len(x), len(dst))
	vecLog(dst, x)
}

// Tanh stores the hyperbolic tangent of x[i], within 5.3 ULP. dst may be x.
func Tanh(dst, x []float32) {
	atLeast("Tanh", "x", len(x), len(dst))
	vecTanh(dst, x)
}

// Erf stores the error function of x[i]. dst may be x.
func Erf(dst, x []float32) {
	atLeast("Erf", "x", len(x), len(dst))
	vecErf(dst, x)
}

// Sigmoid stores 1 / (1 + e^-x[i]), accurate in relative terms on both sides. dst may be x.
func Sigmoid(dst, x []float32) {
	atLeast("Sigmoid", "x", len(x), len(dst))
	vecSigmoid(dst, x)
}

// Silu stores x[i]·σ(x[i]), σ the logistic sigmoid. At -Inf it is 0, its limit. dst may be x.
func Silu(dst, x []float32) {
	atLeast("Silu", "x", len(x), len(dst))
	vecSilu(dst, x)
}

// Gelu stores x[i]·Φ(x[i]) = x/2·(1 + erf(x/√2)), Φ the distribution function of the standard normal
// (Hendrycks and Gimpel, arXiv 1606.08415). Below -3 only its absolute error is small. dst may be x.
func Gelu(dst, x []float32) {
	atLeast("Gelu", "x", len(x), len(dst))
	vecGelu(dst, x)
}

// GeluTanh stores the tanh form of Gelu, x/2·(1 + tanh(√(2/π)·(x + 0.044715·x³))). dst may be x.
func GeluTanh(dst, x []float32) {
	atLeast("GeluTanh", "x", len(x), len(dst))
	vecGeluTanh(dst, x)
}

// QuickGelu stores x[i]·σ(1.702·x[i]), OpenAI CLIP's approximation of Gelu. dst may be x.
func QuickGelu(dst, x []float32) {
	atLeast("QuickGelu", "x", len(x), len(dst))
	vecQuickGelu(dst, x)
}

// Relu stores x[i] where it is positive, -0 or NaN, and 0 elsewhere. dst may be x.
func Relu(dst, x []float32) {
	atLeast("Relu", "x", len(x), len(dst))
	vecRelu(dst, x)
}

// LeakyRelu stores x[i], multiplied by slope where it is negative. dst may be x.
func LeakyRelu(dst, x []float32, slope float32) {
	atLeast("LeakyRelu", "x", len(x), len(dst))
	vecLeakyRelu(dst, x, slope)
}

// Relu6 stores x[i] clamped to 0..6; NaN stays NaN. dst may be x.
func Relu6(dst, x []float32) {
	atLeast("Relu6", "x", len(x), len(dst))
	vecRelu6(dst, x)
}

// SquaredRelu stores max(x[i], 0)² (So et al., arXiv 2109.08668). dst may be x.
func SquaredRelu(dst, x []float32) {
	atLeast("SquaredRelu", "x", len(x), len(dst))
	vecSquaredRelu(dst, x)
}

// HardSwish stores x[i] times (x[i] + 3)/6, a factor that is clamped to 0..1 (MobileNetV3, arXiv 1905.02244,
// section 5.2). At -Inf it is 0, its limit. dst may be x.
func HardSwish(dst, x []float32) {
	atLeast("HardSwish", "x", len(x), len(dst))
	vecHardSwish(dst, x)
}

// Mish stores x[i]·tanh(log(1 + e^x[i])) (Misra, arXiv 1908.08681). At -Inf it is 0, its limit. dst may be x.
func Mish(dst, x []float32) {
	atLeast("Mish", "x", len(x), len(dst))
	vecMish(dst, x)
}

// SigmoidGrad stores dy[i]·σ'(x[i]), where x is the input of Sigmoid. In this and every function below, x is
// the input of the activation, and dst may be x or dy.
func SigmoidGrad(dst, x, dy []float32) {
	atLeast("SigmoidGrad", "x", len(x), len(dst))
	atLeast("SigmoidGrad", "dy", len(dy), len(dst))
	vecSigmoidGrad(dst, x, dy)
}

// TanhGrad stores dy[i]·(1 - tanh²(x[i])).
func TanhGrad(dst, x, dy []float32) {
	atLeast("TanhGrad", "x", len(x), len(dst))
	atLeast("TanhGrad", "dy", len(dy), len(dst))
	vecTanhGrad(dst, x, dy)
}

// SiluGrad stores dy[i]·σ(x)·(1 + x·(1 - σ(x))).
func SiluGrad(dst, x, dy []float32) {
	atLeast("SiluGrad", "x", len(x), len(dst))
	atLeast("SiluGrad", "dy", len(dy), len(dst))
	vecSiluGrad(dst, x, dy)
}

// GeluGrad stores dy[i]·(Φ(x) + x·φ(x)), φ the density of the standard normal.
func GeluGrad(dst, x, dy []float32) {
	atLeast("GeluGrad", "x", len(x), len(dst))
	atLeast("GeluGrad", "dy", len(dy), len(dst))
	vecGeluGrad(dst, x, dy)
}

// GeluTanhGrad stores dy[i] times the derivative of GeluTanh.
func GeluTanhGrad(dst, x, dy []float32) {
	atLeast("GeluTanhGrad", "x", len(x), len(dst))
	atLeast("GeluTanhGrad", "dy", len(dy), len(dst))
	vecGeluTanhGrad(dst, x, dy)
}

// QuickGeluGrad stores dy[i]·σ(z)·(1 + z·(1 - σ(z))), z = 1.702·x[i].
func QuickGeluGrad(dst, x, dy []float32) {
	atLeast("QuickGeluGrad", "x", len(x), len(dst))
	atLeast("QuickGeluGrad", "dy", len(dy), len(dst))
	vecQuickGeluGrad(dst, x, dy)
}

// ReluGrad stores dy[i] where x[i] > 0, and 0 elsewhere.
func ReluGrad(dst, x, dy []float32) {
	atLeast("ReluGrad", "x", len(x), len(dst))
	atLeast("ReluGrad", "dy", len(dy), len(dst))
	vecReluGrad(dst, x, dy)
}

// LeakyReluGrad stores dy[i] where x[i] > 0, and dy[i]·slope elsewhere.
func LeakyReluGrad(dst, x, dy []float32, slope float32) {
	atLeast("LeakyReluGrad", "x", len(x), len(dst))
	atLeast("LeakyReluGrad", "dy", len(dy), len(dst))
	vecLeakyReluGrad(dst, x, dy, slope)
}

// Relu6Grad stores dy[i] where 0 < x[i] < 6, and 0 elsewhere.
func Relu6Grad(dst, x, dy []float32) {
	atLeast("Relu6Grad", "x", len(x), len(dst))
	atLeast("Relu6Grad", "dy", len(dy), len(dst))
	vecRelu6Grad(dst, x, dy)
}

// SquaredReluGrad stores dy[i]·2·x[i] where x[i] > 0, and 0 elsewhere.
func SquaredReluGrad(dst, x, dy []float32) {
	atLeast("SquaredReluGrad", "x", len(x), len(dst))
	atLeast("SquaredReluGrad", "dy", len(dy), len(dst))
	vecSquaredReluGrad(dst, x, dy)
}

// HardSwishGrad stores dy[i]·(2·x[i] + 3)/6 where -3 < x[i] < 3, 0 below, and dy[i] above and where x[i] is
// NaN, as PyTorch does.
func HardSwishGrad(dst, x, dy []float32) {
	atLeast("HardSwishGrad", "x", len(x), len(dst))
	atLeast("HardSwishGrad", "dy", len(dy), len(dst))
	vecHardSwishGrad(dst, x, dy)
}

// MishGrad stores dy[i]·(f + x[i]·f'), f = tanh(log(1 + e^x[i])), f' its derivative in x[i].
func MishGrad(dst, x, dy []float32) {
	atLeast("MishGrad", "x", len(x), len(dst))
	atLeast("MishGrad", "dy", len(dy), len(dst))
	vecMishGrad(dst, x, dy)
}
