package main

import (
	"math"

	"github.com/fovea-ml/fovea/simd/internal/coeff"
)

// in, out and inout describe a kernel's slices.
func in(name string) array    { return array{name: name, in: true} }
func out(name string) array   { return array{name: name, out: true} }
func inout(name string) array { return array{name: name, in: true, out: true} }

// kernels lists every kernel. The bodies say the same as the functions of package portable.
func kernels() []*kernel {
	var ks []*kernel
	add := func(k kernel, body func(k *kernel)) {
		body(&k)
		ks = append(ks, &k)
	}
	dst, x := out("dst"), in("x")

	binary := func(name string, f func(k *kernel, a, b value) value) {
		add(kernel{name: name, arrays: []array{dst, in("a"), in("b")}, unroll: 4}, func(k *kernel) {
			k.store("dst", f(k, k.load("a"), k.load("b")))
		})
	}
	binary("Add", (*kernel).add)
	binary("AddRelu", func(k *kernel, a, b value) value { return k.max(k.f(0), k.add(a, b)) })
	binary("Sub", (*kernel).sub)
	binary("Mul", (*kernel).mul)
	binary("Div", (*kernel).div)
	binary("Max", maxNaN)
	binary("Min", func(k *kernel, a, b value) value { return k.sel(isNaN, a, a, a, k.min(a, b)) })
	add(kernel{name: "MulAdd", arrays: []array{inout("dst"), in("a"), in("b")}, unroll: 4}, func(k *kernel) {
		k.store("dst", k.fma(k.load("a"), k.load("b"), k.load("dst")))
	})

	withScalar := func(name string, f func(k *kernel, x, s value) value) {
		add(kernel{name: name, arrays: []array{dst, x}, scalars: []string{"s"}, unroll: 4}, func(k *kernel) {
			k.store("dst", f(k, k.load("x"), k.scalar("s")))
		})
	}
	withScalar("AddScalar", (*kernel).add)
	withScalar("AddScalarRelu", func(k *kernel, x, s value) value { return k.max(k.f(0), k.add(x, s)) })
	withScalar("Scale", (*kernel).mul)
	add(kernel{name: "Axpy", arrays: []array{inout("dst"), x}, scalars: []string{"a"}, unroll: 4}, func(k *kernel) {
		k.store("dst", k.fma(k.load("x"), k.scalar("a"), k.load("dst")))
	})
	add(kernel{name: "ScaleAdd", arrays: []array{dst, x, in("y")}, scalars: []string{"s"}, unroll: 4}, func(k *kernel) {
		k.store("dst", k.fma(k.load("x"), k.scalar("s"), k.load("y")))
	})
	add(kernel{name: "Clamp", arrays: []array{dst, x}, scalars: []string{"lo", "hi"}, unroll: 4}, func(k *kernel) {
		k.store("dst", k.min(k.scalar("hi"), k.max(k.scalar("lo"), k.load("x"))))
	})
	add(kernel{name: "Fill", arrays: []array{dst}, scalars: []string{"s"}, unroll: 4}, func(k *kernel) {
		k.store("dst", k.scalar("s"))
	})

	unary := func(name string, unroll int, f func(k *kernel, x value) value) {
		add(kernel{name: name, arrays: []array{dst, x}, unroll: unroll}, func(k *kernel) {
			k.store("dst", f(k, k.load("x")))
		})
	}
	unary("Sqrt", 2, (*kernel).sqrt)
	unary("Abs", 4, func(k *kernel, x value) value { return k.and(x, k.bits(1<<31-1)) })
	unary("Neg", 4, func(k *kernel, x value) value { return k.xor(x, k.bits(1<<31)) })
	unary("Reciprocal", 2, func(k *kernel, x value) value { return k.div(k.f(1), x) })
	unary("Relu", 4, func(k *kernel, x value) value { return k.max(k.f(0), x) })
	unary("Exp", 2, exp)
	unary("Log", 2, logarithm)
	unary("Tanh", 2, tanh)
	unary("Erf", 2, erf)
	unary("Sigmoid", 2, sigmoid)
	unary("Silu", 2, silu)
	unary("Gelu", 2, gelu)
	unary("GeluTanh", 2, geluTanh)
	unary("QuickGelu", 2, quickGelu)
	unary("Relu6", 4, func(k *kernel, x value) value { return k.min(k.f(6), k.max(k.f(0), x)) })
	unary("SquaredRelu", 4, func(k *kernel, x value) value { v := k.max(k.f(0), x); return k.mul(v, v) })
	unary("HardSwish", 4, hardSwish)
	unary("Mish", 2, mish)
	add(kernel{name: "LeakyRelu", arrays: []array{dst, x}, scalars: []string{"slope"}, unroll: 4}, func(k *kernel) {
		v := k.load("x")
		k.store("dst", k.sel(less, v, k.f(0), k.mul(v, k.scalar("slope")), v))
	})

	slope := func(name string, f func(k *kernel, x value) value) {
		add(kernel{name: name + "Grad", arrays: []array{dst, x, in("dy")}, unroll: 2}, func(k *kernel) {
			s := f(k, k.load("x"))
			k.store("dst", k.mul(k.load("dy"), s))
		})
	}
	slope("Sigmoid", sigmoidSlope)
	slope("Tanh", func(k *kernel, x value) value { t := tanh(k, x); return k.fnma(t, t, k.f(1)) })
	slope("Silu", siluSlope)
	slope("Gelu", geluSlope)
	slope("GeluTanh", geluTanhSlope)
	slope("HardSwish", hardSwishSlope)
	slope("Mish", mishSlope)
	slope("QuickGelu", func(k *kernel, x value) value { return siluSlope(k, k.mul(k.f(coeff.QuickGelu), x)) })
	add(kernel{name: "ReluGrad", arrays: []array{dst, x, in("dy")}, unroll: 4}, func(k *kernel) {
		zero := k.f(0)
		k.store("dst", k.sel(less, zero, k.load("x"), k.load("dy"), zero))
	})
	add(kernel{name: "Relu6Grad", arrays: []array{dst, x, in("dy")}, unroll: 4}, func(k *kernel) {
		zero, v := k.f(0), k.load("x")
		k.store("dst", k.sel(less, zero, v, k.sel(less, v, k.f(6), k.load("dy"), zero), zero))
	})
	add(kernel{name: "SquaredReluGrad", arrays: []array{dst, x, in("dy")}, unroll: 4}, func(k *kernel) {
		zero, v := k.f(0), k.load("x")
		k.store("dst", k.sel(less, zero, v, k.mul(k.load("dy"), k.add(v, v)), zero))
	})
	add(kernel{name: "LeakyReluGrad", arrays: []array{dst, x, in("dy")}, scalars: []string{"slope"}, unroll: 4}, func(k *kernel) {
		g := k.load("dy")
		k.store("dst", k.sel(less, k.f(0), k.load("x"), g, k.mul(g, k.scalar("slope"))))
	})

	reductions(add)
	rows(add)
	unary("Sin", 2, func(k *kernel, x value) value { return sinTurned(k, x, 0) })
	unary("Cos", 2, func(k *kernel, x value) value { return sinTurned(k, x, 1) })
	return ks
}

