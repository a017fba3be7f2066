package portable

func Add(dst, a, b []float32) {
	for i := range dst {
		dst[i] = a[i] + b[i]
	}
}

func AddRelu(dst, a, b []float32) {
	for i := range dst {
		dst[i] = maxSel(0, a[i]+b[i])
	}
}

func Sub(dst, a, b []float32) {
	for i := range dst {
		dst[i] = a[i] - b[i]
	}
}

func Mul(dst, a, b []float32) {
	for i := range dst {
		dst[i] = a[i] * b[i]
	}
}

func Div(dst, a, b []float32) {
	for i := range dst {
		dst[i] = a[i] / b[i]
	}
}

func Max(dst, a, b []float32) {
	for i := range dst {
		dst[i] = maxNaN(a[i], b[i])
	}
}

func Min(dst, a, b []float32) {
	for i := range dst {
		dst[i] = minNaN(a[i], b[i])
	}
}

func AddScalar(dst, x []float32, s float32) {
	for i := range dst {
		dst[i] = x[i] + s
	}
}

func AddScalarRelu(dst, x []float32, s float32) {
	for i := range dst {
		dst[i] = maxSel(0, x[i]+s)
	}
}

func Scale(dst, x []float32, s float32) {
	for i := range dst {
		dst[i] = x[i] * s
	}
}

func Axpy(dst, x []float32, a float32) {
	for i := range dst {
		dst[i] = fma(a, x[i], dst[i])
	}
}

func MulAdd(dst, a, b []float32) {
	for i := range dst {
		dst[i] = fma(a[i], b[i], dst[i])
	}
}

func ScaleAdd(dst, x, y []float32, s float32) {
	for i := range dst {
		dst[i] = fma(x[i], s, y[i])
	}
}

func Sqrt(dst, x []float32) {
	for i := range dst {
		dst[i] = sqrt(x[i])
	}
}

func Abs(dst, x []float32) {
	for i := range dst {
		dst[i] = abs(x[i])
	}
}

func Neg(dst, x []float32) {
	for i := range dst {
		dst[i] = neg(x[i])
	}
}

func Reciprocal(dst, x []float32) {
	for i := range dst {
		dst[i] = 1 / x[i]
	}
}

func Clamp(dst, x []float32, lo, hi float32) {
	for i := range dst {
		dst[i] = minSel(hi, maxSel(lo, x[i]))
	}
}

func Fill(dst []float32, s float32) {
	for i := range dst {
		dst[i] = s
	}
}

// MaxRow is top = max(top, x), NaN if either is, and at = place where x is larger.
func MaxRow(top, at, x []float32, place float32) {
	for i := range top {
		if top[i] < x[i] {
			at[i] = place
		}
		top[i] = maxNaN(x[i], top[i])
	}
}

// MaxShifted is MaxRow with a place xAt + place, which also replaces a larger one where x is as large.
func MaxShifted(top, at, x, xAt []float32, place float32) {
	for i := range top {
		o := xAt[i] + place
		switch {
		case top[i] < x[i]:
			at[i] = o
		case x[i] == top[i]:
			at[i] = minSel(o, at[i])
		}
		top[i] = maxNaN(x[i], top[i])
	}
}
