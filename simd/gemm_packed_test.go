package simd

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// rowsOf reads a matrix for PackRows.
func rowsOf(x Matrix) func(dst []float32, i, j int) {
	return func(dst []float32, i, j int) { copy(dst, x.Data[i*x.Stride+j:]) }
}

// ofFormat rounds numbers to a format.
func ofFormat(f Format, x []float32) {
	h := make([]uint16, len(x))
	switch f {
	case FormatF16:
		F32ToF16(h, x)
		F16ToF32(x, h)
	case FormatBF16:
		F32ToBF16(h, x)
		BF16ToF32(x, h)
	}
}

// A matrix packed from rows, in any format, gives the products of its numbers bit for bit.
func TestPackRowsBits(t *testing.T) {
	count := 200
	if testing.Short() {
		count = 40
	}
	gemmLevels(t, func(t *testing.T, kern *gemmKernel) {
		rng := rand.New(rand.NewPCG(11, 11))
		workers := []*Workers{nil, NewWorkers(2), NewWorkers(3)}
		for i := range count {
			m, n, k := sizes(rng, kern)
			switch i % 20 {
			case 0, 1, 2:
				m = 1
			case 3: // several K blocks and groups of panels
				m, n, k = 3*kern.mr, 700, 2*kern.kc+5
			}
			format := Format(i % 3)
			a := Matrix{Data: randomFloats(m*k, uint64(i)), Stride: k}
			b := Matrix{Trans: rng.IntN(2) == 0, Stride: n + 3}
			if b.Trans {
				b.Stride = k + 3
			}
			b.Data = randomFloats((n+k+3)*b.Stride, uint64(i+1))
			ofFormat(format, b.Data)
			ep := &Epilogue{Bias: randomFloats(n, 3), Act: ActGelu}
			want := make([]float32, m*n)
			GemmPacked(nil, m, a, Pack(nil, k, n, b, PackOptions{}), 0, want, n, ep)
			for _, w := range workers {
				c := make([]float32, m*n)
				GemmPacked(w, m, a, PackRows(w, k, n, b.Trans, rowsOf(b), PackOptions{Format: format}), 0, c, n, ep)
				for i, v := range c {
					if math.Float32bits(v) != math.Float32bits(want[i]) {
						t.Fatalf("m=%d n=%d k=%d trans=%t %v on %d threads: [%d] = %x, want %x",
							m, n, k, b.Trans, format, w.Limit(), i, v, want[i])
					}
				}
			}
		}
	})
}

// Few rows are multiplied by kernels that widen half precision as they load it. They exist for every height, and
// give the bits of the widened numbers. A transposed A takes the path of many rows.
func TestPackRowsHeights(t *testing.T) {
	const k, n = 300, 203
	gemmLevels(t, func(t *testing.T, kern *gemmKernel) {
		for _, format := range []Format{FormatF16, FormatBF16} {
			b := Matrix{Data: randomFloats(k*n, 5), Stride: k, Trans: true}
			ofFormat(format, b.Data)
			half, full := PackRows(nil, k, n, true, rowsOf(b), PackOptions{Format: format}), Pack(nil, k, n, b, PackOptions{})
			for m := 1; m <= 2*kern.mr+1; m++ {
				for _, a := range []Matrix{{Stride: k + 2}, {Stride: m, Trans: true}} {
					a.Data = randomFloats(m*(k+2), uint64(m))
					got, want := randomFloats(m*n, 9), randomFloats(m*n, 9)
					GemmPacked(nil, m, a, half, 1, got, n, nil)
					GemmPacked(nil, m, a, full, 1, want, n, nil)
					for i, v := range got {
						if math.Float32bits(v) != math.Float32bits(want[i]) {
							t.Fatalf("m=%d %v trans=%t: [%d] = %x, want %x", m, format, a.Trans, i, v, want[i])
						}
					}
				}
			}
		}
	})
}

// Infinities, denormals and NaN survive in half precision.
func TestPackRowsSpecial(t *testing.T) {
	gemmLevels(t, func(t *testing.T, kern *gemmKernel) {
		inf, nan := float32(math.Inf(1)), float32(math.NaN())
		for _, c := range []struct {
			format Format
			row    []float32
		}{
			{FormatF16, []float32{0x1p-24, 65504, inf, -inf, nan, -0x1.ff8p-15}},
			{FormatBF16, []float32{0x1p-133, 0x1.fep127, inf, -inf, nan, -0x1.2p-130}},
		} {
			b := Matrix{Data: c.row, Stride: len(c.row)}
			got := make([]float32, len(c.row))
			GemmPacked(nil, 1, Matrix{Data: []float32{1}, Stride: 1}, PackRows(nil, 1, len(c.row), false, rowsOf(b), PackOptions{Format: c.format}), 0, got, len(got), nil)
			for i, v := range got {
				if v != c.row[i] && (v == v || c.row[i] == c.row[i]) {
					t.Errorf("%v: %g became %g", c.format, c.row[i], v)
				}
			}
		}
	})
}