type adder func(k kernel, body func(k *kernel))

func reductions(add adder) {
	acc := []string{"acc"}
	add(kernel{name: "Sum", accs: acc, arrays: []array{in("x")}, unroll: 4}, func(k *kernel) {
		k.setAcc("acc", k.add(k.acc("acc"), k.load("x")))
	})
	add(kernel{name: "SumSquares", accs: acc, arrays: []array{in("x")}, unroll: 4}, func(k *kernel) {
		v := k.load("x")
		k.setAcc("acc", k.fma(v, v, k.acc("acc")))
	})
	add(kernel{name: "Moments", accs: []string{"sum", "squares"}, arrays: []array{in("x")}, scalars: []string{"center"}, unroll: 4}, func(k *kernel) {
		d := k.sub(k.load("x"), k.scalar("center"))
		k.setAcc("squares", k.fma(d, d, k.acc("squares")))
		k.setAcc("sum", k.add(k.acc("sum"), d))
	})
	add(kernel{name: "Dot", accs: acc, arrays: []array{in("a"), in("b")}, unroll: 4}, func(k *kernel) {
		k.setAcc("acc", k.fma(k.load("a"), k.load("b"), k.acc("acc")))
	})
	add(kernel{name: "MaxValue", accs: acc, fold: foldMaxNaN, arrays: []array{in("x")}, unroll: 4}, func(k *kernel) {
		v := k.load("x")
		k.setAcc("acc", maxNaN(k, v, k.acc("acc")))
	})
	add(kernel{name: "MaxNumber", accs: acc, fold: foldMax, arrays: []array{in("x")}, unroll: 4}, func(k *kernel) {
		k.setAcc("acc", k.max(k.load("x"), k.acc("acc")))
	})
}

