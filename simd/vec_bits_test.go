package simd

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/fovea-ml/fovea/simd/internal/exact"
)

// An elementwise is one kernel without reductions: got calls the package, want the exact reference. A kernel
// that adds to dst finds numbers there. a, b and c are as long as dst.
type elementwise struct {
	name      string
	operands  int
	got, want func(dst, a, b, c []float32)
}

func unary(name string, got, want func(dst, x []float32)) elementwise {
	return elementwise{name, 1,
		func(dst, a, _, _ []float32) { got(dst, a) },
		func(dst, a, _, _ []float32) { want(dst, a) }}
}

func binary(name string, got, want func(dst, a, b []float32)) elementwise {
	return elementwise{name, 2,
		func(dst, a, b, _ []float32) { got(dst, a, b) },
		func(dst, a, b, _ []float32) { want(dst, a, b) }}
}

const (
	argS = float32(-1.37)
	argT = float32(0.823)
)

var elementwises = []elementwise{
	binary("Add", Add, exact.Add),
	binary("AddRelu", AddRelu, exact.AddRelu),
	binary("Sub", Sub, exact.Sub),
	binary("Mul", Mul, exact.Mul),
	binary("Div", Div, exact.Div),
	binary("Max", Max, exact.Max),
	binary("Min", Min, exact.Min),
	binary("MulAdd", MulAdd, exact.MulAdd),
	{"AddScalarRelu", 1,
		func(dst, a, _, _ []float32) { AddScalarRelu(dst, a, argS) },
		func(dst, a, _, _ []float32) { exact.AddScalarRelu(dst, a, argS) }},
	{"AddScalar", 1,
		func(dst, a, _, _ []float32) { AddScalar(dst, a, argS) },
		func(dst, a, _, _ []float32) { exact.AddScalar(dst, a, argS) }},
	{"Scale", 1,
		func(dst, a, _, _ []float32) { Scale(dst, a, argS) },
		func(dst, a, _, _ []float32) { exact.Scale(dst, a, argS) }},
	{"Axpy", 1,
		func(dst, a, _, _ []float32) { Axpy(dst, argS, a) },
		func(dst, a, _, _ []float32) { exact.Axpy(dst, a, argS) }},
	{"ScaleAdd", 2,
		func(dst, a, b, _ []float32) { ScaleAdd(dst, a, argS, b) },
		func(dst, a, b, _ []float32) { exact.ScaleAdd(dst, a, b, argS) }},
	{"Clamp", 1,
		func(dst, a, _, _ []float32) { Clamp(dst, a, argS, argT) },
		func(dst, a, _, _ []float32) { exact.Clamp(dst, a, argS, argT) }},
	{"Fill", 0,
		func(dst, _, _, _ []float32) { Fill(dst, argS) },
		func(dst, _, _, _ []float32) { exact.Fill(dst, argS) }},
	unary("Sqrt", Sqrt, exact.Sqrt),
	unary("Abs", Abs, exact.Abs),
	unary("Neg", Neg, exact.Neg),
	unary("Reciprocal", Reciprocal, exact.Reciprocal),
	unary("Relu", Relu, exact.Relu),
	unary("Exp", Exp, exact.Exp),
	unary("Log", Log, exact.Log),
	unary("Tanh", Tanh, exact.Tanh),
	unary("sin", vecSin, exact.Sin), // without the reduction of large arguments
	unary("cos", vecCos, exact.Cos),
	unary("Erf", Erf, exact.Erf),
	unary("Sigmoid", Sigmoid, exact.Sigmoid),
	unary("Silu", Silu, exact.Silu),
	unary("Gelu", Gelu, exact.Gelu),
	unary("GeluTanh", GeluTanh, exact.GeluTanh),
	unary("QuickGelu", QuickGelu, exact.QuickGelu),
	{"LeakyRelu", 1,
		func(dst, a, _, _ []float32) { LeakyRelu(dst, a, argT) },
		func(dst, a, _, _ []float32) { exact.LeakyRelu(dst, a, argT) }},
	unary("Relu6", Relu6, exact.Relu6),
	unary("SquaredRelu", SquaredRelu, exact.SquaredRelu),
	unary("HardSwish", HardSwish, exact.HardSwish),
	unary("Mish", Mish, exact.Mish),
	binary("SigmoidGrad", SigmoidGrad, exact.SigmoidGrad),
	binary("TanhGrad", TanhGrad, exact.TanhGrad),
	binary("SiluGrad", SiluGrad, exact.SiluGrad),
	binary("GeluGrad", GeluGrad, exact.GeluGrad),
	binary("GeluTanhGrad", GeluTanhGrad, exact.GeluTanhGrad),
	binary("QuickGeluGrad", QuickGeluGrad, exact.QuickGeluGrad),
	binary("ReluGrad", ReluGrad, exact.ReluGrad),
	binary("Relu6Grad", Relu6Grad, exact.Relu6Grad),
	binary("SquaredReluGrad", SquaredReluGrad, exact.SquaredReluGrad),
	binary("HardSwishGrad", HardSwishGrad, exact.HardSwishGrad),
	binary("MishGrad", MishGrad, exact.MishGrad),
	{"LeakyReluGrad", 2,
		func(dst, a, b, _ []float32) { LeakyReluGrad(dst, a, b, argT) },
		func(dst, a, b, _ []float32) { exact.LeakyReluGrad(dst, a, b, argT) }},
	{"normalize", 1,
		func(dst, a, _, _ []float32) { normalize(dst, a, nil, nil, argS, argT) },
		func(dst, a, _, _ []float32) { exact.Normalize(dst, a, argS, argT) }},
	{"normalize/gamma", 2,
		func(dst, a, b, _ []float32) { normalize(dst, a, b, nil, argS, argT) },
		func(dst, a, b, _ []float32) { exact.NormalizeScale(dst, a, b, argS, argT) }},
	{"normalize/gamma,beta", 3,
		func(dst, a, b, c []float32) { normalize(dst, a, b, c, argS, argT) },
		func(dst, a, b, c []float32) { exact.NormalizeAffine(dst, a, b, c, argS, argT) }},
	{"BatchNorm", 1,
		func(dst, a, _, _ []float32) { BatchNorm(dst, a, argS, argT, .5) },
		func(dst, a, _, _ []float32) { exact.BatchNorm(dst, a, argS, argT, .5) }},
	{"BatchNormGrad", 2,
		func(dst, a, b, _ []float32) { BatchNormGrad(dst, a, b, argS, .25, -1.5, argT) },
		func(dst, a, b, _ []float32) { exact.BatchNormDX(dst, a, b, argS, .25, -1.5, argT) }},
	{"layerNormDX", 2,
		func(dst, a, b, _ []float32) { vecLayerNormDX(dst, a, b, argS, argT, .125, -.25) },
		func(dst, a, b, _ []float32) { exact.LayerNormDX(dst, a, b, argS, argT, .125, -.25) }},
	{"layerNormDX/gamma", 3,
		func(dst, a, b, c []float32) { vecLayerNormDXScale(dst, a, b, c, argS, argT, .125, -.25) },
		func(dst, a, b, c []float32) { exact.LayerNormDXScale(dst, a, b, c, argS, argT, .125, -.25) }},
	{"layerNormDGamma", 2,
		func(dst, a, b, _ []float32) { vecLayerNormDGamma(dst, a, b, argS, argT) },
		func(dst, a, b, _ []float32) { exact.LayerNormDGamma(dst, a, b, argS, argT) }},
	{"softmaxGrad", 2,
		func(dst, a, b, _ []float32) { vecSoftmaxGrad(dst, a, b, argS, argT) },
		func(dst, a, b, _ []float32) { exact.SoftmaxGrad(dst, a, b, argS, argT) }},
	{"logSoftmax", 1,
		func(dst, a, _, _ []float32) { vecLogSoftmax(dst, a, argT, argS, .5) },
		func(dst, a, _, _ []float32) { exact.LogSoftmax(dst, a, argT, argS, .5) }},
	{"logSoftmaxGrad", 2,
		func(dst, a, b, _ []float32) { vecLogSoftmaxGrad(dst, a, b, argS, argT) },
		func(dst, a, b, _ []float32) { exact.LogSoftmaxGrad(dst, a, b, argS, argT) }},
}

