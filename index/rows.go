package index

import (
	"fmt"
	"math"
	"runtime"
	"slices"

	"github.com/fovea-ml/fovea/checkpoint"
	"github.com/fovea-ml/fovea/simd"
)

// rows are vectors with ascending ids. They never change.
type rows struct {
	dim    int
	ids    []int64
	floats []float32 // one of the three holds the vectors, row by row
	halves []uint16
	codes  []int8
	scales []float32 // of the codes, by row
}

// newRows returns rows of zeros to be filled.
func newRows(o Options, n int) *rows {
	r := &rows{dim: o.Dim, ids: make([]int64, n)}
	switch o.Type {
	case Float32:
		r.floats = make([]float32, n*o.Dim)
	case Float16:
		r.halves = make([]uint16, n*o.Dim)
	case Int8:
		r.codes, r.scales = make([]int8, n*o.Dim), make([]float32, n)
	}
	return r
}

// maxScale bounds the scales of Int8. Those times a sum of products of integers, 2^31, are numbers: the scale of the
// query, which comes last, may bring them back to a range where other types find a score.
const maxScale = 1 << 96

// find returns the row of an id.
func (r *rows) find(id int64) (int, bool) {
	defer runtime.KeepAlive(r)
	return slices.BinarySearch(r.ids, id)
}

// set stores a vector, which it may change, in the index's type.
func (r *rows) set(row int, v []float32) error {
	at, end := row*r.dim, (row+1)*r.dim
	switch {
	case r.floats != nil:
		copy(r.floats[at:end], v)
	case r.halves != nil:
		for i, c := range v {
			if c > 65504 || c < -65504 {
				return fmt.Errorf("component %d is %g, beyond the range of float16", i, c)
			}
		}
		simd.F32ToF16(r.halves[at:end], v)
	default:
		scale := quantize(r.codes[at:end], v, math.MaxInt8)
		if scale > maxScale {
			return fmt.Errorf("a component is beyond the range of int8, plus or minus %g", float32(maxScale*math.MaxInt8))
		}
		r.scales[row] = scale
	}
	return nil
}

// quantize rounds a vector to integers of at most limit, times the returned scale.
func quantize[E int8 | int16](dst []E, v []float32, limit int) (scale float32) {
	top := float32(0)
	for _, c := range v {
		top = max(top, c, -c)
	}
	scale = top / float32(limit)
	if scale == 0 {
		clear(dst)
		return 0
	}
	per := 1 / float64(scale)
	for i, c := range v {
		// A scale that is a denormal number may be too small by half.
		dst[i] = E(max(-float64(limit), min(float64(limit), math.RoundToEven(float64(c)*per))))
	}
	return scale
}

// vector returns a row as float32.
func (r *rows) vector(row int) []float32 {
	v := make([]float32, r.dim)
	if r.codes == nil {
		copy(v, r.float32s(v, row, 1))
	} else {
		for i, c := range r.codes[row*r.dim : (row+1)*r.dim] {
			v[i] = float32(c) * r.scales[row]
		}
	}
	runtime.KeepAlive(r)
	return v
}

// float32s returns n rows of float32 as they are, and those of float16 in memory.
func (r *rows) float32s(memory []float32, from, n int) []float32 {
	at, end := from*r.dim, (from+n)*r.dim
	if r.floats != nil {
		return r.floats[at:end]
	}
	memory = memory[:end-at]
	simd.F16ToF32(memory, r.halves[at:end])
	return memory
}

// A query is a vector to search for, ready for rows of one type.
type query struct {
	floats []float32
	ints   []int16
	scale  float32
}

// newQuery prepares a vector, which it keeps. With Int8, its components become integers that are large enough to add no
// error to that of the rows, and small enough for sums of 32 bits.
func newQuery(o Options, v []float32) *query {
	if o.Type != Int8 {
		return &query{floats: v, scale: 1}
	}
	q := &query{ints: make([]int16, len(v))}
	q.scale = quantize(q.ints, v, min(math.MaxInt16, (1<<24-1)/len(v)))
	return q
}

