package simd

import (
	"math"
	"math/rand/v2"
	"testing"
	"unsafe"
)

// A wordProduct is what tiles of words compute.
type wordProduct struct {
	name    string
	product productNEON
	pairs   bool // words lie in pairs
	has     bool
	add     func(sum, a, b uint32) uint32 // sum += a·b, of one word of A and one of B
	join    func(x, y uint32) uint32      // x + y
}

var wordProducts = []wordProduct{
	{"bfmmla", productBfmmla, true, features.bf16, addBF16, addFloats},
	{"smmla", productSmmla, true, features.i8mm, addInt8, addInts},
	{"sdot", productSdot, false, features.dot, addInt8, addInts},
	{"smlal", productSmlal, false, true, addInt16, addInts},
}

func addInts(a, b uint32) uint32 { return a + b }

func addFloats(a, b uint32) uint32 {
	return math.Float32bits(math.Float32frombits(a) + math.Float32frombits(b))
}

func addInt8(sum, a, b uint32) uint32 {
	for i := 0; i < 32; i += 8 {
		sum += uint32(int32(int8(a>>i)) * int32(int8(b>>i)))
	}
	return sum
}

func addInt16(sum, a, b uint32) uint32 {
	for i := 0; i < 32; i += 16 {
		sum += uint32(int32(int16(a>>i)) * int32(int16(b>>i)))
	}
	return sum
}

// addBF16 follows BFDotAdd of the Arm Architecture Reference Manual, with FPCR.EBF = 0. BFMMLA adds the products of its
// two words so, one after the other.
func addBF16(sum, a, b uint32) uint32 {
	float := func(x uint32) float32 { return flushed(math.Float32frombits(x)) }
	low := roundToOdd(float64(float(a<<16))*float64(float(b<<16)), 0)
	high := roundToOdd(float64(float(a&^0xffff))*float64(float(b&^0xffff)), 0)
	return math.Float32bits(addToOdd(float(sum), addToOdd(low, high)))
}

func flushed(x float32) float32 {
	if math.Abs(float64(x)) < 0x1p-126 {
		return float32(math.Copysign(0, float64(x)))
	}
	return x
}

func addToOdd(x, y float32) float32 {
	a, b := float64(x), float64(y)
	sum := a + b
	rest := sum - a
	return roundToOdd(sum, (a-(sum-rest))+(b-rest)) // the second is what the sum lacks
}

// roundToOdd cuts sum + rest off to float32 and sets the last bit if that changes it. Denormal numbers become 0.
func roundToOdd(sum, rest float64) float32 {
	switch size := math.Abs(sum); {
	case math.IsNaN(sum):
		return math.Float32frombits(0x7fc00000)
	case size >= 0x1p128 || size < 0x1p-126:
		return flushed(float32(sum))
	}
	bits := math.Float64bits(sum)
	if rest != 0 && rest < 0 == (sum > 0) {
		bits-- // between the number below and this one
	}
	cut := bits &^ (1<<29 - 1)
	r := math.Float32bits(float32(math.Float64frombits(cut)))
	if cut != math.Float64bits(sum) || rest != 0 {
		r |= 1
	}
	return math.Float32frombits(r)
}

// Tiles of words compute what their instruction says, in every size, and write nothing else.
func TestWordTiles(t *testing.T) {
	count := 600
	if testing.Short() {
		count = 150
	}
	for _, p := range wordProducts {
		t.Run(p.name, func(t *testing.T) {
			if !p.has {
				t.Skip("this CPU lacks the instruction")
			}
			rng := rand.New(rand.NewPCG(1, 2))
			word := rng.Uint32
			if p.product == productBfmmla {
				word = func() uint32 { return halfBF16(rng) | halfBF16(rng)<<16 }
			}
			for range count {
				checkWordTile(t, rng, word, p)
			}
		})
	}
}

// halfBF16 draws a bfloat16: seldom any, mostly one of those whose sums neither overflow nor vanish.
func halfBF16(rng *rand.Rand) uint32 {
	if rng.IntN(300) == 0 {
		return rng.Uint32() >> 16
	}
	return math.Float32bits(float32(rng.NormFloat64())) >> 16
}

func checkWordTile(t *testing.T, rng *rand.Rand, word func() uint32, p wordProduct) {
	const mr, nr = rowsNEON, colsNEON
	rows, cols, tiles := 1+rng.IntN(mr), 1+rng.IntN(nr), 1+rng.IntN(2)
	k, chain := 1+rng.IntN(40), 2*(1+rng.IntN(30))
	if p.pairs {
		k += k % 2
	}
	// at is the index of an element of a panel.
	at := func(q, i, width int) int {
		if p.pairs {
			return q&^1*width + 2*i + q&1
		}
		return q*width + i
	}
	draw := func(n int) []uint32 {
		s := make([]uint32, n)
		for i := range s {
			s[i] = word()
		}
		return s
	}
	ldc, accum := cols+rng.IntN(3), rng.IntN(2)
	a, b, part := draw(tiles*k*mr), draw(k*nr), draw(tileMost)
	c := draw((tiles*rows-1)*ldc + cols)
	want := append([]uint32(nil), c...)
	for i := range tiles * rows {
		for j := range cols {
			var sum uint32
			for q0 := 0; q0 < k; q0 += chain {
				var s uint32
				for q := q0; q < min(q0+chain, k); q++ {
					s = p.add(s, a[i/rows*k*mr+at(q, i%rows, mr)], b[at(q, j, nr)])
				}
				if q0 == 0 {
					sum = s
				} else {
					sum = p.join(s, sum)
				}
			}
			if accum != 0 {
				sum = p.join(sum, c[i*ldc+j])
			}
			want[i*ldc+j] = sum
		}
	}
	p.product.multiply(&gemmTile{
		a: unsafe.Pointer(&a[0]), b: unsafe.Pointer(&b[0]), c: unsafe.Pointer(&c[0]), part: unsafe.Pointer(&part[0]),
		k: k, chain: chain, atile: 4 * k * mr, brs: 4 * nr, ldc: 4 * ldc, tiles: tiles, rows: rows, cols: cols, accum: accum,
	})
	for i, w := range want {
		nan := p.product == productBfmmla && isNaN32(w) && isNaN32(c[i])
		if c[i] != w && !nan {
			t.Fatalf("%d tiles of %d×%d, k=%d in chains of %d, accum %d: C[%d, %d] = %08x, want %08x",
				tiles, rows, cols, k, chain, accum, i/ldc, i%ldc, c[i], w)
		}
	}
}

func isNaN32(x uint32) bool { return x&^(1<<31) > 0x7f800000 }