// Memory of the caller may begin anywhere.
func TestPackMemory(t *testing.T) {
	const m, k, n = 3, 300, 45
	a, b := Matrix{Data: randomFloats(m*k, 1), Stride: k}, Matrix{Data: randomFloats(n*k, 2), Stride: k, Trans: true}
	want, got := make([]float32, m*n), make([]float32, m*n)
	GemmPacked(nil, m, a, Pack(nil, k, n, b, PackOptions{}), 0, want, n, nil)
	for from := range 5 {
		memory := make([]float32, from+PackedLen(k, n))[from:]
		GemmPacked(nil, m, a, Pack(nil, k, n, b, PackOptions{Memory: memory}), 0, got, n, nil)
		for i, v := range got {
			if v != want[i] {
				t.Fatalf("from %d: [%d] = %v, want %v", from, i, v, want[i])
			}
		}
	}
	Pack(nil, 0, 5, Matrix{}, PackOptions{Memory: make([]float32, PackedLen(0, 5))})
	defer func() {
		if v := recover(); v == nil || !strings.Contains(fmt.Sprint(v), "memory has") {
			t.Errorf("found %v", v)
		}
	}()
	Pack(nil, k, n, b, PackOptions{Memory: make([]float32, PackedLen(k, n)-1)})
}

func TestPackRowsSize(t *testing.T) {
	b := Matrix{Data: randomFloats(96*64, 1), Stride: 64, Trans: true}
	full, half := PackRows(nil, 64, 96, true, rowsOf(b), PackOptions{}), PackRows(nil, 64, 96, true, rowsOf(b), PackOptions{Format: FormatBF16})
	if !slices.Equal(half.half, Pack(nil, 64, 96, b, PackOptions{Format: FormatBF16}).half) {
		t.Error("Pack and PackRows differ in half precision")
	}
	if full.Bytes() != Pack(nil, 64, 96, b, PackOptions{}).Bytes() || 2*half.Bytes() != full.Bytes() {
		t.Errorf("%d and %d bytes for %d numbers", full.Bytes(), half.Bytes(), 96*64)
	}
	if k, n := half.Dims(); k != 64 || n != 96 {
		t.Errorf("Dims() = %d, %d", k, n)
	}
	empty := PackRows(nil, 0, 5, false, nil, PackOptions{Format: FormatF16})
	c := []float32{1, 2, 3, 4, 5}
	GemmPacked(nil, 1, Matrix{}, empty, 0, c, 5, nil)
	if c[0] != 0 || c[4] != 0 {
		t.Errorf("an empty product is %v", c)
	}
	defer func() {
		if v := recover(); v == nil || !strings.Contains(fmt.Sprint(v), "unknown format Format(7)") {
			t.Errorf("found %v", v)
		}
	}()
	PackRows(nil, 1, 1, false, nil, PackOptions{Format: 7})
}

// BenchmarkPackedHalf times products of ViT-B's layers with weights packed in each format: the rate of half
// precision is to stay close to that of float32.
func BenchmarkPackedHalf(b *testing.B) {
	for _, s := range [][3]int{{1, 768, 3072}, {197, 768, 3072}, {1576, 768, 3072}} {
		m, k, n := s[0], s[1], s[2]
		a, w := Matrix{Data: randomFloats(m*k, 1), Stride: k}, Matrix{Data: randomFloats(n*k, 2), Stride: k, Trans: true}
		c := make([]float32, m*n)
		for f := FormatF32; f <= FormatBF16; f++ {
			packed := PackRows(nil, k, n, true, rowsOf(w), PackOptions{Format: f})
			b.Run(fmt.Sprintf("m=%d/k=%d/n=%d/%v/%v", m, k, n, f, Current()), func(b *testing.B) {
				for b.Loop() {
					GemmPacked(nil, m, a, packed, 0, c, n, nil)
				}
				b.ReportMetric(2*float64(m)*float64(n)*float64(k)*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
			})
		}
	}
}

// Threads that take tasks one after the other end together where the panels allow it.
func TestEvenTask(t *testing.T) {
	for _, c := range []struct{ panels, most, threads, want int }{
		{72, 8, 2, 6}, // 9 tasks of 8 would be 5 for one thread and 4 for the other
		{36, 12, 2, 9},
		{24, 12, 2, 12},
		{96, 8, 4, 8},
		{3, 3, 2, 2},
		{1, 1, 2, 1},
	} {
		if got := evenTask(c.panels, c.most, c.threads); got != c.want {
			t.Errorf("%d panels, at most %d in a task, %d threads: tasks of %d, expected %d", c.panels, c.most, c.threads, got, c.want)
		}
	}
}
