package simd

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// packing returns the current kernel without the tiles that read B in place.
func packing() *gemmKernel {
	kern := *gemmKernels[level]
	kern.window = nil
	return &kern
}

// Tiles that read B in place give the bits of those that read a packed one: at every width, with several images, with
// and without beta, and with any steps after the product. They write nothing else.
func TestGemmGatherInPlace(t *testing.T) {
	count := 400 // ten of each width
	if testing.Short() {
		count = 120
	}
	gemmLevels(t, func(t *testing.T, kern *gemmKernel) {
		defer func() { gemmKernels[level] = kern }()
		pack := packing()
		rng := rand.New(rand.NewPCG(9, 9))
		inPlace := 0
		for i := range count {
			b, m, n, k := drawWindow(rng, 1+i%40)
			a := Matrix{randomFloats(m*(k+3), uint64(i)), k + 3, false}
			ldc := n + rng.IntN(20)
			block := min(convBlock(len(b.Window)), 1+rng.IntN(400))
			beta := float32(rng.IntN(2))
			c := randomFloats(m*ldc, uint64(i))
			ep, pre := drawEpilogue(rng, m, n)
			want := slices.Clone(c)
			gemmKernels[level] = pack
			GemmGather(nil, m, n, k, a, b, block, beta, want, ldc, ep)
			wantPre := slices.Clone(pre)
			gemmKernels[level] = kern
			if (&gemmRun{kern: kern, m: m, n: n, k: k, gather: b}).windows() {
				inPlace++
			}
			for _, w := range []*Workers{nil, NewWorkers(3)} {
				got := slices.Clone(c)
				clear(pre)
				GemmGather(w, m, n, k, a, b, block, beta, got, ldc, ep)
				if !slices.EqualFunc(got, want, sameBits) || !slices.EqualFunc(pre, wantPre, sameBits) {
					t.Fatalf("m=%d n=%d k=%d block=%d width=%d height=%d from=%d beta=%g %+v: other bits than from packed panels",
						m, n, k, block, b.Width, b.Height, b.From, beta, ep)
				}
			}
		}
		if kern.window != nil && inPlace < count/4 {
			t.Errorf("only %d products read B in place", inPlace)
		}
	})
}

func convBlock(taps int) int { return max(1, 256/taps) * taps }

// drawWindow draws pixels under a window of any size, in rows of the given width.
func drawWindow(rng *rand.Rand, width int) (b *Gather, m, n, k int) {
	b = &Gather{Width: width, Pitch: width + rng.IntN(4), From: rng.IntN(3 * width)}
	m, n, k = 1+rng.IntN(FewRows-1), 1+rng.IntN(400), 1+rng.IntN(400)
	if rng.IntN(2) == 0 {
		b.Height = 1 + rng.IntN(4)
		b.Image = b.Height*b.Pitch + rng.IntN(30)
	}
	for range 1 + rng.IntN(9) {
		b.Window = append(b.Window, rng.IntN(70))
	}
	b.Plane = rng.IntN(300)
	far := 0
	for j := range n {
		far = max(far, b.position(b.From+j))
	}
	size := (k-1)/len(b.Window)*b.Plane + slices.Max(b.Window) + far + 1
	b.Data = randomFloats(size+GatherSlack, rng.Uint64())
	return b, m, n, k
}

// drawEpilogue draws steps after a product of m×n, and the matrix that receives the values before the activation.
func drawEpilogue(rng *rand.Rand, m, n int) (ep *Epilogue, pre []float32) {
	if rng.IntN(5) == 0 {
		return nil, nil
	}
	ep = &Epilogue{Act: [...]Activation{ActNone, ActRelu, ActSilu}[rng.IntN(3)]}
	if rng.IntN(2) == 0 {
		ep.RowBias = randomFloats(m, rng.Uint64())
	}
	if rng.IntN(4) == 0 {
		ep.Bias = randomFloats(n, rng.Uint64())
	}
	if rng.IntN(3) == 0 {
		ep.Residual, ep.ResidualStride, ep.ResidualFirst = randomFloats(m*n, rng.Uint64()), n, rng.IntN(2) == 0
	}
	if rng.IntN(3) == 0 {
		pre = make([]float32, m*n)
		ep.Pre, ep.PreStride = pre, n
	}
	return ep, pre
}

// BenchmarkGemmGather compares tiles that read pixels in place with packed panels.
func BenchmarkGemmGather(b *testing.B) {
	for _, m := range []int{8, 16, 24, 31} {
		for _, width := range []int{44, 60, 176} {
			for _, channels := range []int{3, 24} {
				const rows = 22
				g := &Gather{Width: width, Pitch: width + 1}
				for y := range 3 {
					for x := range 2 {
						g.Window = append(g.Window, y*g.Pitch+x)
					}
				}
				g.Plane = (rows + 2) * g.Pitch
				k := channels * len(g.Window)
				g.Data = randomFloats(channels*g.Plane+3*g.Pitch+GatherSlack, 1)
				a := Matrix{randomFloats(m*k, 2), k, false}
				c := make([]float32, m*rows*width)
				ep := &Epilogue{RowBias: make([]float32, m), Act: ActRelu}
				kern := gemmKernels[level]
				for _, how := range []string{"place", "packed"} {
					b.Run(fmt.Sprintf("m=%d/width=%d/k=%d/%s", m, width, k, how), func(b *testing.B) {
						if how == "packed" {
							gemmKernels[level] = packing()
							defer func() { gemmKernels[level] = kern }()
						}
						for b.Loop() {
							GemmGather(nil, m, rows*width, k, a, g, convBlock(len(g.Window)), 0, c, rows*width, ep)
						}
						b.ReportMetric(2*float64(m*rows*width*k*b.N)/float64(b.Elapsed().Nanoseconds()), "GFLOP/s")
					})
				}
			}
		}
	}
}
