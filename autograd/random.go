package autograd

import "math/bits"

// stream is a source of random numbers addressed by position, keyed by (seed, step, operation): any part
// of it can be drawn again, by any thread, in any order. The generator is Philox 4×32-10 (Salmon et al.,
// "Parallel random numbers: as easy as 1, 2, 3", SC 2011).
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
func (s stream) block(i uint64) [4]uint32 {
	c := [4]uint32{uint32(i), uint32(i >> 32), s.high[0], s.high[1]}
	k0, k1 := s.key[0], s.key[1]
	for range 10 {
		p0 := uint64(c[0]) * 0xD2511F53
		p1 := uint64(c[2]) * 0xCD9E8D57
		c = [4]uint32{uint32(p1>>32) ^ c[1] ^ k0, uint32(p1), uint32(p0>>32) ^ c[3] ^ k1, uint32(p0)}
		k0 += 0x9E3779B9
		k1 += 0xBB67AE85
	}
	return c
}

// uniform fills dst with the numbers in [0, 1) at positions from, from+1, …; from is a multiple of 4.
func (s stream) uniform(dst []float32, from int) {
	for i := 0; i < len(dst); i += 4 {
		w := s.block(uint64(from+i) / 4)
		for j := 0; j < 4 && i+j < len(dst); j++ {
			dst[i+j] = float32(w[j]>>8) * (1.0 / (1 << 24))
		}
	}
}

// Uniform returns a Tensor of random numbers in [0, 1), drawn from the tape's stream.
func (t *Tape) Uniform(shape ...int) *Tensor {
	s := t.stream()
	x := t.newTensor("uniform", shape)
	t.each(len(x.data), 4, func(lo, hi int) { s.uniform(x.data[lo:hi], lo) })
	return x
}

// keepMask fills mask with 1/(1-p) where an element is kept and 0 where it is dropped.
func (s stream) keepMask(mask []float32, from int, p float32) {
	s.uniform(mask, from)
	scale := 1 / (1 - p)
	for i, u := range mask {
		if u < p {
			mask[i] = 0
		} else {
			mask[i] = scale
		}
	}
}
