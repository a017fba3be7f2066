package checkpoint

import (
	"encoding/binary"
	"fmt"
	"io"
	"iter"
	"math"
	"unicode/utf8"
	"unsafe"

	"github.com/chewxy/math32"
)

// An Entry is one tensor to be written. It holds Floats, Ints or Raw, the first that is not nil, in row-major order. Or
// it is a tensor of another file, as [Tensor.Entry] returns it.
type Entry struct {
	Name   string
	Shape  []int // empty for a scalar
	Floats []float32
	Ints   []int64

	// Raw yields the bytes of the file, as [Tensor.Bytes] returns them, in pieces of any length: for types that Floats
	// and Ints do not hold as they are, and for tensors put together from others. DType must be set.
	Raw iter.Seq[[]byte]

	// DType is the type in the file: a floating-point type for Floats, by default that of the WriteOptions; an integer
	// type or BOOL for Ints, by default I64. Floats are rounded to the type. A number beyond its range is an error.
	DType DType

	lazy func() []float32 // instead of Floats: called when the entry is written
	from *Tensor          // instead of Floats, Ints and Raw
}

// Entry returns the tensor as an entry to be written, under its name and in its type: the same bytes, whatever the
// [WriteOptions] say. Setting another DType in the entry converts: between floating-point types, F64 by way of F32, or
// between integer types. The file must be open until the tensor is written. Its data is streamed, and the pages of a
// mapped file are given back on the way.
func (t Tensor) Entry() Entry {
	return Entry{Name: t.Name, Shape: t.Shape, DType: t.DType, from: &t}
}

// An item is an entry that was checked.
type item struct {
	*Entry
	as DType
	n  int // elements
}

func (it item) size() int { return it.n * it.as.Size() }

// items checks entries before any of them is written.
func items(entries []Entry, opts WriteOptions) ([]item, error) {
	switch opts.DType {
	case Invalid:
		opts.DType = F32
	case F32, F16, BF16:
	default:
		return nil, fmt.Errorf("expected F32, F16 or BF16, found %s", opts.DType)
	}
	list := make([]item, len(entries))
	seen := map[string]bool{metadataKey: true}
	total := 0
	for i := range entries {
		e := &entries[i]
		if seen[e.Name] {
			return nil, fmt.Errorf("tensor %q: the name is given twice or is reserved", e.Name)
		}
		seen[e.Name] = true
		if !utf8.ValidString(e.Name) {
			return nil, fmt.Errorf("tensor %q: name is not valid UTF-8", e.Name)
		}
		as, err := e.as(opts.DType)
		if err != nil {
			return nil, err
		}
		n, err := e.elements()
		if err != nil {
			return nil, err
		}
		list[i] = item{e, as, n}
		if total += list[i].size(); total < 0 {
			return nil, fmt.Errorf("tensor %q: the size of the file overflows", e.Name)
		}
	}
	return list, nil
}

// isInts reports whether the entry holds Ints.
func (e *Entry) isInts() bool { return e.lazy == nil && e.Floats == nil && e.Ints != nil }

// isRaw reports whether the entry holds Raw.
func (e *Entry) isRaw() bool {
	return e.from == nil && e.lazy == nil && e.Floats == nil && e.Ints == nil && e.Raw != nil
}

// as returns the type in which the entry is stored.
func (e *Entry) as(floats DType) (DType, error) {
	switch {
	case e.from != nil:
		own := e.from.DType
		if e.DType == own || e.DType.IsFloat() && own.IsFloat() || e.DType.IsInt() && own.IsInt() {
			return e.DType, nil
		}
		return Invalid, fmt.Errorf("tensor %q: %s cannot be stored as %s", e.Name, own, e.DType)
	case e.isRaw():
		if e.DType.Size() == 0 {
			return Invalid, fmt.Errorf("tensor %q: expected a type for raw bytes, found %s", e.Name, e.DType)
		}
		return e.DType, nil
	case e.isInts():
		if e.DType == Invalid {
			return I64, nil
		}
		if e.DType.IsInt() {
			return e.DType, nil
		}
		return Invalid, fmt.Errorf("tensor %q: expected an integer type for integers, found %s", e.Name, e.DType)
	case e.DType == Invalid:
		return floats, nil
	case e.DType.IsFloat():
		return e.DType, nil
	}
	return Invalid, fmt.Errorf("tensor %q: expected F64, F32, F16 or BF16 for floats, found %s", e.Name, e.DType)
}

// elements returns the product of the shape, after checking it against the number of values.
func (e *Entry) elements() (int, error) {
	if len(e.Shape) > maxRank {
		return 0, fmt.Errorf("tensor %q: expected at most %d dimensions, found %d", e.Name, maxRank, len(e.Shape))
	}
	n, most := 1, 1
	for _, d := range e.Shape {
		// As for a reader, an overflow is an error even when another size is zero.
		if d < 0 || (d > 0 && most > math.MaxInt/8/d) {
			return 0, fmt.Errorf("tensor %q: shape %v overflows", e.Name, e.Shape)
		}
		most *= max(d, 1)
		n *= d
	}
	have := len(e.Floats)
	switch {
	case e.from != nil:
		have = e.from.Len()
	case e.lazy != nil, e.isRaw():
		have = n // the bytes are counted as they are written
	case e.isInts():
		have = len(e.Ints)
	}
	if have != n {
		return 0, fmt.Errorf("tensor %q: expected %d values for shape %v, found %d", e.Name, n, e.Shape, have)
	}
	return n, nil
}

// piece is the number of elements written before progress is reported and their pages are given back.
const piece = 1 << 18

