package vision

import (
	"fmt"
	"math"
	"slices"

	"github.com/fovea-ml/fovea/data"
)

// Mix mixes the images of a batch in pairs, the first with the last and so on, and their labels with them. Mixup (Zhang
// et al., arXiv 1710.09412) blends two images. CutMix (Yun et al., arXiv 1905.04899) exchanges a rectangle between
// them. Mix follows timm's Mixup in its mode "batch", which draws one number λ for a whole batch.
type Mix struct {
	// Mixup and Cutmix are the parameters α of the symmetric Beta distributions of λ; 0 leaves that kind out. Masked
	// autoencoders and DeiT are fine-tuned with 0.8 and 1.
	Mixup, Cutmix float64
	// Prob is the probability that a batch is mixed; nil means 1.
	Prob *float64
	// Switch is the probability of CutMix where both are on; nil means 0.5.
	Switch *float64
	// Smoothing is the share of a target that is spread over all classes.
	Smoothing float32
}

// Validate returns an error for parameters and shares out of range.
func (x *Mix) Validate() error {
	for _, alpha := range []float64{x.Mixup, x.Cutmix} {
		if alpha != 0 && !(alpha >= 1e-6 && alpha <= 1e3) { // below that, logarithms are infinite
			return fmt.Errorf("vision: mix: α of %v, expected 0, or 0.000001 to 1000", alpha)
		}
	}
	for _, p := range []float64{or(x.Prob, 1), or(x.Switch, 0.5), float64(x.Smoothing)} {
		if !(p >= 0 && p <= 1) {
			return fmt.Errorf("vision: mix: share %v, expected 0 to 1", p)
		}
	}
	return nil
}

// Apply mixes the images of b in place and sets b.Targets, [images, classes]. For an image with label y and a partner
// with label z, they are λ·onehot(y) + (1-λ)·onehot(z), smoothed. λ is the image's own share of its pixels. A batch
// without images stays as it is. Apply panics for a label that is not one of the classes; a [Loader] checks them before.
func (x *Mix) Apply(r *data.Rand, b *Batch, classes int) {
	n := len(b.Labels)
	if n == 0 {
		b.Targets = b.Targets[:0]
		return
	}
	for i, l := range b.Labels {
		if l < 0 || l >= classes {
			panic(fmt.Sprintf("vision: mix: image %d of the batch has label %d, expected one of %d classes", i, l, classes))
		}
	}
	lambda, cut := x.draw(r)
	each := len(b.Pixels) / n
	top, left, bottom, right := 0, 0, 0, 0
	if cut {
		top, left, bottom, right = cutRect(r, b.Height, b.Width, lambda)
		lambda = 1 - float64((bottom-top)*(right-left))/float64(b.Height*b.Width)
	}
	for i := range n / 2 {
		p, q := b.Pixels[i*each:(i+1)*each], b.Pixels[(n-1-i)*each:(n-i)*each]
		switch {
		case cut:
			for at := top * b.Width; at < each; at += b.Width * b.Height {
				for y := range bottom - top {
					row := at + y*b.Width
					for k := row + left; k < row+right; k++ {
						p[k], q[k] = q[k], p[k]
					}
				}
			}
		case lambda < 1:
			own, other := float32(lambda), float32(1-lambda)
			for k, u := range p {
				v := q[k]
				p[k] = float32(u*own) + float32(v*other)
				q[k] = float32(v*own) + float32(u*other)
			}
		}
	}
	b.Targets = slices.Grow(b.Targets[:0], n*classes)[:n*classes]
	off := x.Smoothing / float32(classes)
	on := 1 - x.Smoothing + off
	label := func(i, class int) float32 {
		if b.Labels[i] == class {
			return on
		}
		return off
	}
	for i := range n {
		for c := range classes {
			b.Targets[i*classes+c] = float32(label(i, c)*float32(lambda)) + float32(label(n-1-i, c)*float32(1-lambda))
		}
	}
}

// draw returns λ, which is 1 for a batch that is not mixed, and whether a rectangle is cut.
func (x *Mix) draw(r *data.Rand) (lambda float64, cut bool) {
	if x.Mixup == 0 && x.Cutmix == 0 || r.Float64() >= or(x.Prob, 1) {
		return 1, false
	}
	cut = x.Mixup == 0 || x.Cutmix > 0 && r.Float64() < or(x.Switch, 0.5)
	if cut {
		return r.Beta(x.Cutmix), true
	}
	return r.Beta(x.Mixup), false
}

// or returns *v, or standard where v is nil.
func or[T any](v *T, standard T) T {
	if v == nil {
		return standard
	}
	return *v
}

// cutRect draws a rectangle with a share 1-λ of the area, cut off at the borders.
func cutRect(r *data.Rand, h, w int, lambda float64) (top, left, bottom, right int) {
	side := math.Sqrt(1 - lambda)
	ch, cw := int(float64(h)*side), int(float64(w)*side)
	y, x := r.IntN(h), r.IntN(w)
	within := func(v, n int) int { return min(max(v, 0), n) }
	return within(y-ch/2, h), within(x-cw/2, w), within(y+(ch+1)/2, h), within(x+(cw+1)/2, w)
}
