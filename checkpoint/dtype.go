package checkpoint

import "fmt"

// DType is the element type of a stored tensor.
type DType uint8

// The element types of the safetensors format, except those smaller than a byte.
const (
	Invalid DType = iota
	Bool          // one byte, 0 or 1
	U8
	I8
	F8E4M3 // 8-bit float, 4 exponent bits
	F8E5M2 // 8-bit float, 5 exponent bits
	F8E8M0 // 8-bit power-of-two scale
	U16
	I16
	F16 // IEEE 754 binary16
	BF16
	U32
	I32
	F32
	U64
	I64
	F64
	C64 // two F32: real, imaginary
)

// dtypes holds, by DType, the name in a safetensors header and the size of an element in bytes.
var dtypes = [...]struct {
	name string
	size int
}{
	Invalid: {"invalid", 0},
	Bool:    {"BOOL", 1},
	U8:      {"U8", 1},
	I8:      {"I8", 1},
	F8E4M3:  {"F8_E4M3", 1},
	F8E5M2:  {"F8_E5M2", 1},
	F8E8M0:  {"F8_E8M0", 1},
	U16:     {"U16", 2},
	I16:     {"I16", 2},
	F16:     {"F16", 2},
	BF16:    {"BF16", 2},
	U32:     {"U32", 4},
	I32:     {"I32", 4},
	F32:     {"F32", 4},
	U64:     {"U64", 8},
	I64:     {"I64", 8},
	F64:     {"F64", 8},
	C64:     {"C64", 8},
}

// String returns the name in a safetensors header, such as "BF16".
func (d DType) String() string {
	if int(d) < len(dtypes) {
		return dtypes[d].name
	}
	return fmt.Sprintf("DType(%d)", uint8(d))
}

// Size returns the size of an element in bytes, 0 for an unknown type.
func (d DType) Size() int {
	if int(d) < len(dtypes) {
		return dtypes[d].size
	}
	return 0
}

// IsFloat reports whether [Tensor.Floats] converts this type.
func (d DType) IsFloat() bool { return d == F64 || d == F32 || d == F16 || d == BF16 }

// IsInt reports whether [Tensor.Ints] converts this type.
func (d DType) IsInt() bool {
	switch d {
	case Bool, U8, I8, U16, I16, U32, I32, U64, I64:
		return true
	}
	return false
}

// dtypeNamed returns the type with the given header name, or Invalid.
func dtypeNamed(name string) DType {
	for d := Bool; int(d) < len(dtypes); d++ {
		if dtypes[d].name == name {
			return d
		}
	}
	return Invalid
}
