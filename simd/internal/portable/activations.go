package portable

func Exp(dst, x []float32) {
	for i := range dst {
		dst[i] = exp(x[i])
	}
}

func Log(dst, x []float32) {
	for i := range dst {
		dst[i] = log(x[i])
	}
}

func Sin(dst, x []float32) {
	for i := range dst {
		dst[i] = sinTurned(x[i], 0)
	}
}

func Cos(dst, x []float32) {
	for i := range dst {
		dst[i] = sinTurned(x[i], 1)
	}
}

func Tanh(dst, x []float32) {
	for i := range dst {
		dst[i] = tanh(x[i])
	}
}

func Erf(dst, x []float32) {
	for i := range dst {
		dst[i] = erf(x[i])
	}
}

func Sigmoid(dst, x []float32) {
	for i := range dst {
		dst[i] = sigmoid(x[i])
	}
}

func Silu(dst, x []float32) {
	for i := range dst {
		dst[i] = silu(x[i])
	}
}

func Gelu(dst, x []float32) {
	for i := range dst {
		dst[i] = gelu(x[i])
	}
}

func GeluTanh(dst, x []float32) {
	for i := range dst {
		dst[i] = geluTanh(x[i])
	}
}

func QuickGelu(dst, x []float32) {
	for i := range dst {
		dst[i] = quickGelu(x[i])
	}
}

func Relu(dst, x []float32) {
	for i := range dst {
		dst[i] = maxSel(0, x[i])
	}
}

func LeakyRelu(dst, x []float32, slope float32) {
	for i := range dst {
		v := x[i]
		if v < 0 {
			v *= slope
		}
		dst[i] = v
	}
}

func Relu6(dst, x []float32) {
	for i := range dst {
		dst[i] = minSel(6, maxSel(0, x[i]))
	}
}

func SquaredRelu(dst, x []float32) {
	for i := range dst {
		v := maxSel(0, x[i])
		dst[i] = v * v
	}
}

func HardSwish(dst, x []float32) {
	for i := range dst {
		dst[i] = hardSwish(x[i])
	}
}

func Mish(dst, x []float32) {
	for i := range dst {
		dst[i] = mish(x[i])
	}
}

func SigmoidGrad(dst, x, dy []float32) {
	for i := range dst {
		dst[i] = dy[i] * sigmoidSlope(x[i])
	}
}

func TanhGrad(dst, x, dy []float32) {
	for i := range dst {
		dst[i] = dy[i] * tanhSlope(x[i])
	}
}

func SiluGrad(dst, x, dy []float32) {
	for i := range dst {
		dst[i] = dy[i] * siluSlope(x[i])
	}
}

func GeluGrad(dst, x, dy []float32) {
	for i := range dst {
		dst[i] = dy[i] * geluSlope(x[i])
	}
}

func GeluTanhGrad(dst, x, dy []float32) {
	for i := range dst {
		dst[i] = dy[i] * geluTanhSlope(x[i])
	}
}

func QuickGeluGrad(dst, x, dy []float32) {
	for i := range dst {
		dst[i] = dy[i] * quickGeluSlope(x[i])
	}
}

func ReluGrad(dst, x, dy []float32) {
	for i := range dst {
		g := dy[i]
		if !(x[i] > 0) {
			g = 0
		}
		dst[i] = g
	}
}

func LeakyReluGrad(dst, x, dy []float32, slope float32) {
	for i := range dst {
		g := dy[i]
		if !(x[i] > 0) {
			g *= slope
		}
		dst[i] = g
	}
}

func Relu6Grad(dst, x, dy []float32) {
	for i := range dst {
		g := dy[i]
		if !(x[i] > 0 && x[i] < 6) {
			g = 0
		}
		dst[i] = g
	}
}

func SquaredReluGrad(dst, x, dy []float32) {
	for i := range dst {
		g := dy[i] * (x[i] + x[i])
		if !(x[i] > 0) {
			g = 0
		}
		dst[i] = g
	}
}

func HardSwishGrad(dst, x, dy []float32) {
	for i := range dst {
		dst[i] = dy[i] * hardSwishSlope(x[i])
	}
}

func MishGrad(dst, x, dy []float32) {
	for i := range dst {
		dst[i] = dy[i] * mishSlope(x[i])
	}
}
