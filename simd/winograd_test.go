package simd

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/fovea-ml/fovea/simd/internal/exact"
)

// winogradShape has the number of results that PyTorch gives a plane.
func winogradShape(in, out, h, w, pad int) WinogradShape {
	return WinogradShape{In: in, Out: out, Height: h, Width: w, Rows: h + 2*pad - 2, Columns: w + 2*pad - 2, PadY: pad, PadX: pad}
}

// exactWinograd is WinogradConv by its definition, tile by tile.
func exactWinograd(dst, src, weight []float32, images int, add bool, ep *Epilogue, s *WinogradShape) {
	u := make([][]float32, s.Out*winogradPlanes)
	for f := range s.Out {
		for p := range winogradPlanes {
			u[f*winogradPlanes+p] = make([]float32, s.In)
		}
		for c := range s.In {
			w := (*[9]float32)(weight[(f*s.In+c)*9:])
			for p, v := range exact.WinogradFilter(w) {
				u[f*winogradPlanes+p][c] = v
			}
		}
	}
	for i := range images {
		for y := 0; y < s.Rows; y += 2 {
			for x := 0; x < s.Columns; x += 2 {
				v := make([][]float32, winogradPlanes)
				for c := range s.In {
					var d [16]float32
					for q := range d {
						if py, px := y-s.PadY+q/4, x-s.PadX+q%4; py >= 0 && py < s.Height && px >= 0 && px < s.Width {
							d[q] = src[((i*s.In+c)*s.Height+py)*s.Width+px]
						}
					}
					for p, e := range exact.WinogradPixels(&d) {
						v[p] = append(v[p], e)
					}
				}
				for f := range s.Out {
					var m [16]float32
					for p := range m {
						m[p] = exact.Product(u[f*winogradPlanes+p], v[p], winogradBlock, winogradChain, nil)
					}
					for q, r := range exact.WinogradSums(&m) {
						if y+q/2 < s.Rows && x+q%2 < s.Columns {
							at := ((i*s.Out+f)*s.Rows+y+q/2)*s.Columns + x + q%2
							if add {
								r += dst[at]
							}
							dst[at] = r
						}
					}
				}
			}
		}
	}
	if ep == nil {
		return
	}
	e := *ep
	plane := s.Rows * s.Columns
	e.ResidualStride, e.PreStride = plane, plane
	for i := range images {
		o := gemmOperands{c: dst[i*s.Out*plane:], ldc: plane}
		if ep.Residual != nil {
			e.Residual = ep.Residual[i*s.Out*plane:]
		}
		if ep.Pre != nil {
			e.Pre = ep.Pre[i*s.Out*plane:]
		}
		e.finish(&o, 0, s.Out, 0, plane)
	}
}

// TestWinogradConv compares convolutions of any size with the definition, bit for bit, on all levels and on one to three
// threads, with operands at guard pages. Pixels that are not finite reach their tiles alone.
func TestWinogradConv(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 7))
	count := 60
	if testing.Short() {
		count = 12
	}
	var cases []WinogradShape
	for _, w := range []int{1, 2, 3, 15, 16, 17, 31, 32, 33, 34, 35, 63, 64, 65, 66, 67, 71} {
		cases = append(cases, winogradShape(1+w%5, 1+w%3, 1+w%7, w, 1+w%2))
	}
	cases = append(cases, winogradShape(33, 35, 38, 41, 1), winogradShape(97, 3, 10, 6, 1), winogradShape(400, 17, 4, 5, 0), winogradShape(2, 40, 3, 700, 1))
	for len(cases) < count {
		s := WinogradShape{In: rng.IntN(50), Out: 1 + rng.IntN(50), Height: 1 + rng.IntN(20), Width: 1 + rng.IntN(30), PadY: rng.IntN(4), PadX: rng.IntN(4)}
		s.Rows, s.Columns = max(0, s.Height+2*s.PadY-2-rng.IntN(2)), max(0, s.Width+2*s.PadX-2+rng.IntN(2))
		cases = append(cases, s)
	}
	for i, s := range cases {
		images := 1 + rng.IntN(3)
		n := images * s.Out * s.Rows * s.Columns
		x, w := randomFloats(images*s.In*s.Height*s.Width, uint64(i)), randomFloats(s.Out*s.In*9, uint64(i)+100)
		if i%4 == 0 && len(x) > 0 {
			x[rng.IntN(len(x))], x[rng.IntN(len(x))] = float32(math.Inf(1)), float32(math.NaN())
		}
		before := randomFloats(n, uint64(i)+200)
		add := rng.IntN(3) == 0
		var ep *Epilogue
		var pre []float32
		if rng.IntN(4) > 0 {
			ep = &Epilogue{Act: []Activation{ActNone, ActRelu, ActSilu}[rng.IntN(3)], ResidualFirst: true}
			if rng.IntN(2) == 0 {
				ep.RowBias = randomFloats(s.Out, uint64(i)+300)
			}
			if rng.IntN(2) == 0 {
				ep.Residual = randomFloats(n, uint64(i)+400)
			}
			if rng.IntN(3) == 0 {
				ep.Pre = make([]float32, n)
			}
		}
		if ep != nil {
			pre = ep.Pre
		}
		onLevels(t, fusedLevels(), func(t *testing.T) {
			want := slices.Clone(before)
			exactWinograd(want, x, w, images, add, ep, &s) // an activation has the bits of a level with fused products
			u := make([]float32, s.Weights())
			half := s.Out / 2
			WinogradWeights(u, w, 0, half, &s)
			WinogradWeights(u, w[half*s.In*9:], half, s.Out, &s)
			for threads := 1; threads <= 3; threads++ {
				atEnd := threads%2 == 0
				place := func(x []float32) []float32 {
					y := newGuarded(t, 4*len(x)+4).floats(len(x), atEnd)
					copy(y, x)
					return y
				}
				var e *Epilogue
				if ep != nil {
					c := *ep
					if e = &c; ep.Residual != nil {
						c.Residual = place(ep.Residual)
					}
					if ep.Pre != nil {
						c.Pre = place(make([]float32, n))
					}
				}
				got := place(before)
				WinogradConv(NewWorkers(threads), got, place(x), place(u), images, add, e, &s)
				what := fmt.Sprintf("%d images, %+v, add %t, %+v on %d threads", images, s, add, ep != nil, threads)
				compareBits(t, what, got, want)
				if pre != nil {
					compareBits(t, what+": before the activation", e.Pre, pre)
				}
			}
		})
	}
}