// rows are the parts of softmax, layer norm and the optimizers.
func rows(add adder) {
	acc := []string{"acc"}
	shifted := []string{"scale", "top"}
	term := func(k *kernel) value {
		return exp(k, k.mul(k.scalar("scale"), k.sub(k.load("x"), k.scalar("top"))))
	}
	add(kernel{name: "ExpSum", accs: acc, arrays: []array{out("dst"), in("x")}, scalars: shifted, unroll: 2}, func(k *kernel) {
		e := term(k)
		k.store("dst", e)
		k.setAcc("acc", k.add(k.acc("acc"), e))
	})
	add(kernel{name: "ExpSumOnly", accs: acc, arrays: []array{in("x")}, scalars: shifted, unroll: 2}, func(k *kernel) {
		k.setAcc("acc", k.add(k.acc("acc"), term(k)))
	})
	add(kernel{name: "SoftmaxGrad", arrays: []array{out("dx"), in("y"), in("dy")}, scalars: []string{"scale", "dot"}, unroll: 4}, func(k *kernel) {
		g := k.sub(k.load("dy"), k.scalar("dot"))
		k.store("dx", k.mul(k.scalar("scale"), k.mul(k.load("y"), g)))
	})
	add(kernel{name: "LogSoftmax", arrays: []array{out("dst"), in("x")}, scalars: []string{"scale", "top", "lse"}, unroll: 4}, func(k *kernel) {
		v := k.mul(k.scalar("scale"), k.sub(k.load("x"), k.scalar("top")))
		k.store("dst", k.sub(v, k.scalar("lse")))
	})
	add(kernel{name: "LogSoftmaxGrad", arrays: []array{out("dx"), in("y"), in("dy")}, scalars: []string{"scale", "sum"}, unroll: 2}, func(k *kernel) {
		e := exp(k, k.load("y"))
		k.store("dx", k.mul(k.scalar("scale"), k.fnma(e, k.scalar("sum"), k.load("dy"))))
	})

	place := []string{"place"}
	add(kernel{name: "MaxRow", arrays: []array{inout("top"), inout("at"), in("x")}, scalars: place, unroll: 4}, func(k *kernel) {
		x, top := k.load("x"), k.load("top")
		k.store("at", k.sel(less, top, x, k.scalar("place"), k.load("at")))
		k.store("top", maxNaN(k, x, top))
	})
	add(kernel{name: "MaxShifted", arrays: []array{inout("top"), inout("at"), in("x"), in("xAt")}, scalars: place, unroll: 4}, func(k *kernel) {
		x, top, at := k.load("x"), k.load("top"), k.load("at")
		o := k.add(k.load("xAt"), k.scalar("place"))
		tie := k.sel(equal, x, top, k.min(o, at), at)
		k.store("at", k.sel(less, top, x, o, tie))
		k.store("top", maxNaN(k, x, top))
	})

	norm := []string{"mean", "rstd"}
	hat := func(k *kernel) value {
		return k.mul(k.sub(k.load("x"), k.scalar("mean")), k.scalar("rstd"))
	}
	add(kernel{name: "Normalize", arrays: []array{out("dst"), in("x")}, scalars: norm, unroll: 4}, func(k *kernel) {
		k.store("dst", hat(k))
	})
	add(kernel{name: "NormalizeScale", arrays: []array{out("dst"), in("x"), in("gamma")}, scalars: norm, unroll: 4}, func(k *kernel) {
		k.store("dst", k.mul(hat(k), k.load("gamma")))
	})
	add(kernel{name: "NormalizeAffine", arrays: []array{out("dst"), in("x"), in("gamma"), in("beta")}, scalars: norm, unroll: 4}, func(k *kernel) {
		k.store("dst", k.fma(hat(k), k.load("gamma"), k.load("beta")))
	})
	sums := func(k *kernel, g value) {
		k.setAcc("sum", k.add(k.acc("sum"), g))
		k.setAcc("dot", k.fma(g, hat(k), k.acc("dot")))
	}
	two := []string{"sum", "dot"}
	add(kernel{name: "LayerNormSums", accs: two, arrays: []array{in("dy"), in("x")}, scalars: norm, unroll: 2}, func(k *kernel) {
		sums(k, k.load("dy"))
	})
	add(kernel{name: "LayerNormSumsScale", accs: two, arrays: []array{in("dy"), in("x"), in("gamma")}, scalars: norm, unroll: 2}, func(k *kernel) {
		sums(k, k.mul(k.load("dy"), k.load("gamma")))
	})
	add(kernel{name: "BatchNorm", arrays: []array{out("dst"), in("x")}, scalars: []string{"mean", "scale", "shift"}, unroll: 4}, func(k *kernel) {
		d := k.sub(k.load("x"), k.scalar("mean"))
		k.store("dst", k.add(k.mul(d, k.scalar("scale")), k.scalar("shift")))
	})
	add(kernel{name: "BatchNormDX", arrays: []array{out("dx"), in("dy"), in("x")}, scalars: []string{"mean", "slope", "shift", "scale"}, unroll: 4}, func(k *kernel) {
		d := k.sub(k.load("x"), k.scalar("mean"))
		t := k.add(k.fma(d, k.scalar("slope"), k.load("dy")), k.scalar("shift"))
		k.store("dx", k.mul(t, k.scalar("scale")))
	})
	dx := func(k *kernel, g value) {
		t := k.fnma(hat(k), k.scalar("c2"), k.sub(g, k.scalar("c1")))
		k.store("dx", k.mul(k.scalar("rstd"), t))
	}
	four := []string{"mean", "rstd", "c1", "c2"}
	add(kernel{name: "LayerNormDX", arrays: []array{out("dx"), in("dy"), in("x")}, scalars: four, unroll: 2}, func(k *kernel) {
		dx(k, k.load("dy"))
	})
	add(kernel{name: "LayerNormDXScale", arrays: []array{out("dx"), in("dy"), in("x"), in("gamma")}, scalars: four, unroll: 2}, func(k *kernel) {
		dx(k, k.mul(k.load("dy"), k.load("gamma")))
	})
	add(kernel{name: "LayerNormDGamma", arrays: []array{inout("dgamma"), in("dy"), in("x")}, scalars: norm, unroll: 2}, func(k *kernel) {
		k.store("dgamma", k.fma(k.load("dy"), hat(k), k.load("dgamma")))
	})

	add(kernel{
		name:    "AdamW",
		arrays:  []array{inout("p"), inout("m"), inout("v"), in("grad")},
		scalars: []string{"gradScale", "beta1", "oneMinusBeta1", "beta2", "oneMinusBeta2", "decay", "scaleV", "eps", "minusStep"},
		unroll:  1,
	}, func(k *kernel) {
		s := k.scalar
		g := k.mul(k.load("grad"), s("gradScale"))
		m := k.fma(s("beta1"), k.load("m"), k.mul(s("oneMinusBeta1"), g))
		v := k.fma(s("beta2"), k.load("v"), k.mul(k.mul(s("oneMinusBeta2"), g), g))
		k.store("m", m)
		k.store("v", v)
		d := k.add(k.mul(k.sqrt(v), s("scaleV")), s("eps"))
		k.store("p", k.fma(s("minusStep"), k.div(m, d), k.mul(k.load("p"), s("decay"))))
	})
	add(kernel{
		name:    "Momentum",
		arrays:  []array{inout("p"), inout("m"), in("grad")},
		scalars: []string{"gradScale", "weightDecay", "momentum", "minusLR"},
		unroll:  2,
	}, func(k *kernel) {
		p := k.load("p")
		g := k.fma(k.scalar("weightDecay"), p, k.mul(k.load("grad"), k.scalar("gradScale")))
		m := k.fma(k.scalar("momentum"), k.load("m"), g)
		k.store("m", m)
		k.store("p", k.fma(k.scalar("minusLR"), m, p))
	})
}

