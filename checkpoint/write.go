package checkpoint

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"unsafe"

	"github.com/fovea-ml/fovea/internal/atomicfile"
)

// An Entry is one tensor to be written: Floats or, when those are nil, Ints, in row-major order.
type Entry struct {
	Name   string
	Shape  []int // empty for a scalar
	Floats []float32
	Ints   []int64 // written as I64

	lazy func() []float32 // instead of Floats: called when its turn comes
}

// WriteOptions change how a file is written.
type WriteOptions struct {
	// DType is the type in which floats are stored: F32 (also the zero value), F16 or BF16. Rounding is
	// to nearest, ties to even; a finite number that would become infinite is an error.
	DType DType

	// Metadata is the file's own metadata. Without it, or without the key, "format" is "pt", which
	// transformers asks for.
	Metadata map[string]string
}

// Write writes a safetensors file that appears under its name whole or not at all: the data goes to a
// temporary file in the same folder, is synced, and is renamed. Tensors are streamed; no second copy of
// them is made.
func Write(path string, entries []Entry, opts WriteOptions) error {
	err := atomicfile.Write(path, func(w io.Writer) error { return Encode(w, entries, opts) })
	if err != nil {
		return fmt.Errorf("checkpoint: write %s: %w", path, err)
	}
	return nil
}

// Encode writes a safetensors file to w. Data of wider types comes first, so that every tensor is aligned
// to its element, then the order is that of the names: equal tensors make equal bytes.
func Encode(w io.Writer, entries []Entry, opts WriteOptions) error {
	if opts.DType == Invalid {
		opts.DType = F32
	}
	if opts.DType != F32 && opts.DType != F16 && opts.DType != BF16 {
		return fmt.Errorf("expected F32, F16 or BF16, found %s", opts.DType)
	}
	sorted := slices.Clone(entries)
	slices.SortStableFunc(sorted, func(a, b Entry) int {
		return cmp.Or(cmp.Compare(a.dtype(opts).Size(), b.dtype(opts).Size())*-1, strings.Compare(a.Name, b.Name))
	})
	head, err := header(sorted, opts)
	if err != nil {
		return err
	}
	if _, err := w.Write(head); err != nil {
		return err
	}
	buf := make([]byte, 0, 64<<10)
	for i := range sorted {
		if err := sorted[i].encode(w, opts.DType, buf); err != nil {
			return err
		}
	}
	return nil
}

func (e *Entry) dtype(opts WriteOptions) DType {
	if e.lazy == nil && e.Floats == nil && e.Ints != nil {
		return I64
	}
	return opts.DType
}

// elements returns the product of the shape, checked, and against what is there to write.
func (e *Entry) elements() (int, error) {
	n := 1
	for _, d := range e.Shape {
		if d < 0 || (d > 0 && n > math.MaxInt/8/d) {
			return 0, fmt.Errorf("tensor %q: shape %v overflows", e.Name, e.Shape)
		}
		n *= d
	}
	have := len(e.Floats)
	switch {
	case e.lazy != nil:
		have = n
	case e.Floats == nil && e.Ints != nil:
		have = len(e.Ints)
	}
	if have != n {
		return 0, fmt.Errorf("tensor %q: expected %d values for shape %v, found %d", e.Name, n, e.Shape, have)
	}
	return n, nil
}

// header returns the length and the JSON, padded so that the data starts at a multiple of eight.
func header(sorted []Entry, opts WriteOptions) ([]byte, error) {
	b := bytes.NewBuffer(make([]byte, prefixSize))
	metadata := map[string]string{"format": "pt"}
	for k, v := range opts.Metadata {
		metadata[k] = v
	}
	b.WriteString(`{"` + metadataKey + `":`)
	if err := quote(b, metadata); err != nil {
		return nil, err
	}
	seen := map[string]bool{metadataKey: true}
	at := 0
	for i := range sorted {
		e := &sorted[i]
		if seen[e.Name] {
			return nil, fmt.Errorf("tensor %q: name is given twice or is reserved", e.Name)
		}
		seen[e.Name] = true
		n, err := e.elements()
		if err != nil {
			return nil, err
		}
		d := e.dtype(opts)
		end := at + n*d.Size()
		if end < at {
			return nil, fmt.Errorf("tensor %q: file overflows", e.Name)
		}
		b.WriteByte(',')
		if err := quote(b, e.Name); err != nil {
			return nil, err
		}
		shape := append([]int{}, e.Shape...) // never null
		b.WriteString(`:{"dtype":"` + d.String() + `","shape":`)
		if err := quote(b, shape); err != nil {
			return nil, err
		}
		fmt.Fprintf(b, `,"data_offsets":[%d,%d]}`, at, end)
		at = end
	}
	b.WriteByte('}')
	for b.Len()%8 != 0 {
		b.WriteByte(' ')
	}
	head := b.Bytes()
	if len(head)-prefixSize > maxHeader {
		return nil, fmt.Errorf("header of %d bytes is longer than the allowed %d", len(head)-prefixSize, maxHeader)
	}
	binary.LittleEndian.PutUint64(head, uint64(len(head)-prefixSize))
	return head, nil
}

// quote appends v as JSON.
func quote(b *bytes.Buffer, v any) error {
	enc := json.NewEncoder(b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return err
	}
	b.Truncate(b.Len() - 1) // the encoder's newline
	return nil
}

// encode writes the tensor's data; buf is scratch space.
func (e *Entry) encode(w io.Writer, d DType, buf []byte) error {
	values := e.Floats
	if e.lazy != nil {
		values = e.lazy()
		if want := product(e.Shape); len(values) != want {
			return fmt.Errorf("tensor %q: expected %d values for shape %v, found %d", e.Name, want, e.Shape, len(values))
		}
	}
	if values == nil && e.Ints != nil {
		return chunks(w, e.Ints, buf, func(b []byte, v int64) ([]byte, bool) {
			return binary.LittleEndian.AppendUint64(b, uint64(v)), true
		}, e.Name, I64)
	}
	switch d {
	case F16:
		return chunks(w, values, buf, func(b []byte, v float32) ([]byte, bool) {
			h, ok := toF16(v)
			return binary.LittleEndian.AppendUint16(b, h), ok
		}, e.Name, d)
	case BF16:
		return chunks(w, values, buf, func(b []byte, v float32) ([]byte, bool) {
			h, ok := toBF16(v)
			return binary.LittleEndian.AppendUint16(b, h), ok
		}, e.Name, d)
	}
	if littleEndian && len(values) > 0 {
		_, err := w.Write(unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(values))), 4*len(values)))
		return err
	}
	return chunks(w, values, buf, func(b []byte, v float32) ([]byte, bool) {
		return binary.LittleEndian.AppendUint32(b, math.Float32bits(v)), true
	}, e.Name, d)
}

// chunks converts and writes values a buffer at a time.
func chunks[V float32 | int64](w io.Writer, values []V, buf []byte, put func([]byte, V) ([]byte, bool), name string, d DType) error {
	for at := 0; at < len(values); {
		buf = buf[:0]
		for ; at < len(values) && len(buf)+8 <= cap(buf); at++ {
			var ok bool
			if buf, ok = put(buf, values[at]); !ok {
				return fmt.Errorf("tensor %q: value %v at index %d is beyond the range of %s", name, values[at], at, d)
			}
		}
		if _, err := w.Write(buf); err != nil {
			return err
		}
	}
	return nil
}
