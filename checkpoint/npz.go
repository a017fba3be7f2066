package checkpoint

import (
	"archive/zip"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// numpy.savez writes a zip archive with an entry NAME.npy for each array. An entry has a header, the text of a Python
// dictionary, and the elements after it. Reference: numpy/lib/format.py.
const (
	npyEnding = ".npy"
	npyMagic  = "\x93NUMPY"
)

// npyHeader is the dictionary as NumPy writes it, padded by spaces.
var npyHeader = regexp.MustCompile(`^\{'descr': '([^']{1,8})', 'fortran_order': (True|False), 'shape': \(([0-9, ]*)\), \} *\n$`)

// npyTypes are the types of elements by their names. JAX writes bfloat16 as two bytes without a name.
var npyTypes = map[string]DType{
	"|b1": Bool, "|u1": U8, "|i1": I8, "<u2": U16, "<i2": I16, "<f2": F16, "|V2": BF16, "<V2": BF16, "<u4": U32, "<i4": I32, "<f4": F32,
	"<u8": U64, "<i8": I64, "<f8": F64, "<c8": C64,
}

// holdsArrays reports whether an archive has an array of NumPy.
func (a *torchArchive) holdsArrays() bool {
	for name := range a.entries {
		if strings.HasSuffix(name, npyEnding) {
			return true
		}
	}
	return false
}

// arrays returns the arrays of NumPy in an archive. Those that are not compressed are used in place.
func (a *torchArchive) arrays() (*torchContents, error) {
	c := &torchContents{arrays: true}
	for name, e := range a.entries {
		name, ok := strings.CutSuffix(name, npyEnding)
		if !ok {
			continue
		}
		t, err := a.array(e)
		if err != nil {
			return nil, formatErrorf(a.src.name, name[:min(len(name), maxName)], "%w", err)
		}
		t.Name = name
		c.tensors = append(c.tensors, t)
	}
	return c, sortByName(a.src.name, c.tensors)
}

// array reads the header of one array.
func (a *torchArchive) array(e *zipEntry) (t Tensor, err error) {
	data, err := a.read(e)
	if err != nil {
		return t, err
	}
	src, first := a.src, e.begin
	if e.Method != zip.Store {
		src, first = &source{name: a.src.name, data: data}, 0
		a.sources = append(a.sources, src)
	}
	header, rest, err := npySplit(data)
	if err != nil {
		return t, err
	}
	match := npyHeader.FindStringSubmatch(header)
	if match == nil {
		return t, fmt.Errorf("expected the header of a NumPy array, found %.80q", header)
	}
	dtype, ok := npyTypes[match[1]]
	if !ok {
		return t, fmt.Errorf("elements of the type %q are unsupported", match[1])
	}
	shape, count, most := []int{}, 1, dtype.Size()
	for text := range strings.SplitSeq(match[3], ",") {
		if text = strings.TrimSpace(text); text == "" {
			continue
		}
		n, err := strconv.Atoi(text)
		switch {
		case err != nil || len(shape) == maxRank:
			return t, fmt.Errorf("expected a shape, found (%.80s)", match[3])
		case n != 0 && count > len(rest)/n:
			return t, fmt.Errorf("the shape (%.80s) has more elements than the %d bytes of the array", match[3], len(rest))
		case n > 0 && most > math.MaxInt/n: // beside a zero, where callers multiply in their own order
			return t, fmt.Errorf("the shape (%.80s) is too large", match[3])
		}
		shape, count, most = append(shape, n), count*n, most*max(1, n)
	}
	size := dtype.Size()
	if count > len(rest)/size || count*size != len(rest) {
		return t, fmt.Errorf("expected %d elements of %d bytes, found %d bytes", count, size, len(rest))
	}
	first += len(data) - len(rest)
	if match[2] == "True" && len(shape) > 1 && count > 0 { // columns follow each other
		strides, step := make([]int, len(shape)), 1
		for i, n := range shape {
			strides[i] = step
			step *= n
		}
		gathered := &source{name: src.name, strided: &strided{base: src, begin: first, size: size, shape: slices.Clone(shape), strides: strides}}
		return Tensor{DType: dtype, Shape: shape, src: gathered, end: len(rest)}, nil
	}
	return Tensor{DType: dtype, Shape: shape, src: src, begin: first, end: first + len(rest)}, nil
}

// npySplit returns the header of an array and its elements.
func npySplit(data []byte) (header string, rest []byte, err error) {
	const short = len(npyMagic) + 2 // and the two bytes of the version
	if len(data) < short+4 || string(data[:len(npyMagic)]) != npyMagic {
		return "", nil, errors.New("expected a NumPy array")
	}
	begin, length := short+2, int64(binary.LittleEndian.Uint16(data[short:]))
	if version := data[len(npyMagic)]; version > 1 {
		begin, length = short+4, int64(binary.LittleEndian.Uint32(data[short:]))
	}
	if length > int64(min(len(data)-begin, 1<<16)) {
		return "", nil, fmt.Errorf("the header of a NumPy array takes %d bytes, more than the array has", length)
	}
	end := begin + int(length)
	return string(data[begin:end]), data[end:], nil
}