func maxNaN(k *kernel, a, b value) value { return k.sel(isNaN, a, a, a, k.max(a, b)) }

func exp(k *kernel, x value) value {
	x = k.max(k.f(coeff.ExpMin), k.min(k.f(coeff.ExpMax), x))
	t := k.fma(x, k.f(coeff.Log2E), k.f(coeff.RoundMagic))
	n := k.sub(t, k.f(coeff.RoundMagic))
	r := k.fnma(n, k.f(coeff.Ln2Hi), x)
	r = k.fnma(n, k.f(coeff.Ln2Lo), r)
	p := k.horner(coeff.Exp, r)
	p = k.fma(p, r, k.f(1))
	p = k.fma(p, r, k.f(1))
	half := k.sar(t, 1)
	p = k.mul(p, k.shl(half, 23))
	return k.mul(p, k.shl(k.isub(t, half), 23))
}

func logarithm(k *kernel, x value) value {
	tiny := k.f(0x1p-126)
	y := k.sel(less, x, tiny, k.mul(x, k.f(0x1p23)), x)
	e := k.sel(less, x, tiny, k.f(-23), k.f(0))
	split := k.bits(coeff.LogSplit)
	i := k.isub(y, split)
	e = k.add(e, k.float(k.sar(i, 23)))
	f := k.sub(k.iadd(k.and(i, k.bits(0x7fffff)), split), k.f(1))
	s := k.mul(f, f)
	r := k.mul(k.mul(s, f), k.horner(coeff.Log, f))
	r = k.fma(e, k.f(coeff.Ln2Lo), r)
	r = k.fnma(k.f(0.5), s, r)
	r = k.fma(e, k.f(coeff.Ln2Hi), k.add(f, r))
	inf, zero := k.f(float32(math.Inf(1))), k.f(0)
	r = k.sel(less, x, inf, r, x)
	r = k.sel(less, x, zero, k.bits(0x7fc00000), r)
	return k.sel(equal, x, zero, k.f(float32(math.Inf(-1))), r)
}