// A reduction is one kernel that returns one or two numbers and may store its first output.
type reduction struct {
	name      string
	operands  int
	stores    bool
	got, want func(dst, a, b, c []float32) [2]float32
}

func single(s float32) [2]float32  { return [2]float32{s} }
func pair(s, t float32) [2]float32 { return [2]float32{s, t} }

var reductionCases = []reduction{
	{"Sum", 1, false,
		func(_, a, _, _ []float32) [2]float32 { return single(Sum(a)) },
		func(_, a, _, _ []float32) [2]float32 { return single(exact.Sum(a)) }},
	{"SumSquares", 1, false,
		func(_, a, _, _ []float32) [2]float32 { return single(SumSquares(a)) },
		func(_, a, _, _ []float32) [2]float32 { return single(exact.SumSquares(a)) }},
	{"BatchNormMoments", 1, false,
		func(_, a, _, _ []float32) [2]float32 { return pair(BatchNormMoments(a, argT)) },
		func(_, a, _, _ []float32) [2]float32 { return pair(exact.Moments(a, argT)) }},
	{"Dot", 2, false,
		func(_, a, b, _ []float32) [2]float32 { return single(Dot(a, b)) },
		func(_, a, b, _ []float32) [2]float32 { return single(exact.Dot(a, b)) }},
	{"MaxValue", 1, false,
		func(_, a, _, _ []float32) [2]float32 { return single(MaxValue(a)) },
		func(_, a, _, _ []float32) [2]float32 { return single(exact.MaxValue(a)) }},
	{"MaxNumber", 1, false,
		func(_, a, _, _ []float32) [2]float32 { return single(MaxNumber(a)) },
		func(_, a, _, _ []float32) [2]float32 { return single(exact.MaxNumber(a)) }},
	{"ExpSum", 1, true,
		func(dst, a, _, _ []float32) [2]float32 { return single(ExpSum(dst, a, argT, 1.5)) },
		func(dst, a, _, _ []float32) [2]float32 { return single(exact.ExpSum(dst, a, argT, 1.5)) }},
	{"SumExp", 1, false,
		func(_, a, _, _ []float32) [2]float32 { return single(SumExp(a, argT, 1.5)) },
		func(_, a, _, _ []float32) [2]float32 { return single(exact.ExpSumOnly(a, argT, 1.5)) }},
	{"layerNormSums", 2, false,
		func(_, a, b, _ []float32) [2]float32 { return pair(vecLayerNormSums(a, b, argS, argT)) },
		func(_, a, b, _ []float32) [2]float32 { return pair(exact.LayerNormSums(a, b, argS, argT)) }},
	{"BatchNormGradSums", 2, false,
		func(_, a, b, _ []float32) [2]float32 { return pair(BatchNormGradSums(a, b, argS)) },
		func(_, a, b, _ []float32) [2]float32 { return pair(exact.LayerNormSums(a, b, argS, 1)) }},
	{"layerNormSums/gamma", 3, false,
		func(_, a, b, c []float32) [2]float32 { return pair(vecLayerNormSumsScale(a, b, c, argS, argT)) },
		func(_, a, b, c []float32) [2]float32 { return pair(exact.LayerNormSumsScale(a, b, c, argS, argT)) }},
}

