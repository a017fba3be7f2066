package jpeg

import (
	"bytes"
	"math"
	"math/rand/v2"
	"testing"
)

// naive is the definition of the inverse transform (T.81, A.3.3), in floating point.
func naive(b *[64]float64) (out [64]float64) {
	c := func(u int) float64 {
		if u == 0 {
			return math.Sqrt2 / 4
		}
		return 0.5
	}
	for y := range 8 {
		for x := range 8 {
			for v := range 8 {
				for u := range 8 {
					out[8*y+x] += c(u) * c(v) * b[8*v+u] * math.Cos(float64(2*x+1)*float64(u)*math.Pi/16) *
						math.Cos(float64(2*y+1)*float64(v)*math.Pi/16)
				}
			}
			out[8*y+x] = min(max(out[8*y+x]+128, 0), 255)
		}
	}
	return out
}

func TestInverseIsTheTransform(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		var b block
		var q [64]int16
		var f [64]float64
		for row := range 8 {
			for col := range 8 {
				i := stored(row, col)
				q[i] = int16(1 + r.IntN(20))
				if r.IntN(3) == 0 {
					b[i] = int16(r.IntN(21) - 10)
				}
				f[8*row+col] = float64(b[i]) * float64(q[i])
			}
		}
		want := naive(&f)
		got := make([]uint8, 64)
		inversePortable(got, 8, &b, &q)
		for i, v := range got {
			// Half a level of rounding, and what the fixed point adds.
			if math.Abs(float64(v)-want[i]) > 0.7 {
				t.Fatalf("sample %d is %d, want %.3f", i, v, want[i])
			}
		}
	}
}

// The vector kernels are the portable ones, also where products overflow.
func TestInverseKernels(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for i := range 20000 {
		var b block
		var q [64]int16
		limit := 1 << (1 + i%15)
		for k := range b {
			q[k] = int16(1 + r.IntN(1<<(i%17)))
			if r.IntN(1+i%7) == 0 {
				b[k] = int16(r.IntN(2*limit+1) - limit)
			}
		}
		if i%5 == 0 {
			b = block{0: b[0]}
		}
		const stride = 11
		want, got := make([]uint8, 8*stride), make([]uint8, 8*stride)
		inversePortable(want, stride, &b, &q)
		inverse(got, stride, &b, &q)
		if !bytes.Equal(got, want) {
			t.Fatalf("block %v by %v: %v, want %v", b, q, got, want)
		}
		if i%5 == 0 {
			clear(got)
			inverseFlat(got, stride, &b, &q, 8)
			if !bytes.Equal(got, want) {
				t.Fatalf("flat block %d by %d: %v, want %v", b[0], q[0], got, want)
			}
		}
	}
}

func noise(r *rand.Rand, n int) []uint8 {
	b := make([]uint8, n)
	for i := range b {
		b[i] = uint8(r.Uint32())
		if r.IntN(4) == 0 {
			b[i] = uint8(r.IntN(2) * 255)
		}
	}
	return b
}

// Rows of every width, and nothing written beside them.
func TestUpsampleKernels(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	const beside = 0x5a
	for n := 2; n < 300; n++ {
		near, far := noise(r, n), noise(r, n)
		check := func(name string, f func(dst []uint8), want func(x int) uint8) {
			dst := bytes.Repeat([]byte{beside}, 2*n+64)
			f(dst[32 : 32+2*n : 32+2*n])
			for i, v := range dst {
				w := uint8(beside)
				if i >= 32 && i < 32+2*n {
					w = want(i - 32)
				}
				if v != w {
					t.Fatalf("%s of %d samples: output %d is %d, want %d", name, n, i-32, v, w)
				}
			}
		}
		// Beyond either end the last sample is repeated.
		at := func(s []uint8, x int) int { return int(s[min(max(x, 0), n-1)]) }
		neighbor := func(x int) int { return x/2 - 1 + x%2*2 }
		check("UpsampleH2V1", func(dst []uint8) { UpsampleH2V1(dst, near) }, func(x int) uint8 {
			return uint8((3*at(near, x/2) + at(near, neighbor(x)) + 1 + x%2) >> 2)
		})
		check("UpsampleH2V2", func(dst []uint8) { UpsampleH2V2(dst, near, far) }, func(x int) uint8 {
			sum := func(x int) int { return 3*at(near, x) + at(far, x) }
			return uint8((3*sum(x/2) + sum(neighbor(x)) + 8 - x%2) >> 4)
		})
		check("Repeat", func(dst []uint8) { Repeat(dst, near, 2) }, func(x int) uint8 { return near[x/2] })
		for y := range 2 {
			check("UpsampleH1V2", func(dst []uint8) { UpsampleH1V2(dst[:n], near, far, y); copy(dst[n:], near) },
				func(x int) uint8 {
					if x >= n {
						return near[x-n]
					}
					return uint8((3*int(near[x]) + int(far[x]) + 1 + y) >> 2)
				})
		}
	}
}

// All 2²⁴ colors, against the formula in floating point and the portable version.
func TestYCbCrToRGB(t *testing.T) {
	y, cb, cr := make([]uint8, 256), make([]uint8, 256), make([]uint8, 256)
	for i := range y {
		y[i] = uint8(i)
	}
	got, want := make([]uint8, 768), make([]uint8, 768)
	step := 1
	if testing.Short() {
		step = 5
	}
	for u := 0; u < 256; u += step {
		for v := 0; v < 256; v++ {
			for i := range cb {
				cb[i], cr[i] = uint8(u), uint8(v)
			}
			ycbcrToRGBPortable(want, y, cb, cr)
			YCbCrToRGB(got, y, cb, cr)
			if !bytes.Equal(got, want) {
				t.Fatalf("Cb %d, Cr %d: differs from the portable version", u, v)
			}
			b, r := float64(u)-128, float64(v)-128
			for i := 0; i < 256; i += 51 {
				for c, f := range [3]float64{1.402 * r, -0.344136*b - 0.714136*r, 1.772 * b} {
					f = min(max(float64(i)+f, 0), 255)
					if math.Abs(f-float64(got[3*i+c])) > 0.51 {
						t.Fatalf("Y %d, Cb %d, Cr %d: channel %d is %d, want %.3f", i, u, v, c, got[3*i+c], f)
					}
				}
			}
		}
	}
	r := rand.New(rand.NewPCG(7, 8))
	for n := range 150 {
		y, cb, cr := noise(r, n), noise(r, n), noise(r, n)
		want, got := make([]uint8, 3*n), make([]uint8, 3*n+64)
		ycbcrToRGBPortable(want, y, cb, cr)
		YCbCrToRGB(got[32:32+3*n:32+3*n], y, cb, cr)
		if !bytes.Equal(got[32:32+3*n], want) || !bytes.Equal(got[:32], make([]byte, 32)) || !bytes.Equal(got[32+3*n:], make([]byte, 32)) {
			t.Fatalf("%d pixels: differ from the portable version, or something is written beside them", n)
		}
	}
}
