package autograd

// Operand is what operations take: a *[Tensor] or a *[Parameter].
type Operand interface {
	// Shape returns the dimensions; it must not be changed.
	Shape() []int

	operand() (*Tensor, *Parameter)
}

// Parameter is a trained value. It belongs to a model and to no tape: reading it is free for any number
// of goroutines, each with its own tape, and writing goes through [Parameter.Update], which nothing may
// run beside.
type Parameter struct {
	// Frozen keeps gradients from being computed, as requires_grad=False does in PyTorch. It is set
	// before a forward pass, never during one.
	Frozen bool

	shape []int
	store storage
}

// NewParameter returns a parameter of zeros.
func NewParameter(shape ...int) *Parameter {
	p := &Parameter{shape: cloneShape(shape)}
	p.store.values = make([]float32, elements("parameter", shape))
	return p
}

// ParameterOf returns a parameter that owns values, in row-major order. It panics with a [ShapeError]
// when their number is not the shape's.
func ParameterOf(values []float32, shape ...int) *Parameter {
	if elements("parameter", shape) != len(values) {
		shapePanic("parameter", "expected as many values as the shape has elements", shape, []int{len(values)})
	}
	p := &Parameter{shape: cloneShape(shape)}
	p.store.values = values
	return p
}

// Shape returns the dimensions; the slice must not be changed.
func (p *Parameter) Shape() []int {
	if p == nil {
		usePanic("shape", "nil parameter")
	}
	return p.shape
}

// Len returns the number of values.
func (p *Parameter) Len() int { return elements("len", p.shape) }

// DType returns the type of the stored values.
func (p *Parameter) DType() DType { return p.store.dtype }

// Version counts the writes. What is derived from a parameter's values is keyed by it.
func (p *Parameter) Version() uint64 { return p.store.version.Load() }

// Values returns the values in row-major order, to be read only: a parameter may live in a mapped file.
func (p *Parameter) Values() []float32 { return p.store.values }

// Update is the one way to write: f changes the values in place. A parameter that lives in a mapped file
// is copied first. Nothing may read the parameter meanwhile.
func (p *Parameter) Update(f func(values []float32)) { p.store.write(f) }

// Map lets the parameter read its values from memory that is not its own, such as a mapped file or an
// embedded string, without a copy. The memory must not change while the parameter uses it; the first
// Update copies it.
func (p *Parameter) Map(values []float32) {
	if len(values) != elements("parameter map", p.shape) {
		shapePanic("parameter map", "expected as many values as the shape has elements", p.shape, []int{len(values)})
	}
	p.store.values = values
	p.store.mapped = true
	p.store.touch()
}

func (p *Parameter) operand() (*Tensor, *Parameter) { return nil, p }

// Buffer is a value that belongs to a model but is not trained by gradients: the running statistics of
// a batch normalisation, a mask. Training queues changes to it on the tape ([Tape.Commit]).
type Buffer struct {
	shape  []int
	values []float32
}

// NewBuffer returns a buffer whose elements all are value.
func NewBuffer(value float32, shape ...int) *Buffer {
	b := &Buffer{shape: cloneShape(shape), values: make([]float32, elements("buffer", shape))}
	for i := range b.values {
		b.values[i] = value
	}
	return b
}

// Shape returns the dimensions; the slice must not be changed.
func (b *Buffer) Shape() []int { return b.shape }

// Values returns the values, to be read only.
func (b *Buffer) Values() []float32 { return b.values }

// Update changes the values in place. Nothing may read the buffer meanwhile.
func (b *Buffer) Update(f func(values []float32)) { f(b.values) }

// given reports whether an optional operand is there: neither a nil interface nor a nil pointer in one.
func given(x Operand) bool {
	switch x := x.(type) {
	case nil:
		return false
	case *Tensor:
		return x != nil
	case *Parameter:
		return x != nil
	}
	return true
}
