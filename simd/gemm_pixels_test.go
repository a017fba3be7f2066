package simd

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// eachPixels runs f on every kernel for convolutions that this machine has.
func eachPixels(t *testing.T, f func(t *testing.T, x Math, k *wordKernel)) {
	gemmLevels(t, func(t *testing.T, _ *gemmKernel) {
		for x := range mathNames {
			for _, k := range wordKernelsOf(level, Math(x)) {
				if k.pixels == nil {
					continue
				}
				t.Run(fmt.Sprint(Math(x), "/", k.name), func(t *testing.T) {
					old := pixelKernels[level][x]
					pixelKernels[level][x] = k
					defer func() { pixelKernels[level][x] = old }()
					f(t, Math(x), k)
				})
			}
		}
	})
}

// numbersOf returns what the words of pixels stand for, channel after channel.
func numbersOf(k *wordKernel, words []float32) (channels [][]float64) {
	for q := range k.numbers {
		row := make([]float64, len(words))
		for j, w := range words {
			bits := math.Float32bits(w) ^ k.flip
			switch {
			case !k.integers:
				row[j] = float64(math.Float32frombits(bits >> (16 * q) << 16))
			case k.numbers == 2:
				row[j] = float64(int16(bits >> (16 * q)))
			default:
				row[j] = float64(int8(bits >> (8 * q)))
			}
		}
		channels = append(channels, row)
	}
	return channels
}

// Words of pixels have their numbers, rounded; the words around them keep what was there.
func TestPixelRows(t *testing.T) {
	eachPixels(t, func(t *testing.T, x Math, k *wordKernel) {
		rng := rand.New(rand.NewPCG(1, 2))
		for range 200 {
			rows, cols, step := 1+rng.IntN(4), 1+rng.IntN(70), 1+rng.IntN(3)
			stride := (cols-1)*step + 1 + rng.IntN(5)
			var src [][]float32
			largest := float32(0)
			for range 1 + rng.IntN(k.numbers) {
				src = append(src, randomFloats((rows-1)*stride+(cols-1)*step+1, rng.Uint64()))
				largest = max(largest, Largest(src[len(src)-1]))
			}
			inverses := make([]float32, rows*cols)
			for i := range inverses {
				inverses[i] = 127 / largest / float32(1+rng.IntN(3))
			}
			width := cols + rng.IntN(4)
			dst := make([]float32, rows*width+3)
			Fill(dst, 7)
			x.PixelRows(dst, width, src, stride, rows, cols, step, inverses, cols)
			for i, v := range dst {
				if r, c := i/width, i%width; r >= rows || c >= cols {
					if v != 7 {
						t.Fatalf("%d rows of %d, stride %d: word %d was written", rows, cols, width, i)
					}
					continue
				}
				for q, got := range numbersOf(k, dst[i:i+1]) {
					want := 0.
					if q < len(src) {
						p := src[q][i/width*stride+i%width*step]
						want = float64(toBF16(p))
						if k.integers {
							want = math.RoundToEven(float64(p * inverses[i/width*cols+i%width]))
						}
					}
					if got[0] != want {
						t.Fatalf("channel %d of word %d is %g, want %g", q, i, got[0], want)
					}
				}
			}
		}
		zero := x.PixelZero()
		for q, v := range numbersOf(k, []float32{zero}) {
			if v[0] != 0 {
				t.Errorf("channel %d of the word of zeros is %g", q, v[0])
			}
		}
	})
}

