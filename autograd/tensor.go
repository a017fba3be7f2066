package autograd

import (
	"math"
	"runtime"
)

// Tensor is a dense, row-major, contiguous float32 array of immutable shape that belongs to one Tape.
// Its memory is the tape's: a Tensor used after its tape was reset panics with a [UseError].
type Tensor struct {
	tape     *Tape
	gen      uint64
	shape    []int
	buf      *buffer
	data     []float32
	planes   *planeList // instead of data
	grad     *buffer
	needs    bool   // a gradient flows through it
	want     bool   // its gradient is to be kept for the caller
	kept     bool   // outlives its segment and Backward
	segment  bool   // the result of a segment that nothing was recorded of: consumed by the next
	recorded uint64 // the tape's count when the segment ended
	severed  bool   // kept inside a segment that runs again in Backward, where its gradient would be lost
	spent    bool   // Backward has consumed how it was made
	op       uint64 // the number of the operation that made it, set where a second run need not compute it again
}

// Shape returns the dimensions; the slice must not be changed.
func (x *Tensor) Shape() []int {
	if x == nil {
		usePanic("shape", "nil tensor")
	}
	return x.shape
}

// Dim returns the size of dimension i, counted from the end when negative.
func (x *Tensor) Dim(i int) int { return x.shape[axis("dim", i, x.shape)] }

// Len returns the number of elements.
func (x *Tensor) Len() int { return elements("len", x.shape) }

// Tape returns the tape the Tensor belongs to.
func (x *Tensor) Tape() *Tape { return x.tape }

// Floats copies the values to dst and returns it; a nil dst is allocated. It panics with a [ShapeError]
// when dst has another length.
func (x *Tensor) Floats(dst []float32) []float32 {
	x.check("floats")
	x.joinPlanes()
	if dst == nil {
		dst = make([]float32, len(x.data))
	}
	if len(dst) != len(x.data) {
		shapePanic("floats", "expected a slice as long as the tensor", x.shape, []int{len(dst)})
	}
	copy(dst, x.data)
	runtime.KeepAlive(x) // borrowed values may be in a mapping that ends with the parameter
	return dst
}

// Float returns the only element of a Tensor of one.
func (x *Tensor) Float() float32 {
	x.check("float")
	if len(x.data) != 1 { // one value is never a plane apart
		shapePanic("float", "expected one element", x.shape)
	}
	v := x.data[0]
	runtime.KeepAlive(x)
	return v
}

// Keep lets the Tensor outlive the segment that made it, the segment it is passed to, and Backward; it
// lives until the tape is reset. It returns x.
func (x *Tensor) Keep() *Tensor {
	x.check("keep")
	x.kept = true
	return x
}

// WantGradient asks Backward to leave the gradient with respect to x in its table ([Gradients.OfTensor]).
// It is called before x is used: operations before it do not count. It returns x.
func (x *Tensor) WantGradient() *Tensor {
	x.check("want gradient")
	x.want = true
	x.needs = x.tape.opts.Gradients
	return x
}

func (x *Tensor) operand() (*Tensor, *Parameter) { return x, nil }

// check panics unless the Tensor can be used.
func (x *Tensor) check(op string) {
	switch {
	case x == nil || x.tape == nil:
		usePanic(op, "nil tensor")
	case x.gen != x.tape.gen:
		usePanic(op, "tensor used after its tape was reset")
	case x.buf == nil:
		usePanic(op, "tensor used after the segment or backward pass that consumed it; call Keep on it before")
	case x.buf.use != nil && x.buf.use.version != x.buf.use.param.Version():
		usePanic(op, "the parameter was changed since Tape.Use made a tensor of it")
	}
}

// lender returns the parameter whose values an operand has: the operand, or what Tape.Use took them from.
func lender(in Operand) *Parameter {
	x, p := in.operand()
	if x != nil && x.buf != nil && x.buf.use != nil {
		return x.buf.use.param
	}
	return p
}

// free gives up the Tensor's memory.
func (x *Tensor) free() {
	if x.buf != nil {
		x.tape.release(x.buf)
		x.buf, x.data, x.planes = nil, nil, nil
	}
}

func poison(s []float32) {
	nan := float32(math.NaN())
	for i := range s {
		s[i] = nan
	}
}