// fusedLevels lists the levels that promise the exact bits.
func fusedLevels() []Level {
	if runtime.GOARCH == "arm64" {
		return Levels() // the compiler fuses the portable version too
	}
	return Levels()[1:]
}

func onLevels(t *testing.T, levels []Level, f func(t *testing.T)) {
	for _, l := range levels {
		t.Run(l.String(), func(t *testing.T) {
			defer SetLevel(l)()
			f(t)
		})
	}
}

var specials = []uint32{
	0, 1 << 31, // ±0
	1, 1<<31 | 1, 0x007fffff, 0x807fffff, // denormal
	0x00800000, 0x80800000, 0x7f7fffff, 0xff7fffff, // smallest normal, largest
	0x7f800000, 0xff800000, 0x7fc00000, 0xffc00001, 0x7f800001, // infinities, quiet and signalling NaN
	0x3f800000, 0xbf800000, 0x3f000000, 0xbf000000, 0x3f3504f3, 0x3f3504f4, // 1, ½, √½
	0x42b17218, 0x42b17217, 0xc2aeac50, 0xc2cff1b4, 0xc2cff1b5, 0xc2ce8ed0, // edges of exp
	0x42d00000, 0xc2d00000, 0x42b20000, // 104, 89
}

// fill puts ordinary numbers, random bit patterns and special values into x, different for each seed.
func fill(x []float32, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 1))
	for i := range x {
		switch r.IntN(8) {
		case 0:
			x[i] = math.Float32frombits(specials[r.IntN(len(specials))])
		case 1, 2:
			x[i] = math.Float32frombits(r.Uint32())
		case 3:
			x[i] = float32(r.NormFloat64() * 60)
		default:
			x[i] = float32(r.NormFloat64() * 2)
		}
	}
}

