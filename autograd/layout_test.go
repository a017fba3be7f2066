package autograd

import (
	"math/rand/v2"
	"testing"

	"github.com/fovea-ml/fovea/simd"
)

// Products and their gradients agree with the definition of broadcasting over random shapes. The numbers
// are small whole ones, so that every sum is exact in any order.
func TestBroadcastRandom(t *testing.T) {
	rng := rand.New(rand.NewPCG(8, 9))
	whole := func(n int) []float32 {
		v := make([]float32, n)
		for i := range v {
			v[i] = float32(rng.IntN(7) - 3)
		}
		return v
	}
	sizes := []int{1, 2, 3, 5, 17, 300}
	for range 200 {
		shape := make([]int, rng.IntN(6))
		total := 1
		for i := range shape {
			if shape[i] = sizes[rng.IntN(len(sizes))]; total*shape[i] > 20000 {
				shape[i] = 1
			}
			total *= shape[i]
		}
		// Each operand has some of the dimensions as ones, and may lack ones at the front.
		part := func() []int {
			s := cloneShape(shape)
			for i := range s {
				if rng.IntN(3) == 0 {
					s[i] = 1
				}
			}
			for len(s) > 0 && s[0] == 1 && rng.IntN(2) == 0 {
				s = s[1:]
			}
			return s
		}
		xs, ys := part(), part()
		tape := NewTape(Options{Gradients: true, Debug: true, Workers: simd.NewWorkers(2)})
		x := tape.Input(whole(elements("test", xs)), xs...).WantGradient()
		y := tape.Input(whole(elements("test", ys)), ys...).WantGradient()
		xv, yv := x.Floats(nil), y.Floats(nil)
		z := Mul(x, y)
		got, out := z.Floats(nil), cloneShape(z.Shape())
		seed := whole(len(got))
		g := NewGradients()
		Backward(g, []*Tensor{z}, [][]float32{seed})

		want := make([]float32, len(got))
		dx, dy := make([]float32, len(xv)), make([]float32, len(yv))
		sx, sy := stridesOf(xs, len(out)), stridesOf(ys, len(out))
		for i := range got {
			ox, oy, rest := 0, 0, i
			for d := len(out) - 1; d >= 0; d-- {
				at := rest % out[d]
				rest /= out[d]
				ox += at * sx[d]
				oy += at * sy[d]
			}
			want[i] = xv[ox] * yv[oy]
			dx[ox] += seed[i] * yv[oy]
			dy[oy] += seed[i] * xv[ox]
		}
		for i := range want {
			if got[i] != want[i] {
				t.Fatalf("%v · %v: element %d is %v, expected %v", xs, ys, i, got[i], want[i])
			}
		}
		for i, v := range g.OfTensor(x) {
			if v != dx[i] {
				t.Fatalf("%v · %v: gradient %d of the first is %v, expected %v", xs, ys, i, v, dx[i])
			}
		}
		for i, v := range g.OfTensor(y) {
			if v != dy[i] {
				t.Fatalf("%v · %v: gradient %d of the second is %v, expected %v", xs, ys, i, v, dy[i])
			}
		}
	}
}
