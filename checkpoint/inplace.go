package checkpoint

import (
	"slices"
	"unsafe"

	"github.com/fovea-ml/fovea/simd"
)

// place lets the parameter read its values where they lie, or copies values that stay in half precision or integers. It
// reports false when they have to be copied as float32.
func (m *move) place(target mapper, opts LoadOptions) bool {
	var d DType
	for _, t := range m.parts {
		if t.src == nil {
			continue
		}
		if d != Invalid && t.DType != d {
			return false
		}
		d = t.DType
	}
	var release, hold func()
	inPlace := opts.Map && !m.transposed
	if inPlace && m.paged() {
		// Only the parameter keeps the mapping: both end together.
		parts := slices.Clone(m.parts)
		each := func(f func(Tensor)) {
			for _, t := range parts {
				if t.src != nil {
					f(t)
				}
			}
		}
		release = func() { each(func(t Tensor) { t.src.forget(t.begin, t.end) }) }
		hold = func() { each(func(t Tensor) { t.src.pin() }) }
	}
	switch {
	case d == F32 && inPlace:
		floats, ok := pieces[float32](m, true)
		if ok {
			target.Map(floats, release, hold)
		}
		return ok
	case (d == F16 || d == BF16) && opts.KeepHalf:
		halves, ok := pieces[uint16](m, inPlace)
		if ok {
			format := simd.FormatF16
			if d == BF16 {
				format = simd.FormatBF16
			}
			target.MapHalf(format, halves, release, hold)
		}
		return ok
	case d == I8:
		integers, can := target.(int8Mapper)
		codes, ok := pieces[int8](m, inPlace)
		if can && ok {
			integers.MapInt8(codes, m.rowScales(), release, hold)
		}
		return can && ok
	}
	return false
}

// paged reports whether the system can drop pages of the bytes: they belong to a mapping or to the program's own file.
func (m *move) paged() bool {
	return slices.ContainsFunc(m.parts, func(t Tensor) bool { return t.src != nil && t.src.paged })
}

// pieces returns the elements of the move's parts: where they lie, or copied without inPlace. ok is false when
// they do not lie as this machine reads them. A part without a source is zeros.
func pieces[E float32 | uint16 | int8](m *move, inPlace bool) (_ [][]E, ok bool) {
	all := make([][]E, len(m.parts))
	for i, t := range m.parts {
		if t.src == nil {
			all[i] = make([]E, m.sizes[i])
			continue
		}
		if all[i], ok = elementsOf[E](t.bytes()); !ok {
			return nil, false
		}
		switch {
		case inPlace:
			continue
		case m.transposed:
			all[i] = transpose(all[i], t.Shape[0], t.Shape[1])
		default:
			all[i] = slices.Clone(all[i])
		}
		t.src.forget(t.begin, t.end)
	}
	return all, true
}

// elementsOf returns the numbers in bytes of a file without a copy. ok is false when they are not aligned, or the machine
// is big-endian.
func elementsOf[E float32 | uint16 | int8](b []byte) (_ []E, ok bool) {
	if !littleEndian {
		return nil, false
	}
	if len(b) == 0 {
		return []E{}, true
	}
	p := unsafe.Pointer(unsafe.SliceData(b))
	if uintptr(p)%unsafe.Alignof(E(0)) != 0 {
		return nil, false
	}
	return unsafe.Slice((*E)(p), len(b)/int(unsafe.Sizeof(E(0)))), true
}
