package checkpoint

import (
	"encoding/binary"
	"fmt"
	"math"
	"runtime"
	"unsafe"

	"github.com/fovea-ml/fovea/simd"
)

// A Tensor is one entry of a [File]: dense, row-major. It is a small value that refers to the file's bytes. Reading it
// copies and converts.
type Tensor struct {
	Name  string
	DType DType
	Shape []int // empty for a scalar; must not be changed

	src        *source
	begin, end int
}

// Len returns the number of elements: the product of the shape, 1 for a scalar.
func (t Tensor) Len() int {
	if t.DType.Size() == 0 {
		return 0
	}
	return (t.end - t.begin) / t.DType.Size()
}

// Bytes returns the stored little-endian bytes, which must not be changed. Like a view, they pin a mapped file. For a
// PyTorch tensor with strides of its own they are a copy in row-major order.
func (t Tensor) Bytes() []byte {
	if t.src == nil {
		return nil
	}
	t.src.pin()
	return t.bytes()
}

func (t Tensor) bytes() []byte {
	if t.src == nil {
		return nil
	}
	return t.src.slice(t.begin, t.end)
}

// bytesAt returns the bytes of n elements from the index first on.
func (t Tensor) bytesAt(first, n int) []byte {
	if t.src == nil {
		return nil
	}
	size := t.DType.Size()
	return t.src.slice(t.begin+first*size, t.begin+(first+n)*size)
}

// View returns the elements of an F32 tensor without a copy. They must not be changed. ok is false when
//
//   - the type is another;
//   - the data is not aligned to 4 bytes, or not in one piece (a PyTorch tensor with strides of its own);
//   - the machine is big-endian.
//
// A view keeps a mapped file mapped until [File.Close]. After that it must not be touched.
func (t Tensor) View() (values []float32, ok bool) {
	if t.DType != F32 || t.src.strided != nil {
		return nil, false
	}
	if values, ok = elementsOf[float32](t.bytes()); ok && len(values) > 0 {
		t.src.pin()
	}
	return values, ok
}

// littleEndian reports whether this machine stores numbers in the byte order of the format.
var littleEndian = binary.NativeEndian.Uint16([]byte{1, 0}) == 1

// Floats writes the elements of an F64, F32, F16 or BF16 tensor to dst, which must have room for exactly
// [Tensor.Len]. F64 is rounded to nearest, and to an infinity beyond the range of float32.
func (t Tensor) Floats(dst []float32) error {
	if !t.DType.IsFloat() {
		return fmt.Errorf("checkpoint: tensor %q: expected F64, F32, F16 or BF16, found %s", t.Name, t.DType)
	}
	if len(dst) != t.Len() {
		return fmt.Errorf("checkpoint: tensor %q: expected room for %d values, found %d", t.Name, t.Len(), len(dst))
	}
	t.floatsAt(dst, 0)
	return nil
}

// floatsAt writes the elements from the index first on. The type is one that IsFloat.
func (t Tensor) floatsAt(dst []float32, first int) {
	defer runtime.KeepAlive(t.src) // or the mapping could end while its bytes are copied
	b := t.bytesAt(first, len(dst))
	switch t.DType {
	case F32:
		if littleEndian && len(dst) > 0 {
			copy(unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(dst))), len(b)), b)
			return
		}
		for i := range dst {
			dst[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
		}
	case F64:
		for i := range dst {
			dst[i] = float32(math.Float64frombits(binary.LittleEndian.Uint64(b[8*i:])))
		}
	case F16:
		if h, ok := elementsOf[uint16](b); ok {
			simd.F16ToF32(dst, h)
			return
		}
		for i := range dst {
			dst[i] = fromF16(binary.LittleEndian.Uint16(b[2*i:]))
		}
	case BF16:
		if h, ok := elementsOf[uint16](b); ok {
			simd.BF16ToF32(dst, h)
			return
		}
		for i := range dst {
			dst[i] = math.Float32frombits(uint32(binary.LittleEndian.Uint16(b[2*i:])) << 16)
		}
	}
}

// Ints writes the elements of an integer or boolean tensor to dst, which must have room for exactly
// [Tensor.Len]. A U64 element beyond int64 is an error.
func (t Tensor) Ints(dst []int64) error {
	if !t.DType.IsInt() {
		return fmt.Errorf("checkpoint: tensor %q: expected an integer type, found %s", t.Name, t.DType)
	}
	if len(dst) != t.Len() {
		return fmt.Errorf("checkpoint: tensor %q: expected room for %d values, found %d", t.Name, t.Len(), len(dst))
	}
	if err := t.intsAt(dst, 0); err != nil {
		return fmt.Errorf("checkpoint: tensor %q: %w", t.Name, err)
	}
	return nil
}

// intsAt writes the elements from the index first on. The type is one that IsInt.
func (t Tensor) intsAt(dst []int64, first int) error {
	defer runtime.KeepAlive(t.src)
	b, le := t.bytesAt(first, len(dst)), binary.LittleEndian
	for i := range dst {
		switch t.DType {
		case Bool, U8:
			dst[i] = int64(b[i])
		case I8:
			dst[i] = int64(int8(b[i]))
		case U16:
			dst[i] = int64(le.Uint16(b[2*i:]))
		case I16:
			dst[i] = int64(int16(le.Uint16(b[2*i:])))
		case U32:
			dst[i] = int64(le.Uint32(b[4*i:]))
		case I32:
			dst[i] = int64(int32(le.Uint32(b[4*i:])))
		case U64, I64:
			v := le.Uint64(b[8*i:])
			if t.DType == U64 && v > math.MaxInt64 {
				return fmt.Errorf("value %d at index %d is beyond int64", v, first+i)
			}
			dst[i] = int64(v)
		}
	}
	return nil
}

// float64At returns an element of an F64 tensor as it is stored.
func (t Tensor) float64At(i int) float64 {
	defer runtime.KeepAlive(t.src)
	return math.Float64frombits(binary.LittleEndian.Uint64(t.bytesAt(i, 1)))
}
