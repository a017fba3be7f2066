package simd

import (
	"fmt"
	"math"
	"testing"

	"github.com/fovea-ml/fovea/simd/internal/exact"
)

// AdamW over several steps against the textbook recursion in float64, at every level.
func TestAdamW(t *testing.T) {
	onLevels(t, Levels(), func(t *testing.T) {
		const n, beta1, beta2 = 67, .9, .999
		p, g, m, v := make([]float32, n), make([]float32, n), make([]float32, n), make([]float32, n)
		ordinary(p, 1)
		p64, m64, v64 := make([]float64, n), make([]float64, n), make([]float64, n)
		for i := range p {
			p64[i] = float64(p[i])
		}
		for step := 1; step <= 5; step++ {
			o := AdamWStep{LR: .01, Beta1: beta1, Beta2: beta2, Eps: 1e-8, WeightDecay: .1, GradScale: .5,
				BiasCorrection1: 1 - math.Pow(beta1, float64(step)), BiasCorrection2: 1 - math.Pow(beta2, float64(step))}
			ordinary(g, uint64(10+step))
			AdamW(p, g, m, v, o)
			for i := range p64 {
				gi := float64(g[i]) * o.GradScale
				m64[i] = beta1*m64[i] + (1-beta1)*gi
				v64[i] = beta2*v64[i] + (1-beta2)*gi*gi
				p64[i] *= 1 - o.LR*o.WeightDecay
				p64[i] -= o.LR * m64[i] / o.BiasCorrection1 / (math.Sqrt(v64[i]/o.BiasCorrection2) + o.Eps)
			}
			close64(t, "p", p, p64, 1e-6)
			close64(t, "m", m, m64, 1e-6)
			close64(t, "v", v, v64, 1e-6)
		}
	})
}

func TestMomentum(t *testing.T) {
	onLevels(t, Levels(), func(t *testing.T) {
		const n = 67
		p, g, m := make([]float32, n), make([]float32, n), make([]float32, n)
		ordinary(p, 1)
		p64, m64 := make([]float64, n), make([]float64, n)
		for i := range p {
			p64[i] = float64(p[i])
		}
		o := MomentumStep{LR: .1, Momentum: .9, WeightDecay: .01, GradScale: .5}
		for step := range 5 {
			ordinary(g, uint64(10+step))
			Momentum(p, g, m, o)
			for i := range p64 {
				m64[i] = o.Momentum*m64[i] + o.GradScale*float64(g[i]) + o.WeightDecay*p64[i]
				p64[i] -= o.LR * m64[i]
			}
			close64(t, "p", p, p64, 1e-6)
			close64(t, "m", m, m64, 1e-6)
		}
	})
}

// The optimizers' bits, tails and bounds.
func TestOptimizerBits(t *testing.T) {
	var mem [4]*guarded
	for i := range mem {
		mem[i] = newGuarded(t, 4096)
	}
	onLevels(t, fusedLevels(), func(t *testing.T) {
		for _, n := range lengths() {
			for _, atEnd := range []bool{true, false} {
				var s, w [4][]float32 // p, m, v, gradient
				reset := func() {
					for i := range s {
						s[i] = mem[i].floats(n, atEnd)
						fill(s[i], uint64(n*4+i))
						w[i] = append([]float32(nil), s[i]...)
					}
				}
				check := func(name string) {
					for i := range s {
						compareBits(t, fmt.Sprintf("%s, operand %d, n = %d", name, i, n), s[i], w[i])
					}
				}
				reset()
				vecAdamW(s[0], s[1], s[2], s[3], .5, .9, .1, .99, .01, .999, 1.25, 1e-6, -.02)
				exact.AdamW(w[0], w[1], w[2], w[3], .5, .9, .1, .99, .01, .999, 1.25, 1e-6, -.02)
				check("AdamW")
				reset()
				vecMomentum(s[0], s[1], s[3], .5, .01, .9, -.02)
				exact.Momentum(w[0], w[1], w[3], .5, .01, .9, -.02)
				check("Momentum")
			}
		}
	})
}