// score stores the inner products of a query with the rows from a row on.
func (r *rows) score(dst []float32, q *query, from int) {
	switch at := from * r.dim; {
	case r.floats != nil:
		simd.RowDots(dst, q.floats, r.floats[at:], r.dim)
	case r.halves != nil:
		simd.RowDotsF16(dst, q.floats, r.halves[at:], r.dim)
	default:
		simd.RowDotsInt8(dst, q.ints, r.codes[at:], r.dim, r.scales[from:])
		// Not later: rounding makes scores equal, and the order of equal scores is that of ids.
		simd.Scale(dst, dst, q.scale)
	}
}

// rowSize returns the bytes of a vector.
func (o Options) rowSize() int { return o.Dim * [...]int{Float32: 4, Float16: 2, Int8: 1}[o.Type] }

// The tensors of a segment's file.
const (
	idsTensor     = "ids"     // I64 [n], ascending
	vectorsTensor = "vectors" // F32, F16 or I8 [n, dim]
	scalesTensor  = "scales"  // F32 [n], of I8: a vector is its integers times its scale
)

var dtypes = [...]checkpoint.DType{Float32: checkpoint.F32, Float16: checkpoint.F16, Int8: checkpoint.I8}

// readRows returns the rows in a segment's file, mapped where that is possible, after checking everything but the
// components of vectors.
func readRows(f *checkpoint.File, o Options, n int) (*rows, error) {
	tensors := 2
	if o.Type == Int8 {
		tensors = 3
	}
	if f.Len() != tensors {
		return nil, fmt.Errorf("expected %d tensors, found %d", tensors, f.Len())
	}
	r := &rows{dim: o.Dim}
	ids, err := tensorOf(f, idsTensor, checkpoint.I64, n)
	if err != nil {
		return nil, err
	}
	vectors, err := tensorOf(f, vectorsTensor, dtypes[o.Type], n, o.Dim)
	if err != nil {
		return nil, err
	}
	r.ids = valuesOf[int64](ids)
	for i, id := range r.ids {
		if i > 0 && r.ids[i-1] >= id {
			return nil, fmt.Errorf("tensor %q: expected ascending ids, found %d after %d", idsTensor, id, r.ids[i-1])
		}
	}
	switch o.Type {
	case Float32:
		r.floats = valuesOf[float32](vectors)
	case Float16:
		r.halves = valuesOf[uint16](vectors)
	case Int8:
		r.codes = valuesOf[int8](vectors)
		scales, err := tensorOf(f, scalesTensor, checkpoint.F32, n)
		if err != nil {
			return nil, err
		}
		r.scales = valuesOf[float32](scales)
		for i, s := range r.scales {
			if !(s >= 0 && s <= math.MaxFloat32) {
				return nil, fmt.Errorf("tensor %q: expected numbers of at least 0, found %g at %d", scalesTensor, s, i)
			}
		}
	}
	// Views do not keep the mapping: it ends with the rows.
	runtime.AddCleanup(r, func(f *checkpoint.File) { f.Close() }, f)
	return r, nil
}

// tensorOf returns a tensor of a file after checking its type and shape.
func tensorOf(f *checkpoint.File, name string, d checkpoint.DType, shape ...int) (checkpoint.Tensor, error) {
	t, ok := f.Tensor(name)
	switch {
	case !ok:
		return t, fmt.Errorf("tensor %q is missing", name)
	case t.DType != d:
		return t, fmt.Errorf("tensor %q: expected %s, found %s", name, d, t.DType)
	case !slices.Equal(t.Shape, shape):
		return t, fmt.Errorf("tensor %q: expected shape %v, found %v", name, shape, t.Shape)
	}
	return t, nil
}
