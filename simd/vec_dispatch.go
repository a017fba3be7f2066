package simd

import "github.com/fovea-ml/fovea/simd/internal/portable"

func vecExp(dst, x []float32) {
	portable.Exp(dst, x)
}

func vecLog(dst, x []float32) {
	portable.Log(dst, x)
}

func vecTanh(dst, x []float32) {
	portable.Tanh(dst, x)
}

func vecErf(dst, x []float32) {
	portable.Erf(dst, x)
}

func vecSigmoid(dst, x []float32) {
	portable.Sigmoid(dst, x)
}

func vecSilu(dst, x []float32) {
	portable.Silu(dst, x)
}

func vecGelu(dst, x []float32) {
	portable.Gelu(dst, x)
}

func vecGeluTanh(dst, x []float32) {
	portable.GeluTanh(dst, x)
}

func vecQuickGelu(dst, x []float32) {
	portable.QuickGelu(dst, x)
}

func vecRelu(dst, x []float32) {
	portable.Relu(dst, x)
}

func vecLeakyRelu(dst, x []float32, slope float32) {
	portable.LeakyRelu(dst, x, slope)
}

func vecSigmoidGrad(dst, x, dy []float32) {
	portable.SigmoidGrad(dst, x, dy)
}

func vecTanhGrad(dst, x, dy []float32) {
	portable.TanhGrad(dst, x, dy)
}

func vecSiluGrad(dst, x, dy []float32) {
	portable.SiluGrad(dst, x, dy)
}

func vecGeluGrad(dst, x, dy []float32) {
	portable.GeluGrad(dst, x, dy)
}

func vecGeluTanhGrad(dst, x, dy []float32) {
	portable.GeluTanhGrad(dst, x, dy)
}

func vecQuickGeluGrad(dst, x, dy []float32) {
	portable.QuickGeluGrad(dst, x, dy)
}

func vecReluGrad(dst, x, dy []float32) {
	portable.ReluGrad(dst, x, dy)
}

func vecLeakyReluGrad(dst, x, dy []float32, slope float32) {
	portable.LeakyReluGrad(dst, x, dy, slope)
}

func vecColumnSumsAdd(dst, x []float32, rows, stride int) {
	portable.ColumnSumsAdd(dst, x, rows, stride)
}

func vecF16ToF32(dst []float32, src []uint16) {
	portable.F16ToF32(dst, src)
}

func vecF32ToF16(dst []uint16, src []float32) {
	portable.F32ToF16(dst, src)
}

func vecBF16ToF32(dst []float32, src []uint16) {
	portable.BF16ToF32(dst, src)
}

func vecF32ToBF16(dst []uint16, src []float32) {
	portable.F32ToBF16(dst, src)
}

func vecAdd(dst, a, b []float32) {
	portable.Add(dst, a, b)
}

func vecSub(dst, a, b []float32) {
	portable.Sub(dst, a, b)
}

func vecMul(dst, a, b []float32) {
	portable.Mul(dst, a, b)
}

func vecDiv(dst, a, b []float32) {
	portable.Div(dst, a, b)
}

func vecMax(dst, a, b []float32) {
	portable.Max(dst, a, b)
}

func vecMin(dst, a, b []float32) {
	portable.Min(dst, a, b)
}

func vecAddScalar(dst, x []float32, s float32) {
	portable.AddScalar(dst, x, s)
}

func vecScale(dst, x []float32, s float32) {
	portable.Scale(dst, x, s)
}

func vecAxpy(dst, x []float32, a float32) {
	portable.Axpy(dst, x, a)
}

func vecMulAdd(dst, a, b []float32) {
	portable.MulAdd(dst, a, b)
}

func vecScaleAdd(dst, x, y []float32, s float32) {
	portable.ScaleAdd(dst, x, y, s)
}

func vecSqrt(dst, x []float32) {
	portable.Sqrt(dst, x)
}