// A product of words has the sums of the numbers in them: exact for Int8; for BF16, up to the rounding of sums. Threads and
// neighbors change no bit.
func TestGemmPixels(t *testing.T) {
	count := 150
	if testing.Short() {
		count = 25
	}
	eachPixels(t, func(t *testing.T, x Math, k *wordKernel) {
		rng := rand.New(rand.NewPCG(3, 4))
		for range count {
			m, n, _ := sizes(rng, k.kern)
			m, n = max(1, m), max(1, n)
			if rng.IntN(4) == 0 {
				n += 300
			}
			channels, taps := 1+rng.IntN(40), 1+rng.IntN(9)
			weight := randomFloats(m*channels*taps, rng.Uint64())
			f := x.PackPixels(NewWorkers(2), m, channels, taps, weight, nil)
			words := ceilDiv(channels, k.numbers) * taps
			b := &Gather{Width: 1 + rng.IntN(40), From: rng.IntN(20)}
			b.Pitch = b.Width + rng.IntN(4)
			for range taps {
				b.Window = append(b.Window, rng.IntN(70))
			}
			b.Plane = 70 + b.Pitch*(ceilDiv(b.From+n, b.Width)+1)
			planes := ceilDiv(channels, k.numbers)
			pixels := make([][]float32, channels)
			largest := float32(0)
			for c := range pixels {
				pixels[c] = randomFloats(b.Plane, rng.Uint64())
				largest = max(largest, Largest(pixels[c]))
			}
			scale, inverse := scales(math.Float32bits(largest))
			inverses := make([]float32, b.Plane)
			Fill(inverses, inverse)
			b.Data = make([]float32, planes*b.Plane+GatherSlack)
			for p := range planes {
				x.PixelRows(b.Data[p*b.Plane:], b.Plane, pixels[p*k.numbers:min(channels, (p+1)*k.numbers)], b.Plane, 1, b.Plane, 1, inverses, 0)
			}
			var scaleOf []float32
			if k.integers {
				scaleOf = make([]float32, n)
				Fill(scaleOf, scale)
			}
			block := taps * (1 + rng.IntN(planes))
			c := make([]float32, m*n)
			GemmPixels(nil, n, f, 0, words, b, scaleOf, block, 0, c, n, nil)
			for i := range m {
				filter := weight[i*channels*taps:][:channels*taps]
				codes, ws := quantize(filter)
				for _, j := range []int{0, n / 2, n - 1, rng.IntN(n)} {
					var sum, size float64
					var whole int64
					for ch := range channels {
						for tap := range taps {
							p := pixels[ch][b.Window[tap]+b.position(b.From+j)]
							if k.integers {
								whole += codes[ch*taps+tap] * int64(math.RoundToEven(float64(p*inverse)))
								continue
							}
							v := float64(toBF16(p)) * float64(toBF16(filter[ch*taps+tap]))
							sum, size = sum+v, size+math.Abs(v)
						}
					}
					got := c[i*n+j]
					if k.integers {
						if want := float32(whole) * ws * scale; got != want {
							t.Fatalf("m=%d n=%d, %d channels, %d taps: C[%d, %d] = %g, want %g", m, n, channels, taps, i, j, got, want)
						}
					} else if math.Abs(float64(got)-sum) > float64(words+2)*0x1p-22*size+0x1p-100 {
						t.Fatalf("m=%d n=%d, %d channels, %d taps: C[%d, %d] = %g, want %g", m, n, channels, taps, i, j, got, sum)
					}
				}
			}
			again := make([]float32, m*n)
			GemmPixels(NewWorkers(3), n, f, 0, words, b, scaleOf, block, 0, again, n, nil)
			if !slices.Equal(again, c) {
				t.Fatalf("m=%d n=%d: threads change the result", m, n)
			}
			if !k.integers && words > block { // a sum in two parts
				GemmPixels(nil, n, f, 0, block, b, nil, block, 0, again, n, nil)
				part := *b
				part.Data = b.Data[block/taps*b.Plane:]
				GemmPixels(nil, n, f, block, words-block, &part, nil, block, 1, again, n, nil)
				if !slices.Equal(again, c) {
					t.Fatalf("m=%d n=%d: parts of the filters change the result", m, n)
				}
			}
		}
	})
}

// Magnitudes of columns are joined, NaN being the largest.
func TestLargestRows(t *testing.T) {
	gemmLevels(t, func(t *testing.T, _ *gemmKernel) {
		for n := range 70 {
			x, dst := randomFloats(n, uint64(n)), make([]float32, n+2)
			for i := range n {
				if i%5 == 0 {
					dst[i] = .5
				}
			}
			if n > 3 {
				x[3] = float32(math.NaN())
			}
			want := slices.Clone(dst)
			for i, v := range x {
				want[i] = max(want[i], float32(math.Abs(float64(v))))
			}
			LargestRows(dst[:n], x)
			for i, v := range dst {
				if v != want[i] && want[i] == want[i] {
					t.Fatalf("%d of %d is %g, want %g", i, n, v, want[i])
				}
			}
		}
	})
}
