package checkpoint

import (
	"fmt"
	"iter"
	"slices"
	"unsafe"

	"github.com/fovea-ml/fovea/simd"
)

// scaleSuffix follows the name of a tensor of integers in that of its scales.
const scaleSuffix = "_scale"

// An int8Mapper is a [mapper] that also takes integers of 8 bits, with a scale for each row: *autograd.Parameter is one.
type int8Mapper interface {
	MapInt8(parts [][]int8, scales []float32, release, hold func())
}

// An int8Source is a [Source] that may hold integers of 8 bits, with a scale for each row: *autograd.Parameter is one.
type int8Source interface {
	DType() simd.Format
	Int8() (codes []int8, scales []float32, ok bool)
}

// scales returns the tensor with the scales of a part that holds integers. ok is false when there is none, or the part
// is not the rows of its parameter.
func (l *loader) scales(t Tensor, pl place, want []int) (at int, ok bool) {
	if !l.takesIntegers(t, pl, want) || !slices.Equal(t.Shape, want) {
		return 0, false
	}
	if at, ok = l.file.index(t.Name + scaleSuffix); !ok {
		return 0, false
	}
	s := l.file.tensors[at]
	column := len(s.Shape) == 1 || len(s.Shape) == 2 && s.Shape[1] == 1
	return at, column && s.Shape[0] == want[0] && s.DType.IsFloat()
}

// takesIntegers reports whether a part of a parameter may be integers.
func (l *loader) takesIntegers(t Tensor, pl place, want []int) bool {
	return t.DType == I8 && l.opts.Int8 && !pl.transposed && pl.shape == nil && len(want) > 0
}

// foundScales returns the Scales of the [Misfit] of t. It marks the tensor of scales as used, so that the report does not list it
// as unexpected too.
func (l *loader) foundScales(t Tensor) string {
	at, ok := l.file.index(t.Name + scaleSuffix)
	if !ok {
		return "none"
	}
	l.used[at] = true
	return fmt.Sprintf("%s %v", l.file.tensors[at].DType, l.file.tensors[at].Shape)
}

// rowScales returns the scales of all rows of a move. The scales of zeros are zeros.
func (m *move) rowScales() []float32 {
	rows := m.target.Shape()[0]
	each := m.target.Shape()[1:]
	all := make([]float32, rows)
	for i, at := 0, 0; i < len(m.parts); i++ {
		n := m.sizes[i] / max(1, product(each))
		if s := m.scales[i]; s.src != nil {
			s.floatsAt(all[at:at+n], 0)
		}
		at += n
	}
	return all
}

// widenTo writes the integers of a part to dst, each multiplied by the scale of its row.
func (t Tensor) widenTo(dst []float32, scales Tensor) {
	rows := t.Shape[0]
	if rows == 0 {
		return
	}
	each := make([]float32, rows)
	scales.floatsAt(each, 0)
	width := len(dst) / rows
	codes := make([]int8, width)
	for i, scale := range each {
		for j, b := range t.bytesAt(i*width, width) {
			codes[j] = int8(b)
		}
		simd.Int8ToF32(dst[i*width:][:width], codes, scale)
	}
	t.src.forget(t.begin, t.end)
}

// int8Entries returns the entries of a parameter that holds integers: the integers of each part, and their scales,
// [rows, 1], under its name and _scale. ok is false when src holds something else, or the part is not the rows from the
// index begin on.
func int8Entries(src Source, pl place, name string, shape []int, begin int) (_ []Entry, ok bool) {
	s, ok := src.(int8Source)
	if !ok || s.DType() != simd.FormatInt8 || pl.transposed || pl.shape != nil {
		return nil, false
	}
	rows := shape[0]
	first := begin / max(1, product(shape[1:]))
	codes := func(yield func([]byte) bool) {
		c, _, _ := s.Int8()
		if c = c[begin:][:product(shape)]; len(c) > 0 {
			yield(unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(c))), len(c)))
		}
	}
	return []Entry{
		{Name: name, Shape: slices.Clone(shape), DType: I8, Raw: iter.Seq[[]byte](codes)},
		{Name: name + scaleSuffix, Shape: []int{rows, 1}, DType: F32, lazy: func() []float32 {
			_, scales, _ := s.Int8()
			return scales[first:][:rows]
		}},
	}, true
}
