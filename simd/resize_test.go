package simd

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// resizeCase is a set of windows for lines of a length.
type resizeCase struct {
	name            string
	length, outputs int
	window          func(i int) (int, []int32)
}

// resizeWindows has windows of widths up to width spread over a line, with weights that add up to about 1 and go
// below 0 and above 1.
func resizeWindows(length, outputs, width int, seed uint64) resizeCase {
	rng := rand.New(rand.NewPCG(seed, uint64(length*1000+outputs)))
	first, weights := make([]int, outputs), make([][]int32, outputs)
	for i := range outputs {
		n := min(1+rng.IntN(width), length)
		first[i] = min(i*length/outputs, length-n)
		if rng.IntN(3) == 0 {
			first[i] = rng.IntN(length - n + 1)
		}
		w := make([]int32, n)
		for k := range w {
			v := (rng.Float64()*3 - 1) / float64(n) * 2 * (1 << resizeFraction)
			w[k] = int32(min(max(v, -resizeLargest), resizeLargest))
		}
		if rng.IntN(4) == 0 {
			w[rng.IntN(n)] = []int32{resizeLargest, -resizeLargest, -1, 1 << 15, 1<<15 - 1, -1 << 15, 128, -129}[rng.IntN(8)]
		}
		weights[i] = w
	}
	return resizeCase{
		fmt.Sprintf("%d→%d/width=%d", length, outputs, width), length, outputs,
		func(i int) (int, []int32) { return first[i], weights[i] },
	}
}

func (c resizeCase) taps() *ResizeTaps {
	first, start, weights := make([]int32, c.outputs), make([]int32, c.outputs+1), []int32(nil)
	for i := range c.outputs {
		at, w := c.window(i)
		weights = append(weights, w...)
		first[i], start[i+1] = int32(at), int32(len(weights))
	}
	return NewResizeTaps(c.length, first, start, weights)
}

// at is the definition: output i of a line whose positions are step samples apart.
func (c resizeCase) at(src []uint8, step, i int) uint8 {
	first, w := c.window(i)
	sum := int32(1 << 21)
	for k, v := range w {
		sum += v * int32(src[(first+k)*step]) // wraps around
	}
	return uint8(min(max(sum>>22, 0), 255))
}

// vectors says whether windows, filled up to fours, fit: then kernels are expected to run.
func (c resizeCase) vectors() bool {
	widest := 0
	for i := range c.outputs {
		_, w := c.window(i)
		widest = max(widest, len(w))
	}
	return c.length >= (widest+3)/4*4
}

var resizeCases = []resizeCase{
	resizeWindows(1, 1, 1, 1), resizeWindows(1, 7, 1, 1), resizeWindows(5, 3, 3, 1), resizeWindows(6, 9, 4, 1),
	resizeWindows(7, 4, 4, 1), resizeWindows(9, 5, 5, 2), resizeWindows(10, 17, 2, 1), resizeWindows(11, 6, 8, 1),
	resizeWindows(23, 19, 23, 1), resizeWindows(64, 40, 3, 1), resizeWindows(100, 33, 12, 1), resizeWindows(131, 7, 60, 1),
	resizeWindows(500, 224, 9, 1), resizeWindows(9000, 2, 8999, 1), resizeWindows(40, 4000, 9, 1),
}

func fillSamples(s []uint8, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, uint64(len(s))))
	for i := range s {
		s[i] = [4]uint8{0, 255, uint8(rng.Uint32()), uint8(rng.Uint32())}[rng.IntN(4)]
	}
}