// ordinary is fill without infinities, NaN and extremes.
func ordinary(x []float32, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 2))
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
}

func sameBits(a, b float32) bool {
	return math.Float32bits(a) == math.Float32bits(b) || a != a && b != b
}

func compareBits(t *testing.T, what string, got, want []float32) {
	t.Helper()
	for i := range want {
		if !sameBits(got[i], want[i]) {
			t.Fatalf("%s: element %d of %d is %g (%#08x), exact %g (%#08x)", what, i, len(want),
				got[i], math.Float32bits(got[i]), want[i], math.Float32bits(want[i]))
		}
	}
}

// lengths covers every tail of every unrolling, and the boundary between two calls.
func lengths() []int {
	var ns []int
	for n := range 68 {
		ns = append(ns, n)
	}
	return append(ns, 127, 128, 129, 197, 768)
}

// Every elementwise kernel, at every level and length, gives the exact bits, touches nothing outside its
// slices, and may have its output in any one of its inputs.
func TestElementwiseBits(t *testing.T) {
	var mem [4]*guarded
	for i := range mem {
		mem[i] = newGuarded(t, 4*1024)
	}
	onLevels(t, fusedLevels(), func(t *testing.T) {
		for _, e := range elementwises {
			for _, n := range lengths() {
				atEnd := n%2 == 0
				for range 2 {
					var s [4][]float32
					for i := range s {
						s[i] = mem[i].floats(n, atEnd)
						fill(s[i], uint64(n*4+i))
					}
					want := append([]float32(nil), s[0]...)
					e.want(want, s[1], s[2], s[3])
					e.got(s[0], s[1], s[2], s[3])
					compareBits(t, fmt.Sprintf("%s, n = %d", e.name, n), s[0], want)
					atEnd = !atEnd
				}
			}
			for alias := 1; alias <= e.operands; alias++ {
				for _, n := range []int{5, 16, 67, 131} {
					var s, w [4][]float32
					for i := range s {
						s[i] = mem[i].floats(n, true)
						fill(s[i], uint64(n*4+i))
						w[i] = append([]float32(nil), s[i]...)
					}
					e.want(w[alias], w[1], w[2], w[3])
					e.got(s[alias], s[1], s[2], s[3])
					compareBits(t, fmt.Sprintf("%s, dst is operand %d, n = %d", e.name, alias, n), s[alias], w[alias])
				}
			}
		}
	})
}