// A stream writes the data of items one after another.
type stream struct {
	w           io.Writer
	done, total int64
	progress    func(done, total int64) error
	buf         []byte    // the bytes of at most a piece
	floats      []float32 // values of at most a piece, between two types
	ints        []int64
}

// tell counts n bytes as written and reports progress. An error from the caller ends the writing.
func (s *stream) tell(n int) error {
	s.done += int64(n)
	if s.progress == nil {
		return nil
	}
	return s.progress(s.done, s.total)
}

// put writes one item.
func (s *stream) put(it item) error {
	if it.isRaw() {
		return s.putRaw(it)
	}
	floats := it.Floats
	if it.lazy != nil {
		if floats = it.lazy(); len(floats) != it.n {
			return fmt.Errorf("tensor %q: expected %d values for shape %v, found %d", it.Name, it.n, it.Shape, len(floats))
		}
	}
	for at := 0; at < it.n; at += piece {
		n := min(piece, it.n-at)
		b, err := s.piece(it, floats, at, n)
		if err != nil {
			return fmt.Errorf("tensor %q: %w", it.Name, err)
		}
		if _, err := s.w.Write(b); err != nil {
			return err
		}
		if t := it.from; t != nil {
			t.leave(n, at)
		}
		if err := s.tell(len(b)); err != nil {
			return err
		}
	}
	return nil
}

// putRaw writes an item's raw bytes and counts them.
func (s *stream) putRaw(it item) error {
	found := 0
	for b := range it.Raw {
		if found += len(b); found > it.size() {
			break
		}
		if _, err := s.w.Write(b); err != nil {
			return err
		}
		if err := s.tell(len(b)); err != nil {
			return err
		}
	}
	if found != it.size() {
		return fmt.Errorf("tensor %q: expected %d raw bytes for shape %v of %s, found %d", it.Name, it.size(), it.Shape, it.as, found)
	}
	return nil
}

// piece returns the bytes of n elements from the index at on.
func (s *stream) piece(it item, floats []float32, at, n int) ([]byte, error) {
	t := it.from
	switch {
	case t != nil && t.DType == it.as:
		return t.bytesAt(at, n), nil
	case t != nil && t.DType.IsFloat():
		floats = sized(&s.floats, n)
		t.floatsAt(floats, at)
		for i, v := range floats {
			if t.DType == F64 && math32.IsInf(v, 0) {
				if wide := t.float64At(at + i); !math.IsInf(wide, 0) {
					return nil, beyond(wide, at+i, it.as)
				}
			}
		}
		return s.encodeFloats(floats, at, it.as)
	case t != nil:
		ints := sized(&s.ints, n)
		if err := t.intsAt(ints, at); err != nil {
			return nil, err
		}
		return s.encodeInts(ints, at, it.as)
	case it.isInts():
		return s.encodeInts(it.Ints[at:][:n], at, it.as)
	}
	return s.encodeFloats(floats[at:][:n], at, it.as)
}

// sized returns n elements of scratch space.
func sized[V any](scratch *[]V, n int) []V {
	if cap(*scratch) < n {
		*scratch = make([]V, n)
	}
	return (*scratch)[:n]
}

func beyond[V float32 | float64 | int64](v V, index int, d DType) error {
	return fmt.Errorf("value %v at index %d is beyond the range of %s", v, index, d)
}

// encodeFloats returns values as bytes of type d. The first value has the index first in its tensor, for errors.
func (s *stream) encodeFloats(values []float32, first int, d DType) ([]byte, error) {
	if d == F32 && littleEndian && len(values) > 0 {
		return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(values))), 4*len(values)), nil
	}
	le := binary.LittleEndian
	b := sized(&s.buf, len(values)*d.Size())
	for i, v := range values {
		ok := true
		switch d {
		case F32:
			le.PutUint32(b[4*i:], math.Float32bits(v))
		case F64:
			le.PutUint64(b[8*i:], math.Float64bits(float64(v)))
		case F16:
			var h uint16
			h, ok = toF16(v)
			le.PutUint16(b[2*i:], h)
		case BF16:
			var h uint16
			h, ok = toBF16(v)
			le.PutUint16(b[2*i:], h)
		}
		if !ok {
			return nil, beyond(v, first+i, d)
		}
	}
	return b, nil
}

// encodeInts is encodeFloats for integers and booleans.
func (s *stream) encodeInts(values []int64, first int, d DType) ([]byte, error) {
	le := binary.LittleEndian
	b := sized(&s.buf, len(values)*d.Size())
	least, most := intRange(d)
	for i, v := range values {
		if v < least || v > most {
			return nil, beyond(v, first+i, d)
		}
		switch d.Size() {
		case 1:
			b[i] = byte(v)
		case 2:
			le.PutUint16(b[2*i:], uint16(v))
		case 4:
			le.PutUint32(b[4*i:], uint32(v))
		case 8:
			le.PutUint64(b[8*i:], uint64(v))
		}
	}
	return b, nil
}

// intRange returns the smallest and the largest int64 that an integer type holds.
func intRange(d DType) (least, most int64) {
	switch d {
	case Bool:
		return 0, 1
	case U8:
		return 0, math.MaxUint8
	case I8:
		return math.MinInt8, math.MaxInt8
	case U16:
		return 0, math.MaxUint16
	case I16:
		return math.MinInt16, math.MaxInt16
	case U32:
		return 0, math.MaxUint32
	case I32:
		return math.MinInt32, math.MaxInt32
	case U64:
		return 0, math.MaxInt64
	}
	return math.MinInt64, math.MaxInt64
}
