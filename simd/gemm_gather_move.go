package simd

import "unsafe"

// A mover holds the kernels of an instruction set that copy numbers from where they lie apart. gather copies n
// pieces of lanes elements for each of some taps; gatherGeneric says which. everyOther and spreadOther, which may be
// nil, move blocks of block elements with a step of 2.
type mover struct {
	gather func(dst, src *float32, taps *int, pieces *gatherPiece, stride, rows, n int)
	lanes  int

	everyOther  func(dst, src *float32, blocks int)
	spreadOther func(dst, src *float32, blocks, add int)
	block       int
}

// gatherGeneric copies pieces of one element: piece p of tap i goes from byte 4·taps[i] + pieces[p].src of src to
// byte i·stride + pieces[p].dst of dst.
func gatherGeneric(dst, src *float32, taps *int, pieces *gatherPiece, stride, rows, n int) {
	list := unsafe.Slice(pieces, n)
	for i, tap := range unsafe.Slice(taps, rows) {
		to, from := unsafe.Add(unsafe.Pointer(dst), i*stride), unsafe.Add(unsafe.Pointer(src), 4*tap)
		for _, p := range list {
			*(*float32)(unsafe.Add(to, p.dst)) = *(*float32)(unsafe.Add(from, p.src))
		}
	}
}

// Every copies every step-th element of src: dst[i] = src[i·step]. It panics when src is too short or step is
// less than 1.
func Every(dst, src []float32, step int) {
	if len(dst) == 0 {
		return
	}
	src = src[:(len(dst)-1)*step+1]
	if move := &movers[level]; step == 2 && move.everyOther != nil {
		// The last element stays behind: its pair may lie outside src.
		if blocks := (len(dst) - 1) / move.block; blocks > 0 {
			move.everyOther(&dst[0], &src[0], blocks)
			done := blocks * move.block
			dst, src = dst[done:], src[2*done:]
		}
	}
	for i := range dst {
		dst[i] = src[i*step]
	}
}

// Spread is the way back from [Every]: dst[i·step] = src[i], or dst[i·step] += src[i] when add is set. The elements
// between keep their values. It panics when dst is too short or step is less than 1.
func Spread(dst, src []float32, step int, add bool) {
	if len(src) == 0 {
		return
	}
	dst = dst[:(len(src)-1)*step+1]
	if move := &movers[level]; step == 2 && move.spreadOther != nil {
		if blocks := (len(src) - 1) / move.block; blocks > 0 {
			sum := 0
			if add {
				sum = 1
			}
			move.spreadOther(&dst[0], &src[0], blocks, sum)
			done := blocks * move.block
			dst, src = dst[2*done:], src[done:]
		}
	}
	if add {
		for i, v := range src {
			dst[i*step] += v
		}
		return
	}
	for i, v := range src {
		dst[i*step] = v
	}
}
