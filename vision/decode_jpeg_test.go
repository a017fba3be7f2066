package vision

import (
	"bytes"
	"testing"
	"time"
)

// jpegBomb is a grey progressive picture of 2000×2000 pixels in which scans of four bytes pass over all blocks.
func jpegBomb(scans int) []byte {
	const blocks = 250 * 250
	segment := func(m byte, p ...byte) []byte {
		return append([]byte{0xff, m, 0, byte(len(p) + 2)}, p...)
	}
	counts := []byte{1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0} // one code, 0
	b := []byte{0xff, 0xd8}
	b = append(b, segment(0xdb, make([]byte, 65)...)...)
	b = append(b, segment(0xc2, 8, 2000>>8, 2000&255, 2000>>8, 2000&255, 1, 1, 0x11, 0)...)
	b = append(b, segment(0xc4, append(append([]byte{0x00}, counts...), 0x00)...)...) // no difference
	b = append(b, segment(0xc4, append(append([]byte{0x10}, counts...), 0xe0)...)...) // 2^14 empty blocks and more
	b = append(b, segment(0xda, 1, 1, 0, 0, 0, 0)...)
	b = append(b, make([]byte, (blocks+7)/8)...)
	for range scans {
		b = append(b, segment(0xda, 1, 1, 0, 1, 63, 0)...)
		// A code and 14 bits of ones: 32767 blocks; then another.
		b = append(b, 0x7f, 0xfe, 0xff, 0x00, 0xff, 0x00)
	}
	return append(b, 0xff, 0xd9)
}

// A few scans are what encoders write; a thousand end after a small multiple of the time.
func TestJPEGScans(t *testing.T) {
	start := time.Now()
	m, err := DecodeBytes(jpegBomb(5), DecodeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(m.Pix, bytes.Repeat([]byte{128}, len(m.Pix))) {
		t.Error("not grey")
	}
	few := time.Since(start)
	start = time.Now()
	if _, err := DecodeBytes(jpegBomb(100_000), DecodeOptions{}); err == nil {
		t.Error("no error")
	}
	if many := time.Since(start); many > 20*few+time.Second {
		t.Errorf("refused after %v where a picture takes %v", many, few)
	}
}
