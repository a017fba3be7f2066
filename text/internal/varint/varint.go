// Package varint reads tables of whole numbers that are compressed with zlib:
//
//	r := varint.Open(compressed)
//	for range r.Next() {
//		fmt.Println(r.Next())
//	}
//
// Tables are part of the program. So corrupted data is a panic, as is reading beyond their end.
package varint

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"io"
)

// A Reader reads a table from its start to its end.
type Reader struct{ data []byte }

// Open returns a reader for compressed data.
func Open(compressed []byte) *Reader {
	z, err := zlib.NewReader(bytes.NewReader(compressed))
	if err != nil {
		panic(err)
	}
	data, err := io.ReadAll(z)
	if err != nil {
		panic(err)
	}
	return &Reader{data}
}

// Next returns the next number, which is stored as by [binary.AppendUvarint].
func (r *Reader) Next() int {
	v, n := binary.Uvarint(r.data)
	if n <= 0 {
		panic("varint: the table is at its end")
	}
	r.data = r.data[n:]
	return int(v)
}

// Text returns the next bytes, whose number is before them.
func (r *Reader) Text() string {
	n := r.Next()
	text := string(r.data[:n])
	r.data = r.data[n:]
	return text
}