func vecAbs(dst, x []float32) {
	portable.Abs(dst, x)
}

func vecNeg(dst, x []float32) {
	portable.Neg(dst, x)
}

func vecReciprocal(dst, x []float32) {
	portable.Reciprocal(dst, x)
}

func vecClamp(dst, x []float32, lo, hi float32) {
	portable.Clamp(dst, x, lo, hi)
}

func vecFill(dst []float32, s float32) {
	portable.Fill(dst, s)
}

func vecAdamW(p, m, v, g []float32, gradScale, beta1, oneMinusBeta1, beta2, oneMinusBeta2, decay, rootBC2, eps, minusStep float32) {
	portable.AdamW(p, m, v, g, gradScale, beta1, oneMinusBeta1, beta2, oneMinusBeta2, decay, rootBC2, eps, minusStep)
}

func vecMomentum(p, m, g []float32, gradScale, weightDecay, momentum, minusLR float32) {
	portable.Momentum(p, m, g, gradScale, weightDecay, momentum, minusLR)
}

func vecSum(acc *[16]float32, x []float32) {
	portable.Sum(acc, x)
}

func vecSumSquares(acc *[16]float32, x []float32) {
	portable.SumSquares(acc, x)
}

func vecSumSquaresAbout(acc *[16]float32, x []float32, mean float32) {
	portable.SumSquaresAbout(acc, x, mean)
}

func vecDot(acc *[16]float32, a, b []float32) {
	portable.Dot(acc, a, b)
}

func vecMaxValue(acc *[16]float32, x []float32) {
	portable.MaxValue(acc, x)
}

func vecExpSum(acc *[16]float32, dst, x []float32, scale, max float32) {
	portable.ExpSum(acc, dst, x, scale, max)
}

func vecExpSumOnly(acc *[16]float32, x []float32, scale, max float32) {
	portable.ExpSumOnly(acc, x, scale, max)
}

func vecSoftmaxGrad(dx, y, dy []float32, scale, dot float32) {
	portable.SoftmaxGrad(dx, y, dy, scale, dot)
}

func vecLogSoftmax(dst, x []float32, scale, max, lse float32) {
	portable.LogSoftmax(dst, x, scale, max, lse)
}

func vecLogSoftmaxGrad(dx, y, dy []float32, scale, sum float32) {
	portable.LogSoftmaxGrad(dx, y, dy, scale, sum)
}

func vecNormalize(dst, x []float32, mean, rstd float32) {
	portable.Normalize(dst, x, mean, rstd)
}

func vecNormalizeScale(dst, x, gamma []float32, mean, rstd float32) {
	portable.NormalizeScale(dst, x, gamma, mean, rstd)
}

func vecNormalizeAffine(dst, x, gamma, beta []float32, mean, rstd float32) {
	portable.NormalizeAffine(dst, x, gamma, beta, mean, rstd)
}

func vecLayerNormSums(sum, dot *[16]float32, dy, x []float32, mean, rstd float32) {
	portable.LayerNormSums(sum, dot, dy, x, mean, rstd)
}

func vecLayerNormSumsScale(sum, dot *[16]float32, dy, x, gamma []float32, mean, rstd float32) {
	portable.LayerNormSumsScale(sum, dot, dy, x, gamma, mean, rstd)
}

func vecLayerNormDX(dx, dy, x []float32, mean, rstd, c1, c2 float32) {
	portable.LayerNormDX(dx, dy, x, mean, rstd, c1, c2)
}

func vecLayerNormDXScale(dx, dy, x, gamma []float32, mean, rstd, c1, c2 float32) {
	portable.LayerNormDXScale(dx, dy, x, gamma, mean, rstd, c1, c2)
}

func vecLayerNormDGamma(dgamma, dy, x []float32, mean, rstd float32) {
	portable.LayerNormDGamma(dgamma, dy, x, mean, rstd)
}
