package simd

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// newGather draws a k×n Gather, and the Matrix that it stands for.
func newGather(rng *rand.Rand, n, k int) (*Gather, Matrix) {
	b := &Gather{Trans: rng.IntN(2) == 0, Width: 1 + rng.IntN(40), From: rng.IntN(50)}
	taps, positions := k, n
	if b.Trans {
		taps, positions = n, k
	}
	b.Pitch = b.Width + rng.IntN(4)
	if rng.IntN(2) == 0 {
		b.Height = 1 + rng.IntN(4)
		b.Image = b.Height*b.Pitch + rng.IntN(30)
	}
	for range 1 + rng.IntN(9) {
		b.Window = append(b.Window, rng.IntN(70))
	}
	b.Plane = rng.IntN(300)
	size := 0
	at := func(tap, position int) int {
		o := tap/len(b.Window)*b.Plane + b.Window[tap%len(b.Window)] + b.position(b.From+position)
		size = max(size, o+1)
		return o
	}
	var offsets []int
	for i := range k {
		for j := range n {
			if b.Trans {
				offsets = append(offsets, at(j, i))
			} else {
				offsets = append(offsets, at(i, j))
			}
		}
	}
	// One row less of slack would be noticed: the check allows for a furthest tap at the furthest position.
	if taps > 0 && positions > 0 {
		for _, o := range b.Window {
			for p := range positions {
				at((taps-1)/len(b.Window)*len(b.Window), p)
				size = max(size, (taps-1)/len(b.Window)*b.Plane+o+b.position(b.From+p)+1)
			}
		}
	}
	b.Data = randomFloats(size+GatherSlack, rng.Uint64())
	m := Matrix{Data: make([]float32, k*n), Stride: max(1, n)}
	for i, o := range offsets {
		m.Data[i] = b.Data[o]
	}
	return b, m
}

// A gathered product has the bits of one with the matrix that its B stands for.
func TestGemmGather(t *testing.T) {
	count := 400
	if testing.Short() {
		count = 100
	}
	gemmLevels(t, func(t *testing.T, kern *gemmKernel) {
		rng := rand.New(rand.NewPCG(8, 8))
		for i := range count {
			m, n, k := sizes(rng, kern)
			if i%4 == 0 {
				n += 300
			}
			b, dense := newGather(rng, n, k)
			block := 1 + rng.IntN(kBlock)
			a := Matrix{randomFloats(m*k, uint64(i)), max(1, k), false}
			if rng.IntN(3) == 0 {
				a = Matrix{a.Data, m, true}
			}
			beta := [...]float32{0, 1, -1}[rng.IntN(3)]
			c := randomFloats(m*n, uint64(i))
			want := append([]float32(nil), c...)
			from := beta
			for k0 := 0; k0 < max(1, k); k0 += block {
				kc := min(block, k-k0)
				x := Matrix{nil, a.Stride, a.Trans}
				if kc > 0 {
					x.Data, dense.Data = a.at(0, k0), dense.Data[min(k0, 1)*0:]
				}
				part := Matrix{Stride: dense.Stride}
				if kc > 0 && n > 0 {
					part.Data = dense.Data[k0*n:]
				}
				Gemm(nil, m, n, kc, x, part, from, want, n, nil)
				from = 1
			}
			for _, w := range []*Workers{nil, NewWorkers(3)} {
				got := append([]float32(nil), c...)
				GemmGather(w, m, n, k, a, b, block, beta, got, n, nil)
				for j, v := range got {
					if v != want[j] {
						t.Fatalf("m=%d n=%d k=%d block=%d %+v: C[%d] = %g, want %g", m, n, k, block, fmt.Sprint(b.Window, b.Width, b.Pitch, b.Height, b.Image, b.From, b.Trans), j, v, want[j])
					}
				}
			}
		}
	})
}