// Every level gives the bytes of the definition, touches nothing outside its slices, and writes nothing between rows.
func TestResizeRows(t *testing.T) {
	srcMemory, dstMemory := newGuarded(t, 1<<20), newGuarded(t, 1<<20)
	onLevels(t, Levels(), func(t *testing.T) {
		for _, c := range resizeCases {
			taps := c.taps()
			if (taps.vector != nil) != (Current() != Generic && c.vectors()) {
				t.Fatalf("%s: kernel runs: %v", c.name, taps.vector != nil)
			}
			for _, channels := range []int{1, 3, 4} {
				for _, rows := range []int{1, 2, 5} { // a group of kernels is two or four
					for gap := range 2 {
						in, out := channels*c.length, channels*c.outputs
						for _, atEnd := range []bool{true, false} {
							src := srcMemory.samples((rows-1)*(in+gap)+in, atEnd)
							dst := dstMemory.samples((rows-1)*(out+gap)+out, atEnd)
							fillSamples(src, 3)
							for i := range dst {
								dst[i] = 77
							}
							ResizeRows(dst, out+gap, src, in+gap, rows, channels, taps)
							for y := range rows {
								for x := range out {
									want := c.at(src[y*(in+gap)+x%channels:], channels, x/channels)
									if got := dst[y*(out+gap)+x]; got != want {
										t.Fatalf("%s, %d channels, %d rows: sample %d of row %d is %d, want %d", c.name, channels, rows, x, y, got, want)
									}
								}
								if gap > 0 && y+1 < rows && dst[y*(out+gap)+out] != 77 {
									t.Fatalf("%s, %d channels: wrote past row %d", c.name, channels, y)
								}
							}
						}
					}
				}
			}
		}
	})
}

func TestResizeColumns(t *testing.T) {
	srcMemory, dstMemory := newGuarded(t, 1<<20), newGuarded(t, 1<<20)
	onLevels(t, Levels(), func(t *testing.T) {
		for _, c := range resizeCases {
			taps := c.taps()
			for _, n := range []int{0, 1, 15, 16, 17, 31, 32, 33, 64, 65, 200} {
				if n > 64 && c.length*n > 1<<19 {
					continue
				}
				for gap := range 2 {
					for _, atEnd := range []bool{true, false} {
						src := srcMemory.samples(max(0, (c.length-1)*(n+gap)+n), atEnd)
						fillSamples(src, 4)
						from, to := c.outputs/3, min(c.outputs, c.outputs/3+9)
						rows := to - from
						dst := dstMemory.samples(max(0, (rows-1)*(n+gap)+n), atEnd)
						for i := range dst {
							dst[i] = 77
						}
						ResizeColumns(dst, n+gap, src, n+gap, n, taps, from, to)
						for i := range rows {
							for x := range n {
								want := c.at(src[x:], n+gap, from+i)
								if got := dst[i*(n+gap)+x]; got != want {
									t.Fatalf("%s, n = %d: column %d of output %d is %d, want %d", c.name, n, x, from+i, got, want)
								}
							}
							if gap > 0 && i+1 < rows && dst[i*(n+gap)+n] != 77 {
								t.Fatalf("%s, n = %d: wrote past row %d", c.name, n, i)
							}
						}
					}
				}
			}
		}
	})
}

// Weights that vector kernels cannot hold go through plain Go.
func TestResizeLargeWeights(t *testing.T) {
	for _, big := range []int32{resizeLargest + 1, -resizeLargest - 1, 1<<31 - 1, -1 << 31} {
		c := resizeCase{"large", 30, 5, func(i int) (int, []int32) { return i, []int32{big, 5, -big, 1 << 20} }}
		src, dst := make([]uint8, 90), make([]uint8, 15)
		fillSamples(src, 5)
		onLevels(t, Levels(), func(t *testing.T) {
			ResizeRows(dst, 15, src, 90, 1, 3, c.taps())
			for x, got := range dst {
				if want := c.at(src[x%3:], 3, x/3); got != want {
					t.Fatalf("%d: sample %d is %d, want %d", big, x, got, want)
				}
			}
		})
	}
}

