package jpeg

// Chroma is mostly stored at half the resolution of brightness. libjpeg interpolates it linearly between the centers of
// samples, with its own rounding. At other ratios it repeats samples. The functions of this file make one full row of
// one or two rows of at least two samples.

// An upsampling says how a component gets one sample per pixel.
type upsampling struct {
	h, v   int  // pixels per sample
	smooth bool // interpolated rather than repeated
}

// chooseUpsampling decides as libjpeg does: factors of two are interpolated, except across fewer than three samples.
func chooseUpsampling(h, v, width int) upsampling {
	smooth := h == 2 && v <= 2 && width > 2 || h == 1 && v == 2
	return upsampling{h, v, smooth}
}

// context reports whether a row of pixels takes samples from the row above or below the one that covers it.
func (u upsampling) context() bool { return u.smooth && u.v == 2 }

// UpsampleH2V1 doubles a row of at least two samples: each output is 3/4 of the nearer sample and 1/4 of the
// further one. The rounding alternates so that halves go up and down equally often. dst holds 2·len(src).
func UpsampleH2V1(dst, src []uint8) {
	n := len(src)
	dst = dst[:2*n]
	dst[0] = src[0]
	dst[1] = uint8((3*uint32(src[0]) + uint32(src[1]) + 2) >> 2)
	upsampleH2V1(dst, src)
	dst[2*n-2] = uint8((3*uint32(src[n-1]) + uint32(src[n-2]) + 1) >> 2)
	dst[2*n-1] = src[n-1]
}

// inner is the outputs of all samples of src but the first and the last.
func upsampleH2V1Portable(dst, src []uint8, from, to int) {
	for x := from; x < to; x++ {
		v := 3 * uint32(src[x])
		dst[2*x] = uint8((v + uint32(src[x-1]) + 1) >> 2)
		dst[2*x+1] = uint8((v + uint32(src[x+1]) + 2) >> 2)
	}
}

// UpsampleH2V2 makes one row of twice the width out of two rows of at least two samples: the one that covers it and the
// next nearest. The weights are 9/16, 3/16, 3/16 and 1/16.
func UpsampleH2V2(dst, near, far []uint8) {
	n := len(near)
	dst, far = dst[:2*n], far[:n]
	sum := func(x int) uint32 { return 3*uint32(near[x]) + uint32(far[x]) }
	dst[0] = uint8((4*sum(0) + 8) >> 4)
	dst[1] = uint8((3*sum(0) + sum(1) + 7) >> 4)
	upsampleH2V2(dst, near, far)
	dst[2*n-2] = uint8((3*sum(n-1) + sum(n-2) + 8) >> 4)
	dst[2*n-1] = uint8((4*sum(n-1) + 7) >> 4)
}

func upsampleH2V2Portable(dst, near, far []uint8, from, to int) {
	if from >= to {
		return
	}
	last := 3*uint32(near[from-1]) + uint32(far[from-1])
	this := 3*uint32(near[from]) + uint32(far[from])
	for x := from; x < to; x++ {
		next := 3*uint32(near[x+1]) + uint32(far[x+1])
		dst[2*x] = uint8((3*this + last + 8) >> 4)
		dst[2*x+1] = uint8((3*this + next + 7) >> 4)
		last, this = this, next
	}
}

// UpsampleH1V2 makes row y out of two rows of the same width. Upper and lower rows round differently.
func UpsampleH1V2(dst, near, far []uint8, y int) {
	bias := uint32(1 + y&1)
	far = far[:len(near)]
	dst = dst[:len(near)]
	for x, v := range near {
		dst[x] = uint8((3*uint32(v) + uint32(far[x]) + bias) >> 2)
	}
}

// Repeat writes each sample times over.
func Repeat(dst, src []uint8, times int) {
	if times == 2 {
		dst = dst[:2*len(src)]
		for x, v := range src {
			dst[2*x], dst[2*x+1] = v, v
		}
		return
	}
	for x, v := range src {
		d := dst[x*times:][:times]
		for i := range d {
			d[i] = v
		}
	}
}
