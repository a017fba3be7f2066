package simd

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

func randomFloats(n int, seed uint64) []float32 {
	rng := rand.New(rand.NewPCG(seed, 7))
	s := make([]float32, n)
	for i := range s {
		s[i] = float32(rng.NormFloat64())
	}
	return s
}

// BenchmarkGemm times products at every level of the machine, beside the rate of a loop of fused
// multiply-adds that ran just before: its %peak judges a change to a kernel.
//
//	m, k, n     the sizes
//	packed      B packed ahead of time
//	plain       B [k, n] packed as it goes
//	linear      B is a weight [n, k], packed as it goes: a layer's forward pass in training
//	gradient    A is [k, m] and beta is 1: a weight's gradient
func BenchmarkGemm(b *testing.B) {
	shapes := [][3]int{{1024, 1024, 1024}, {197, 768, 768}, {197, 768, 3072}, {197, 3072, 768}, {1, 768, 3072}, {8, 768, 768}}
	for _, s := range shapes {
		for _, l := range Levels() {
			for _, form := range []string{"packed", "plain", "linear", "gradient"} {
				for _, threads := range []int{1, 2} {
					name := fmt.Sprintf("m=%d/k=%d/n=%d/%v/%s/threads=%d", s[0], s[1], s[2], l, form, threads)
					b.Run(name, func(b *testing.B) { benchGemm(b, s[0], s[1], s[2], l, form, threads) })
				}
			}
		}
	}
}

func benchGemm(b *testing.B, m, k, n int, l Level, form string, threads int) {
	defer SetLevel(l)()
	w := NewWorkers(threads)
	c := make([]float32, m*n)
	am, bm, beta := Matrix{randomFloats(m*k, 1), k, false}, Matrix{randomFloats(k*n, 2), n, false}, float32(0)
	switch form {
	case "linear":
		bm = Matrix{bm.Data, k, true}
	case "gradient":
		am, beta = Matrix{am.Data, m, true}, 1
	}
	p := Pack(nil, k, n, bm, PackOptions{})
	run := func() {
		if form == "packed" {
			GemmPacked(w, m, am, p, beta, c, n, nil)
		} else {
			Gemm(w, m, n, k, am, bm, beta, c, n, nil)
		}
	}
	run()
	peak := FMAPeak(threads, 20*time.Millisecond)
	b.ReportAllocs()
	for b.Loop() {
		run()
	}
	reportRate(b, 2*float64(m)*float64(n)*float64(k), peak)
}

func reportRate(b *testing.B, flops, peak float64) {
	rate := flops * float64(b.N) / float64(b.Elapsed().Nanoseconds())
	b.ReportMetric(rate, "GFLOP/s")
	b.ReportMetric(100*rate/peak, "%peak")
}

// BenchmarkMath times products in every arithmetic, on every kernel that the machine has for it, beside the rate of a loop
// of its instruction.
//
//	packed      B packed ahead of time
//	linear      B is a weight [n, k], packed as it goes
//	values      B is [k, n], packed as it goes
func BenchmarkMath(b *testing.B) {
	shapes := [][3]int{{1024, 1024, 1024}, {197, 768, 768}, {197, 768, 3072}, {197, 3072, 768}, {1576, 768, 768}, {1, 768, 3072}, {8, 768, 768}}
	for _, s := range shapes {
		for x := range mathNames {
			for _, l := range Levels() {
				if l == Generic {
					continue
				}
				kernels := wordKernelsOf(l, Math(x))
				if Math(x) == Strict {
					kernels = []*wordKernel{nil}
				}
				for _, k := range kernels {
					for _, form := range []string{"packed", "linear", "values"} {
						for _, threads := range []int{1, 2} {
							name := fmt.Sprint(l)
							if k != nil {
								name = k.name
							}
							b.Run(fmt.Sprintf("m=%d/k=%d/n=%d/%v/%s/%s/threads=%d", s[0], s[1], s[2], Math(x), name, form, threads), func(b *testing.B) {
								benchMath(b, Math(x), k, s[0], s[1], s[2], l, form, threads)
							})
						}
					}
				}
			}
		}
	}
}

func benchMath(b *testing.B, x Math, kern *wordKernel, m, k, n int, l Level, form string, threads int) {
	defer SetLevel(l)()
	if kern != nil {
		defer setWords(x, kern)()
	}
	w := NewWorkers(threads)
	c := make([]float32, m*n)
	am, bm := Matrix{randomFloats(m*k, 1), k, false}, Matrix{randomFloats(k*n, 2), k, true}
	if form == "values" {
		bm = Matrix{bm.Data, n, false}
	}
	p := Pack(nil, k, n, bm, PackOptions{Math: x})
	run := func() {
		if form == "packed" {
			GemmPacked(w, m, am, p, 0, c, n, nil)
		} else {
			x.Gemm(w, m, n, k, am, bm, 0, c, n, nil)
		}
	}
	run()
	peak := x.Peak(threads, 20*time.Millisecond)
	b.ReportAllocs()
	for b.Loop() {
		run()
	}
	reportRate(b, 2*float64(m)*float64(n)*float64(k), peak)
}

// BenchmarkGemmBatch times attention's two products for 12 heads of 64 channels over 197 tokens, read
// out of one packed projection.
func BenchmarkGemmBatch(b *testing.B) {
	const tokens, heads, dim = 197, 12, 64
	const wide = 3 * heads * dim
	qkv, scores, out := randomFloats(tokens*wide, 1), randomFloats(heads*tokens*tokens, 2), make([]float32, tokens*heads*dim)
	for _, l := range Levels() {
		for _, form := range []string{"qk", "pv", "qk/bf16", "pv/bf16"} {
			b.Run(strings.Join([]string{form, l.String()}, "/"), func(b *testing.B) {
				defer SetLevel(l)()
				form, name, _ := strings.Cut(form, "/")
				x := Strict
				if name != "" {
					x = BF16
				}
				peak := x.Peak(1, 20*time.Millisecond)
				b.ReportAllocs()
				qk := func(i int) (x, y Matrix, c []float32, ldc int) {
					return Matrix{qkv[i*dim:], wide, false}, Matrix{qkv[heads*dim+i*dim:], wide, true}, scores[i*tokens*tokens:], tokens
				}
				pv := func(i int) (x, y Matrix, c []float32, ldc int) {
					return Matrix{scores[i*tokens*tokens:], tokens, false}, Matrix{qkv[2*heads*dim+i*dim:], wide, false}, out[i*dim:], heads * dim
				}
				for b.Loop() {
					if form == "qk" {
						x.GemmBatch(nil, heads, tokens, tokens, dim, 0, qk)
					} else {
						x.GemmBatch(nil, heads, tokens, dim, tokens, 0, pv)
					}
				}
				reportRate(b, 2*heads*tokens*tokens*dim, peak)
			})
		}
	}
}
