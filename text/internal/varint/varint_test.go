package varint

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"testing"
)

func TestReader(t *testing.T) {
	var plain []byte
	for _, n := range []uint64{0, 300, 3} {
		plain = binary.AppendUvarint(plain, n)
	}
	plain = append(plain, "abc"...)
	var packed bytes.Buffer
	z := zlib.NewWriter(&packed)
	if _, err := z.Write(plain); err != nil || z.Close() != nil {
		t.Fatal(err)
	}
	r := Open(packed.Bytes())
	if a, b, text := r.Next(), r.Next(), r.Text(); a != 0 || b != 300 || text != "abc" {
		t.Errorf("found %d, %d, %q", a, b, text)
	}
	for name, f := range map[string]func(){"the end": func() { r.Next() }, "corrupted data": func() { Open(packed.Bytes()[:4]) }} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: expected a panic", name)
				}
			}()
			f()
		}()
	}
}