func sinTurned(k *kernel, x value, turns uint32) value {
	t := k.fma(x, k.f(coeff.TwoOverPi), k.f(coeff.TrigMagic))
	n := k.sub(t, k.f(coeff.TrigMagic))
	r, lost := x, k.f(0)
	for i, p := range coeff.HalfPi[:6] {
		s := k.fnma(n, k.f(p), r)
		if i >= 3 {
			lost = k.add(lost, k.fma(n, k.f(p), k.sub(s, r)))
		}
		r = s
	}
	r = k.sub(r, k.fma(n, k.f(coeff.HalfPi[6]), lost))
	z := k.mul(r, r)
	sine := k.fma(k.fma(z, k.horner(coeff.Sin, z), k.f(0)), r, r)
	i := t
	if turns != 0 {
		i = k.iadd(t, k.bits(turns))
	}
	odd := k.float(k.and(i, k.bits(1)))
	y := k.sel(equal, odd, k.f(0), sine, k.horner(coeff.Cos, z))
	return k.xor(y, k.shl(k.and(i, k.bits(2)), 30))
}

func clamp(k *kernel, x value, limit float32) value {
	return k.max(k.f(-limit), k.min(k.f(limit), x))
}

func tanh(k *kernel, x value) value {
	s := k.min(k.f(coeff.TanhSquareMax), k.mul(x, x))
	p := k.mul(x, k.horner(coeff.TanhP, s))
	return clamp(k, k.div(p, k.horner(coeff.TanhQ, s)), 1)
}

func erf(k *kernel, x value) value {
	s := k.min(k.f(coeff.ErfSquareMax), k.mul(x, x))
	t := k.fma(s, k.f(coeff.ErfScale), k.f(-1))
	return clamp(k, k.mul(x, k.horner(coeff.Erf, t)), 1)
}

func phi(k *kernel, x value) value {
	s := k.min(k.f(coeff.PhiSquareMax), k.mul(x, x))
	t := k.fma(s, k.f(coeff.PhiScale), k.f(-1))
	return k.add(k.f(0.5), clamp(k, k.mul(x, k.horner(coeff.Phi, t)), 0.5))
}

// negExp is exp(-|x|).
func negExp(k *kernel, x value) value { return exp(k, k.or(x, k.bits(1<<31))) }

