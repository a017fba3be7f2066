package autograd

// Detach returns x without its past: it has x's values, whose memory it shares, and no gradient flows through it.
func Detach(x *Tensor) *Tensor {
	f := begin("detach", x)
	return f.done(f.share(x, x.shape), nil)
}

// StraightThrough returns the values of hard, and its gradient flows unchanged to soft, of the same shape, as if the
// result were soft (Bengio et al., arXiv 1308.3432). It is soft + Detach(hard - soft), without the rounding. Hard is
// typically a rounded, quantized or one-hot version of soft.
func StraightThrough(hard, soft *Tensor) *Tensor {
	f := begin("straight through", hard, soft)
	f.differentiates(soft)
	if !equalShape(hard.shape, soft.shape) {
		shapePanic(f.name, "expected one shape", hard.shape, soft.shape)
	}
	return f.done(f.share(hard, hard.shape), func(b *back) { b.pass(soft) })
}
