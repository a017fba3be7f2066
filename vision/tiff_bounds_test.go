package vision

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"
	"time"
)

// tiffOf returns a TIFF file with the given entries, as LONG values, and the given bytes before them, at offset 8.
func tiffOf(pixels []byte, entries map[uint16][]uint32) []byte {
	b := append([]byte("II*\x00\x00\x00\x00\x00"), pixels...)
	var page bytes.Buffer
	n := 0
	for tag := uint16(0); tag < 1000; tag++ {
		values, ok := entries[tag]
		if !ok {
			continue
		}
		n++
		value := uint32(len(b))
		if len(values) == 1 {
			value = values[0]
		} else {
			for _, v := range values {
				b = binary.LittleEndian.AppendUint32(b, v)
			}
		}
		binary.Write(&page, binary.LittleEndian, struct {
			Tag, Type    uint16
			Count, Value uint32
		}{tag, 4, uint32(len(values)), value})
	}
	binary.LittleEndian.PutUint32(b[4:], uint32(len(b)))
	b = binary.LittleEndian.AppendUint16(b, uint16(n))
	return append(append(b, page.Bytes()...), 0, 0, 0, 0)
}

// TestTIFFWork refuses small files that ask for much work: tiles that are much wider than the page, and strips that read
// the same bytes again and again.
func TestTIFFWork(t *testing.T) {
	repeated := func(v uint32, n int) []uint32 {
		out := make([]uint32, n)
		for i := range out {
			out[i] = v
		}
		return out
	}
	const rows = 20000
	nothing := bytes.Repeat([]byte{0x80}, 400_000) // PackBits that codes no byte
	for want, file := range map[string][]byte{
		"strips or tiles of": tiffOf(make([]byte, 16), map[uint16][]uint32{
			256: {5}, 257: {rows}, 258: {8}, 259: {1}, 262: {1}, 277: {1}, 322: {65536}, 323: {1},
			324: repeated(8, rows), 325: repeated(16, rows),
		}),
		"too often": tiffOf(append(nothing, 4, 1, 2, 3, 4, 5), map[uint16][]uint32{
			256: {5}, 257: {rows}, 258: {8}, 259: {32773}, 262: {1}, 277: {1}, 278: {1},
			273: repeated(8, rows), 279: repeated(400_006, rows),
		}),
	} {
		begun := time.Now()
		_, err := DecodeBytes(file, DecodeOptions{})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("expected %q after %v, found %v", want, time.Since(begun), err)
		}
	}
}

// TestPNGEmptyChunks reads a file of very many empty chunks without a list of them.
func TestPNGEmptyChunks(t *testing.T) {
	data := pngFile(t, NewImage(2, 3, 3)).Data
	at := bytes.Index(data, []byte("IDAT")) - 4
	empty := []byte("\x00\x00\x00\x00IDAT\x35\xaf\x06\x1e")
	many := append(append(bytes.Clone(data[:at]), bytes.Repeat(empty, 100_000)...), data[at:]...)
	info, err := parsePNG(many)
	if err != nil || len(info.pixels) != 1 {
		t.Errorf("%d parts, %v", len(info.pixels), err)
	}
	if m, err := DecodeBytes(many, DecodeOptions{}); err != nil || m.Width != 3 || m.Height != 2 {
		t.Errorf("%v, %v", m, err)
	}
}
