package autograd

import (
	"math"
	"math/bits"
)

// stream is a source of random numbers addressed by position and keyed by (seed, step, operation). Any thread
// can draw any part of it again, in any order. The generator is Philox 4×32-10 (Salmon et al., "Parallel random
// numbers: as easy as 1, 2, 3", SC 2011).
type stream struct {
	key  [2]uint32
	high [2]uint32
}

// stream opens the next random operation's stream.
func (t *Tape) stream() stream {
	op := t.draws
	t.draws++
	seed := t.opts.Seed ^ bits.RotateLeft64(op*0x9E3779B97F4A7C15, 31)
	return stream{
		key:  [2]uint32{uint32(seed), uint32(seed >> 32)},
		high: [2]uint32{uint32(t.opts.Step), uint32(t.opts.Step >> 32)},
	}
}

// block returns the four words at position i.
func (s stream) block(i uint64) (w0, w1, w2, w3 uint32) {
	// Scalars, because the compiler keeps arrays in memory.
	c0, c1, c2, c3 := uint32(i), uint32(i>>32), s.high[0], s.high[1]
	k0, k1 := s.key[0], s.key[1]
	for range 10 {
		p0 := uint64(c0) * 0xD2511F53
		p1 := uint64(c2) * 0xCD9E8D57
		c0, c1, c2, c3 = uint32(p1>>32)^c1^k0, uint32(p1), uint32(p0>>32)^c3^k1, uint32(p0)
		k0 += 0x9E3779B9
		k1 += 0xBB67AE85
	}
	return c0, c1, c2, c3
}

// uniform fills dst with the numbers in [0, 1) at positions from, from+1, …; from is a multiple of 4.
func (s stream) uniform(dst []float32, from int) {
	i := 0
	for ; i+4 <= len(dst); i += 4 {
		w0, w1, w2, w3 := s.block(uint64(from+i) / 4)
		d := dst[i : i+4 : i+4]
		d[0], d[1], d[2], d[3] = fraction(w0), fraction(w1), fraction(w2), fraction(w3)
	}
	if i < len(dst) {
		w0, w1, w2, _ := s.block(uint64(from+i) / 4)
		last := [3]float32{fraction(w0), fraction(w1), fraction(w2)}
		copy(dst[i:], last[:])
	}
}

// fraction turns a word into a number in [0, 1) that has its top 24 bits.
func fraction(w uint32) float32 { return float32(int32(w>>8)) * (1.0 / (1 << 24)) }

// Uniform returns a Tensor of random numbers in [0, 1), drawn from the tape's stream.
func (t *Tape) Uniform(shape ...int) *Tensor {
	s := t.stream()
	x := t.newTensor("uniform", shape)
	t.each(len(x.data), 4, func(lo, hi int) { s.uniform(x.data[lo:hi], lo) })
	return x
}

// keepMask fills mask with 1/(1-p) where an element is kept and 0 where it is dropped: where uniform gives
// a number below p.
func (s stream) keepMask(mask []float32, from int, p float32) {
	k := keeper{least: int32(math.Ceil(float64(p) * (1 << 24))), scale: math.Float32bits(1 / (1 - p))}
	i := 0
	for ; i+4 <= len(mask); i += 4 {
		w0, w1, w2, w3 := s.block(uint64(from+i) / 4)
		d := mask[i : i+4 : i+4]
		d[0], d[1], d[2], d[3] = k.factor(w0), k.factor(w1), k.factor(w2), k.factor(w3)
	}
	if i < len(mask) {
		w0, w1, w2, _ := s.block(uint64(from+i) / 4)
		last := [3]float32{k.factor(w0), k.factor(w1), k.factor(w2)}
		copy(mask[i:], last[:])
	}
}

// keeper turns words into factors without a branch, which would often be mispredicted.
type keeper struct {
	least int32  // the least 24-bit fraction that is kept
	scale uint32 // the bits of the factor
}

func (k keeper) factor(w uint32) float32 {
	dropped := uint32((int32(w>>8) - k.least) >> 31)
	return math.Float32frombits(k.scale &^ dropped)
}