// Slices may start at any element, and long ones are cut into several calls.
func TestElementwiseLong(t *testing.T) {
	const n = 2*maxCall + 37
	var s [4][]float32
	for i := range s {
		s[i] = make([]float32, n+i+1)[i+1:]
		fill(s[i], uint64(i))
	}
	start := append([]float32(nil), s[0]...)
	for _, e := range elementwises {
		want := append([]float32(nil), start...)
		e.want(want, s[1], s[2], s[3])
		t.Run(e.name, func(t *testing.T) {
			onLevels(t, fusedLevels(), func(t *testing.T) {
				copy(s[0], start)
				e.got(s[0], s[1], s[2], s[3])
				compareBits(t, e.name, s[0], want)
			})
		})
	}
}

// Every reduction gives the exact bits at every level and length, and touches nothing outside its slices. Lengths
// end in every part of a block, of a cascade, and of the blocks between.
func TestReductionBits(t *testing.T) {
	var mem [4]*guarded
	for i := range mem {
		mem[i] = newGuarded(t, 8*1024)
	}
	onLevels(t, fusedLevels(), func(t *testing.T) {
		for _, e := range reductionCases {
			for _, n := range append(lengths(), 255, 256, 257, 1000, 1023, 1024, 1025, 1152, 1300) {
				for kind, filler := range []func([]float32, uint64){ordinary, fill, ordinary, fill} {
					var s [4][]float32
					for i := range s {
						s[i] = mem[i].floats(n, kind >= 2)
						filler(s[i], uint64(n*4+i))
					}
					stored := make([]float32, n)
					want := e.want(stored, s[1], s[2], s[3])
					got := e.got(s[0], s[1], s[2], s[3])
					what := fmt.Sprintf("%s, n = %d", e.name, n)
					compareBits(t, what, got[:], want[:])
					if e.stores {
						compareBits(t, what, s[0], stored)
					}
				}
			}
		}
	})
}

// Rows longer than a chunk.
func TestReductionLong(t *testing.T) {
	var s [4][]float32
	for i := range s {
		s[i] = make([]float32, 4*chunk+i+100)[i+1:]
		ordinary(s[i], uint64(i))
	}
	for _, e := range reductionCases {
		for _, n := range []int{chunk - 1, chunk, chunk + 1, 2*chunk + 1061, 4 * chunk} {
			want := e.want(make([]float32, n), s[1][:n], s[2], s[3])
			onLevels(t, fusedLevels(), func(t *testing.T) {
				got := e.got(s[0][:n], s[1][:n], s[2], s[3])
				compareBits(t, fmt.Sprintf("%s, n = %d", e.name, n), got[:], want[:])
			})
		}
	}
}

func TestMaxPlacesBits(t *testing.T) {
	var mem [4]*guarded
	for i := range mem {
		mem[i] = newGuarded(t, 4*1024)
	}
	onLevels(t, fusedLevels(), func(t *testing.T) {
		for _, n := range lengths() {
			var s [4][]float32 // top, at, x, xAt
			for i := range s {
				s[i] = mem[i].floats(n, true)
				fill(s[i], uint64(4*n+i))
			}
			for i := range n { // places, and ties
				s[1][i], s[3][i] = float32(i%7), float32(i%5)
				if i%3 == 0 {
					s[2][i] = s[0][i]
				}
			}
			top, at := append([]float32(nil), s[0]...), append([]float32(nil), s[1]...)
			check := func(name string) {
				compareBits(t, fmt.Sprintf("%s: top, n = %d", name, n), s[0], top)
				compareBits(t, fmt.Sprintf("%s: at, n = %d", name, n), s[1], at)
			}
			exact.MaxShifted(top, at, s[2], s[3], 2)
			MaxShifted(s[0], s[1], s[2], s[3], 2)
			check("MaxShifted")
			fill(s[2], uint64(n))
			exact.MaxRow(top, at, s[2], 9)
			MaxRow(s[0], s[1], s[2], 9)
			check("MaxRow")
		}
	})
}
