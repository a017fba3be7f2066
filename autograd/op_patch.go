package autograd

// Patchify cuts images [n, c, h, w] into patches of p by p pixels: [n, (h/p)·(w/p), c·p·p]. Patches are
// in row-major order. The values of one are in the order (channel, row, column), as the weight of a
// convolution with stride p flattens. A Linear over them is the patch embedding of a vision transformer.
// h and w must be multiples of p.
func Patchify(x Operand, p int) *Tensor { return patches("patchify", x, p, false) }

// PatchifyLast is [Patchify] with the values of a patch in the order (row, column, channel). It is the
// target of a masked autoencoder (He et al., arXiv 2111.06377; patchify in its reference code).
func PatchifyLast(x Operand, p int) *Tensor { return patches("patchify last", x, p, true) }

// Unpatchify is the inverse of [PatchifyLast]: patches [n, (h/p)·(w/p), p·p·c] to images [n, c, h, w].
func Unpatchify(x Operand, p, h, w int) *Tensor {
	const name = "unpatchify"
	xs := x.Shape()
	if len(xs) != 3 || p < 1 || h < 0 || w < 0 || h%p != 0 || w%p != 0 ||
		xs[1] != elements(name, []int{h / p, w / p}) || xs[2]%elements(name, []int{p, p}) != 0 {
		shapePanic(name, "expected x [n, (h/p)·(w/p), p·p·c]", xs, []int{p, h, w})
	}
	f := begin(name, x)
	g := patchGrid{n: xs[0], c: xs[2] / (p * p), h: h, w: w, p: p, last: true}
	xv := f.values(x)
	y := f.out(g.n, g.c, h, w)
	g.move(f.Tape, y.data, xv, true)
	return f.done(y, func(b *back) {
		b.add(x, func(dx []float32) { g.move(b.Tape, b.dy, dx, false) })
	})
}

func patches(name string, x Operand, p int, last bool) *Tensor {
	xs := imageShape(name, x)
	if p < 1 || xs[2]%p != 0 || xs[3]%p != 0 {
		shapePanic(name, "expected height and width that are multiples of the patch", xs, []int{p})
	}
	f := begin(name, x)
	g := patchGrid{n: xs[0], c: xs[1], h: xs[2], w: xs[3], p: p, last: last}
	xv := f.values(x)
	y := f.out(g.n, (g.h/p)*(g.w/p), g.c*p*p)
	g.move(f.Tape, xv, y.data, false)
	return f.done(y, func(b *back) {
		b.add(x, func(dx []float32) { g.move(b.Tape, dx, b.dy, true) })
	})
}

// patchGrid relates images [n, c, h, w] to their patches.
type patchGrid struct {
	n, c, h, w, p int
	last          bool // the channel varies fastest
}

// move copies images to patches, or back.
func (g patchGrid) move(t *Tape, images, patches []float32, back bool) {
	if len(images) == 0 {
		return
	}
	p, across, size := g.p, g.w/g.p, g.c*g.p*g.p
	// A task is a row of patches: p rows of pixels of every channel.
	t.each(g.n*(g.h/p), p*g.w*g.c, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			image, row := i/(g.h/p), i%(g.h/p)
			strip := patches[i*across*size:][:across*size]
			for c := range g.c {
				for q := range p {
					pixels := images[((image*g.c+c)*g.h+row*p+q)*g.w:][:g.w]
					if g.last {
						g.interleave(strip[q*p*g.c+c:], pixels, back)
						continue
					}
					at := (c*p + q) * p
					for from := 0; from < g.w; from, at = from+p, at+size {
						if back {
							copy(pixels[from:from+p], strip[at:at+p])
						} else {
							copy(strip[at:at+p], pixels[from:from+p])
						}
					}
				}
			}
		}
	})
}

// interleave copies one row of pixels of one channel to its places in a strip of patches, c apart within
// a patch, or back.
func (g patchGrid) interleave(strip, pixels []float32, back bool) {
	size := g.c * g.p * g.p
	for from := 0; from < g.w; from += g.p {
		patch, run := strip[from/g.p*size:], pixels[from:from+g.p]
		for j := range run {
			if back {
				run[j] = patch[j*g.c]
			} else {
				patch[j*g.c] = run[j]
			}
		}
	}
}
