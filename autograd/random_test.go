package autograd

import "testing"

// The known answers of Random123 (kat_vectors, philox4x32-10).
func TestPhiloxKnownAnswers(t *testing.T) {
	const ones = 0xffffffff
	for _, c := range []struct {
		stream stream
		i      uint64
		want   [4]uint32
	}{
		{stream{}, 0, [4]uint32{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
		{stream{key: [2]uint32{ones, ones}, high: [2]uint32{ones, ones}}, 1<<64 - 1,
			[4]uint32{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
		{stream{key: [2]uint32{0xa4093822, 0x299f31d0}, high: [2]uint32{0x13198a2e, 0x03707344}}, 0x85a308d3_243f6a88,
			[4]uint32{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
	} {
		var got [4]uint32
		got[0], got[1], got[2], got[3] = c.stream.block(c.i)
		if got != c.want {
			t.Errorf("block %x: %x, expected %x", c.i, got, c.want)
		}
	}
}

// Any part of a stream is what a longer part holds there, whatever its length.
func TestUniformParts(t *testing.T) {
	s := stream{key: [2]uint32{1, 2}, high: [2]uint32{3, 4}}
	all := make([]float32, 64)
	s.uniform(all, 0)
	for from := 0; from < 64; from += 4 {
		for n := range 64 - from {
			part := make([]float32, n)
			s.uniform(part, from)
			sameBits(t, "part", part, all[from:from+n])
		}
	}
	for _, p := range []float32{0, 0.1, 0.5, all[7], 0.999, 1} {
		for n := range 64 {
			mask := make([]float32, n)
			s.keepMask(mask, 0, p)
			for i, m := range mask {
				want := 1 / (1 - p)
				if all[i] < p {
					want = 0
				}
				if m != want {
					t.Errorf("p %v: number %v gives the factor %v, expected %v", p, all[i], m, want)
				}
			}
		}
	}
	for _, v := range all {
		if v < 0 || v >= 1 {
			t.Errorf("%v is not in [0, 1)", v)
		}
	}
}
