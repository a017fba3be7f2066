package autograd

import (
	"runtime"
	"sync/atomic"

	"github.com/fovea-ml/fovea/simd"
)

// Operand is an operand of an operation: a *[Tensor] or a *[Parameter].
type Operand interface {
	// Shape returns the dimensions; it must not be changed.
	Shape() []int

	operand() (*Tensor, *Parameter)
}

// Parameter is a trained value. It belongs to a model and to no tape. Any number of goroutines may read it, each
// with its own tape. Writing goes through [Parameter.Update], and nothing may read meanwhile.
type Parameter struct {
	// Frozen keeps gradients from being computed, as requires_grad=False does in PyTorch. It is set
	// before a forward pass, never during one.
	Frozen bool

	shape []int
	limit mathLimit
	store *storage
}

// NewParameter returns a parameter of zeros.
func NewParameter(shape ...int) *Parameter {
	return &Parameter{shape: cloneShape(shape), store: newStorage(make([]float32, elements("parameter", shape)))}
}

// ParameterOf returns a parameter that owns values, in row-major order. It panics with a [ShapeError]
// when their number is not the shape's.
func ParameterOf(values []float32, shape ...int) *Parameter {
	if elements("parameter", shape) != len(values) {
		shapePanic("parameter", "expected as many values as the shape has elements", shape, []int{len(values)})
	}
	return &Parameter{shape: cloneShape(shape), store: newStorage(values)}
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
func (p *Parameter) DType() DType { return p.stored("dtype").dtype }

// Version counts the writes. Forms derived from the values, such as packed ones, are keyed by it.
func (p *Parameter) Version() uint64 {
	p.stored("version")
	return p.store.version.Load()
}

// Values returns the values in row-major order, to be read only: a parameter may live in a mapped file.
// Half-precision values and integers are widened to a new slice by every call.
func (p *Parameter) Values() []float32 {
	f := p.stored("values")
	v, ok := p.store.whole(p.Len())
	switch {
	case !ok:
		v = make([]float32, p.Len())
		f.read(v, 0)
	case f.hold != nil && f.floats == nil:
		f.hold()
	}
	runtime.KeepAlive(p)
	return v
}

// Update is the one way to write: f changes the values in place. Mapped values are copied first, and values in
// half precision and integers become float32 for good. Nothing may read the parameter meanwhile. A Backward that needs the
// values from before the update panics with a [UseError].
//
// Update also changes the limit ([Parameter.LimitMath]) of integers from [simd.Int8] to [simd.Strict], and that of bfloat16 from
// [simd.BF16]: products of a quantized model's weights are in the arithmetic of their type, which is float32 from then on.
func (p *Parameter) Update(f func(values []float32)) {
	switch p.stored("update").dtype {
	case Int8:
		if p.limit == mathLimit(simd.Int8)+1 {
			p.LimitMath(simd.Strict)
		}
	case BFloat16:
		if p.limit == mathLimit(simd.BF16)+1 {
			p.LimitMath(simd.Strict)
		}
	}
	p.store = p.store.unshared()
	p.store.write(p.Len(), f)
}

// Share lets p use the memory of q, the forms packed for inference included, where both have the same shape, type and
// values, bit for bit. It reports whether they do. The first Update of either copies the values, and changes nothing for
// the other. Nothing may write to q or use p meanwhile.
func (p *Parameter) Share(q *Parameter) bool {
	f, g := p.stored("share"), q.stored("share")
	if p.store == q.store {
		return true
	}
	if !equalShape(p.shape, q.shape) || !f.equal(g, p.Len()) {
		return false
	}
	q.store.shared.Store(true)
	p.store = q.store
	return true
}

// stored returns how the values are stored.
func (p *Parameter) stored(op string) *form {
	if p.store == nil {
		usePanic(op, "a parameter without values; make it with NewParameter")
	}
	return p.store.form.Load()
}

// Map lets the parameter read its values, without a copy, from memory that is not its own, such as a mapped file
// or an embedded string. They lie in one slice, or in several that follow each other. The memory must not change
// while the parameter uses it; the first Update copies it. Map panics with a [ShapeError] when the parts do not
// hold as many values as the shape has elements.
//
// Both functions may be nil. Map calls release when the values have been copied or packed, as inference does,
// and need not stay in memory; they may still be read again. It calls hold before Values returns a slice of the
// memory, which must then stay valid even when the parameter is gone. Before that, the memory must stay valid as
// long as something refers to the two functions.
func (p *Parameter) Map(parts [][]float32, release, hold func()) {
	mapParts(p, parts, &form{floats: parts, release: release, hold: hold})
}

// MapHalf is [Parameter.Map] of values in half precision, Float16 or BFloat16. They stay so until the first
// Update: inference packs them in their own type. It panics with a [UseError] when d is another type.
func (p *Parameter) MapHalf(d DType, parts [][]uint16, release, hold func()) {
	if d != Float16 && d != BFloat16 {
		usePanic("parameter map", "expected float16 or bfloat16, found "+d.String())
	}
	mapParts(p, parts, &form{dtype: d, halves: parts, release: release, hold: hold})
}

// MapInt8 is [Parameter.Map] of integers of 8 bits. Row i of the parameter, of its first dimension, is scales[i] times
// its integers, each product rounded to float32: Int8 is the type of a quantized weight [out, in, …]. The parameter keeps
// the scales, which must not change.
//
// They stay so until the first Update. On a tape of [simd.Int8], [Linear] and the like multiply the integers themselves,
// and take in a fourth of the memory. Elsewhere the widened values are used. MapInt8 panics with a [ShapeError] also when
// the parameter has no dimension, or when there is not one scale for each row.
func (p *Parameter) MapInt8(parts [][]int8, scales []float32, release, hold func()) {
	const name = "parameter map"
	if len(p.shape) == 0 || len(scales) != p.shape[0] {
		shapePanic(name, "expected integers with a scale for each row", p.shape, []int{len(scales)})
	}
	mapParts(p, parts, &form{dtype: Int8, codes: parts, scales: scales, width: p.Len() / max(1, p.shape[0]), release: release, hold: hold})
}

// Int8 returns the integers and the scales of a parameter that holds them ([Parameter.MapInt8]), to be read only. Integers
// that lie in several parts are copied. ok is false for a parameter of another type.
func (p *Parameter) Int8() (codes []int8, scales []float32, ok bool) {
	f := p.stored("int8")
	if f.dtype != Int8 {
		return nil, nil, false
	}
	if len(f.codes) == 1 {
		if codes = f.codes[0]; f.hold != nil {
			f.hold()
		}
	} else {
		codes = make([]int8, p.Len())
		f.readCodes(codes, 0)
	}
	runtime.KeepAlive(p)
	return codes, f.scales, true
}

func mapParts[E float32 | uint16 | int8](p *Parameter, parts [][]E, f *form) {
	n := 0
	for _, part := range parts {
		n += len(part)
	}
	if n != p.Len() {
		shapePanic("parameter map", "expected as many values as the shape has elements", p.shape, []int{n})
	}
	p.stored("parameter map")
	p.store = p.store.unshared()
	p.store.mapTo(f)
}

func (p *Parameter) operand() (*Tensor, *Parameter) { return nil, p }

// Buffer is a value that belongs to a model but is not trained by gradients: the running statistics of
// a batch normalization, a mask. Training queues changes to it on the tape ([Tape.Commit]).
type Buffer struct {
	shape   []int
	values  []float32
	version atomic.Uint64
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
func (b *Buffer) Update(f func(values []float32)) {
	f(b.values)
	b.version.Add(1)
}

// Version counts the updates. Forms derived from the values are keyed by it.
func (b *Buffer) Version() uint64 { return b.version.Load() }

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
