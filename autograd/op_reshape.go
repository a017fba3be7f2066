package autograd

// Reshape returns x under another shape of as many elements. One dimension may be -1 and is then computed from
// the others. The memory is shared, never copied.
func Reshape(x *Tensor, shape ...int) *Tensor {
	f := begin("reshape", x)
	shape = cloneShape(shape)
	free, known := -1, 1
	for i, d := range shape {
		switch {
		case d == -1 && free < 0:
			free = i
		case d < 0:
			shapePanic("reshape", "expected at most one dimension of -1 and no other negative one", x.shape, shape)
		default:
			known *= d
		}
	}
	if free >= 0 {
		if known == 0 || len(x.data)%known != 0 {
			shapePanic("reshape", "the elements do not divide into the other dimensions", x.shape, shape)
		}
		shape[free] = len(x.data) / known
	}
	if elements("reshape", shape) != len(x.data) {
		shapePanic("reshape", "expected as many elements", x.shape, shape)
	}
	return f.done(f.share(x, shape), func(b *back) { b.pass(x) })
}
