package simd

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"golang.org/x/sys/cpu"
)

// interpreted returns a kernel of AMX whose tiles the interpreter runs.
func interpreted(t *testing.T, k *wordKernel, name string) *wordKernel {
	functions := readAssembly(t, "gemm_amx_amd64.s")
	low, high := functions["amx16"+name], functions["amx32"+name]
	x, kern := *k, *k.kern
	kern.multiply = func(t *gemmTile) {
		f := high
		if t.rows <= 16 {
			f = low
		}
		new(machine).run(f, t)
	}
	x.kern = &kern
	return &x
}

// needWords skips a test where the processor cannot make words of bfloat16.
func needWords(t *testing.T) {
	if !cpu.X86.HasAVX512BF16 || Levels()[len(Levels())-1] != AVX512 {
		t.Skip("this processor has no AVX512_BF16, which makes the words of AMX")
	}
}

func TestAMX(t *testing.T) {
	needWords(t)
	defer SetLevel(AVX512)()
	rounds := 40
	if testing.Short() {
		rounds = 5
	}
	for _, c := range []struct {
		math Math
		kern *wordKernel
		name string
	}{{BF16, bf16AMX, "BF16"}, {Int8, int8AMX, "Int8"}} {
		t.Run(c.name, func(t *testing.T) {
			defer setWords(c.math, interpreted(t, c.kern, c.name))()
			rng := rand.New(rand.NewPCG(9, 10))
			for i := range rounds {
				m, n, k := 1+rng.IntN(70), 1+rng.IntN(70), rng.IntN(200)
				if i%10 == 0 {
					m, n, k = 1+rng.IntN(33), 1+rng.IntN(33), wordBlock*c.kern.numbers/c.kern.words-1+rng.IntN(3)
				}
				p := newWordProblem(rng, c.math, m, n, k, func() float32 { return float32(rng.NormFloat64()) })
				p.run(t, nil)
				p.run(t, NewWorkers(2))
			}
		})
	}
}

// The error of Accurate against float64 is not above that of Strict: in root mean square over the elements of some products,
// each error being a part of Σ|a·b|.
func TestAccurate(t *testing.T) {
	needWords(t)
	defer SetLevel(AVX512)()
	defer setWords(Accurate, interpreted(t, accurateAMX, "Accurate"))()
	depths := []int{16, 64, 768, 4096, 16384}
	if testing.Short() {
		depths = []int{64, 768}
	}
	normal := func(rng *rand.Rand) float32 { return float32(rng.NormFloat64()) }
	for _, c := range []struct {
		name   string
		value  func(rng *rand.Rand) float32
		cancel bool    // the second half of the products nearly cancels the first
		size   float64 // of the whole
	}{
		{"normal", normal, false, 1},
		{"positive", func(rng *rand.Rand) float32 { return rng.Float32() }, false, 1},
		{"cancellation", normal, true, 1},
		{"exponent spread", func(rng *rand.Rand) float32 {
			return float32(math.Ldexp(rng.NormFloat64(), rng.IntN(41)-20))
		}, false, 1},
		{"near overflow", normal, false, 0x1p59},
		{"small", normal, false, 0x1p-40},
	} {
		for _, k := range depths {
			rng := rand.New(rand.NewPCG(11, uint64(k)))
			var strict, accurate float64
			for range max(1, 1000/k) {
				const m, n = 17, 16
				a, b := make([]float32, m*k), make([]float32, n*k)
				for i := range a {
					a[i] = c.value(rng) * float32(c.size)
				}
				for i := range b {
					b[i] = c.value(rng) * float32(c.size)
				}
				if c.cancel {
					for i := range m {
						row := a[i*k:][:k]
						for q := range k / 2 {
							row[k/2+q] = -row[q] * (1 + 0x1p-12*rng.Float32())
						}
					}
					for j := range n {
						copy(b[j*k+k/2:][:k/2], b[j*k:])
					}
				}
				exact, whole := make([]float64, m*n), make([]float64, m*n)
				for i := range exact {
					for q, v := range a[i/n*k:][:k] {
						product := float64(v) * float64(b[i%n*k+q])
						exact[i] += product
						whole[i] += math.Abs(product)
					}
				}
				squares := func(x Math) (sum float64) {
					out := make([]float32, m*n)
					x.Gemm(nil, m, n, k, Matrix{a, k, false}, Matrix{b, k, true}, 0, out, n, nil)
					for i, v := range out {
						d := (float64(v) - exact[i]) / whole[i]
						sum += d * d
					}
					return sum
				}
				strict += squares(Strict)
				accurate += squares(Accurate)
			}
			ratio := math.Sqrt(accurate / strict)
			t.Logf("%s, k=%d: %.2f times the error of strict", c.name, k, ratio)
			if !(ratio <= 1) {
				t.Errorf("%s, k=%d: the error is %g times that of strict", c.name, k, ratio)
			}
		}
	}
}

// Numbers that bfloat16 rounds to infinity stay finite. An infinity times the zero parts of a number is NaN.
func TestAccurateOfStrangeNumbers(t *testing.T) {
	needWords(t)
	defer SetLevel(AVX512)()
	defer setWords(Accurate, interpreted(t, accurateAMX, "Accurate"))()
	inf := float32(math.Inf(1))
	for _, v := range []float32{math.MaxFloat32, -math.MaxFloat32, 0x1.fffp127, inf, -inf, float32(math.NaN()), 0, 1 + 0x1p-23} {
		for k := 1; k < 70; k += 33 {
			a, b, out := make([]float32, k), make([]float32, k), make([]float32, 1)
			a[k-1], b[k-1] = v, 1
			Accurate.Gemm(nil, 1, 1, k, Matrix{a, k, false}, Matrix{b, k, true}, 0, out, 1, nil)
			if want := v; isFinite(v) && out[0] != want || !isFinite(v) && out[0] == out[0] {
				t.Errorf("%g times 1, k=%d: found %g", v, k, out[0])
			}
		}
	}
}

// The kernel of AVX-VNNI has the bits of the others.
func TestAVXVNNI(t *testing.T) {
	if !slices.Contains(Levels(), AVX2) {
		t.Skip("this processor has no AVX2")
	}
	defer SetLevel(AVX2)()
	functions := readAssembly(t, "gemm_words_avx2_amd64.s")
	x, kern := *int8AVX2, *int8AVX2.kern
	kern.multiply = func(t *gemmTile) {
		form := "r"
		if t.panels > 1 {
			form = "w"
		}
		new(machine).run(functions[fmt.Sprint("gemm256", form, "q", t.rows)], t)
	}
	x.kern = &kern
	defer setWords(Int8, &x)()
	rng := rand.New(rand.NewPCG(15, 16))
	rounds := 60
	if testing.Short() {
		rounds = 10
	}
	for i := range rounds {
		m, n, k := 1+rng.IntN(15), 1+rng.IntN(40), rng.IntN(150)
		if i%5 == 0 {
			m, n, k = 1+rng.IntN(3), 64+rng.IntN(10), 4*wordBlock-1+rng.IntN(3)
		}
		newWordProblem(rng, Int8, m, n, k, func() float32 { return float32(rng.NormFloat64()) }).run(t, nil)
	}
}