func sigmoid(k *kernel, x value) value {
	e := negExp(k, x)
	num := k.sel(less, x, k.f(0), e, k.f(1))
	return k.div(num, k.add(k.f(1), e))
}

func sigmoidSlope(k *kernel, x value) value {
	e := negExp(k, x)
	q := k.div(k.f(1), k.add(k.f(1), e))
	return k.mul(k.mul(e, q), q)
}

func silu(k *kernel, x value) value {
	x = k.max(k.f(coeff.ExpMin), x)
	return k.mul(x, sigmoid(k, x))
}

func siluSlope(k *kernel, x value) value {
	x = k.min(k.f(-coeff.ExpMin), k.max(k.f(coeff.ExpMin), x))
	e := negExp(k, x)
	num := k.sel(less, x, k.f(0), e, k.f(1))
	other := k.sel(less, x, k.f(0), k.f(1), e)
	q := k.div(k.f(1), k.add(k.f(1), e))
	s := k.mul(num, q)
	return k.fma(k.mul(x, k.mul(other, q)), s, s)
}

func quickGelu(k *kernel, x value) value {
	x = k.max(k.f(-64), x)
	return k.mul(x, sigmoid(k, k.mul(k.f(coeff.QuickGelu), x)))
}

func gelu(k *kernel, x value) value {
	return k.mul(k.max(k.f(coeff.ExpMin), x), phi(k, x))
}

func geluSlope(k *kernel, x value) value {
	x = k.min(k.f(16), k.max(k.f(-16), x))
	density := exp(k, k.mul(k.f(-0.5), k.mul(x, x)))
	return k.fma(k.mul(x, k.f(coeff.InvSqrt2Pi)), density, phi(k, x))
}

func geluTanh(k *kernel, x value) value {
	t := tanh(k, k.mul(x, k.fma(k.mul(x, x), k.f(coeff.GeluC1), k.f(coeff.GeluC0))))
	h := k.mul(k.f(0.5), k.max(k.f(coeff.ExpMin), x))
	return k.fma(h, t, h)
}

func geluTanhSlope(k *kernel, x value) value {
	x = k.min(k.f(16), k.max(k.f(-16), x))
	s := k.mul(x, x)
	t := tanh(k, k.mul(x, k.fma(s, k.f(coeff.GeluC1), k.f(coeff.GeluC0))))
	half := k.f(0.5)
	v := k.mul(k.mul(half, x), k.fnma(t, t, k.f(1)))
	w := k.fma(s, k.f(coeff.GeluC13), k.f(coeff.GeluC0))
	return k.fma(v, w, k.fma(half, t, half))
}

func hardSwish(k *kernel, x value) value {
	x = k.max(k.f(-3), x)
	return k.mul(x, k.mul(k.min(k.f(6), k.add(x, k.f(3))), k.f(coeff.Sixth)))
}

func hardSwishSlope(k *kernel, x value) value {
	three := k.f(3)
	s := k.mul(k.add(k.add(x, x), three), k.f(coeff.Sixth))
	return k.sel(less, x, three, k.sel(less, k.f(-3), x, s, k.f(0)), k.f(1))
}

func mishTerms(k *kernel, x value) (e, num, den value) {
	e = negExp(k, x)
	two, zero := k.f(2), k.f(0)
	twice := k.add(e, e)
	below, above := k.mul(e, k.add(e, two)), k.add(twice, k.f(1))
	num = k.sel(less, x, zero, below, above)
	den = k.sel(less, x, zero, k.add(below, two), k.fma(twice, e, above))
	return e, num, den
}

func mish(k *kernel, x value) value {
	x = k.max(k.f(coeff.ExpMin), x)
	_, num, den := mishTerms(k, x)
	return k.mul(x, k.div(num, den))
}

func mishSlope(k *kernel, x value) value {
	x = k.min(k.f(-coeff.ExpMin), k.max(k.f(coeff.ExpMin), x))
	e, num, den := mishTerms(k, x)
	m := k.sel(less, x, k.f(0), e, k.mul(e, e))
	q := k.div(k.f(1), den)
	m = k.mul(k.mul(k.mul(k.mul(k.f(4), m), k.add(e, k.f(1))), q), q)
	return k.fma(x, m, k.mul(num, q))
}
