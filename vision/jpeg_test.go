package vision

import (
	"bytes"
	"testing"
	"time"
)

// jpegBomb is a gray progressive image of 2000×2000 pixels. Its scans of four bytes pass over all blocks.
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
		t.Error("not gray")
	}
	few := time.Since(start)
	start = time.Now()
	if _, err := DecodeBytes(jpegBomb(100_000), DecodeOptions{}); err == nil {
		t.Error("no error")
	}
	if many := time.Since(start); many > 20*few+10*time.Second {
		t.Errorf("rejected after %v, an image takes %v", many, few)
	}
}

// A reduced image has the requested sides, and looks like the resized whole image.
func TestReduceTo(t *testing.T) {
	fsys := sharedData(t)
	const name = "images/china.jpg" // 640×427
	whole, err := DecodeFile(fsys, name, DecodeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		to, width, height int
		resized           float64 // the mean difference after a resize, at most
	}{
		{0, 640, 427, 0}, {1, 80, 54, 4.5}, {54, 80, 54, 4.5}, {55, 160, 107, 1.2}, {107, 160, 107, 1.2},
		{108, 320, 214, 1}, {214, 320, 214, 1}, {215, 640, 427, 0}, {5000, 640, 427, 0},
	} {
		m, err := DecodeFile(fsys, name, DecodeOptions{ReduceTo: c.to})
		if err != nil {
			t.Fatal(err)
		}
		if m.Width != c.width || m.Height != c.height {
			t.Errorf("reduced to %d: %d×%d pixels, want %d×%d", c.to, m.Width, m.Height, c.width, c.height)
			continue
		}
		want, err := Resize(whole, c.height, c.width, Box)
		if err != nil {
			t.Fatal(err)
		}
		_, mean := worst(t, m, want)
		t.Logf("reduced to %d: %d×%d, mean difference from a resize %.2f levels", c.to, m.Width, m.Height, mean)
		if mean > 7 {
			t.Errorf("reduced to %d: differs from a resize by %.2f levels on the mean", c.to, mean)
		}
		// What comes of it on the way to 40 pixels.
		small, err := Resize(m, 40, 40, Bicubic)
		if err != nil {
			t.Fatal(err)
		}
		exact, err := Resize(whole, 40, 40, Bicubic)
		if err != nil {
			t.Fatal(err)
		}
		_, mean = worst(t, small, exact)
		t.Logf("then resized to 40×40: %.2f levels", mean)
		if mean > c.resized {
			t.Errorf("reduced to %d, then resized: differs by %.2f levels on the mean", c.to, mean)
		}
	}
}