func TestResizePanics(t *testing.T) {
	taps := NewResizeTaps(10, []int32{0, 1, 2, 3}, []int32{0, 2, 4, 6, 8}, make([]int32, 8))
	window := func(first, n int32) func() {
		return func() { NewResizeTaps(10, []int32{first}, []int32{0, n}, make([]int32, n)) }
	}
	s := make([]uint8, 100)
	for want, f := range map[string]func(){
		"0 samples from 3":       window(3, 0),
		"3 samples from -1":      window(-1, 3),
		"3 samples from 8":       window(8, 3),
		"2 weights and 2 starts": func() { NewResizeTaps(10, []int32{0}, []int32{0, 3}, make([]int32, 2)) },
		"1 starts":               func() { NewResizeTaps(10, []int32{0}, []int32{0}, nil) },
		"-1 samples from 2":      func() { NewResizeTaps(10, []int32{0, 2, 0}, []int32{0, 3, 2, 3}, make([]int32, 3)) },
		"9 samples from 0":       func() { NewResizeTaps(10, []int32{0, 0}, []int32{0, 9, 3}, make([]int32, 3)) },
		"2 channels":             func() { ResizeRows(s, 50, s, 50, 1, 2, taps) },
		"dst has 11 samples":     func() { ResizeRows(s[:11], 12, s, 50, 1, 3, taps) },
		"src has 59 samples":     func() { ResizeRows(s, 12, s[:59], 30, 2, 3, taps) },
		"dst has 2 rows of 12":   func() { ResizeRows(s, 11, s, 30, 2, 3, taps) },
		"outputs [1, 5) of 4":    func() { ResizeColumns(s, 3, s, 3, 3, taps, 1, 5) },
		"src has 29 samples":     func() { ResizeColumns(s, 3, s[:29], 3, 3, taps, 0, 4) },
		"dst has 5 samples":      func() { ResizeColumns(s[:5], 3, s, 3, 3, taps, 2, 4) },
		"src has 10 rows of 3":   func() { ResizeColumns(s, 3, s, 2, 3, taps, 0, 1) },
		"src has -1 rows":        func() { ResizeRows(s, 12, s, 30, -1, 3, taps) },
		"dst has 1 rows of -1":   func() { ResizeColumns(s, 3, s, 3, -1, taps, 0, 1) },
	} {
		func() {
			defer func() {
				if got := fmt.Sprint(recover()); !strings.Contains(got, want) && !strings.Contains(got, "-1 rows") {
					t.Errorf("panic %q, want %q", got, want)
				}
			}()
			f()
		}()
	}
}

// Halving a row with a box: each output is the mean of two pixels.
func ExampleResizeRows() {
	const half = 1 << 21
	taps := NewResizeTaps(4, []int32{0, 2}, []int32{0, 2, 4}, []int32{half, half, half, half})
	src := []uint8{10, 100, 0, 20, 200, 0, 7, 7, 7, 8, 8, 9} // four pixels: red, green, blue
	dst := make([]uint8, 6)
	ResizeRows(dst, 6, src, 12, 1, 3, taps)
	fmt.Println(dst)
	// Output: [15 150 0 8 8 8]
}

func BenchmarkResize(b *testing.B) {
	const w, h = 4000, 64
	src, dst := make([]uint8, 3*w*h), make([]uint8, 4*w*h)
	fillSamples(src, 1)
	for _, width := range []int{4, 12, 36, 108} {
		for _, l := range Levels() {
			restore := SetLevel(l)
			even := func(length int) resizeCase { // windows that overlap by half, as a triangle's do
				weights := make([]int32, width)
				outputs := (length-width)*2/width + 1
				return resizeCase{"", length, outputs, func(i int) (int, []int32) { return i * width / 2, weights }}
			}
			rows, columns := even(w), even(4*h)
			r, c := rows.taps(), columns.taps()
			b.Run(fmt.Sprintf("rows/taps=%d/%s", width, l), func(b *testing.B) {
				for b.Loop() {
					ResizeRows(dst, 3*rows.outputs, src, 3*w, h, 3, r)
				}
				b.ReportMetric(float64(3*h*r.Products())*float64(b.N)/float64(b.Elapsed().Nanoseconds()), "products/ns")
			})
			b.Run(fmt.Sprintf("columns/taps=%d/%s", width, l), func(b *testing.B) {
				for b.Loop() {
					ResizeColumns(dst, 672, src, 672, 672, c, 0, columns.outputs)
				}
				b.ReportMetric(float64(672*c.Products())*float64(b.N)/float64(b.Elapsed().Nanoseconds()), "products/ns")
			})
			restore()
		}
	}
}
