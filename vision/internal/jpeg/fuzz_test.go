package jpeg

import (
	"bytes"
	"errors"
	"image/jpeg"
	"os"
	"path/filepath"
	"testing"
)

// No input panics, every error is of a known kind, the ways through the decoder agree, and where the standard library
// reads a file too, the sizes are equal. The pixels need not be: beyond the range of real photographs its inverse
// transform clips elsewhere than libjpeg's, which TestRandomFilesEqualPillow compares with.
func FuzzJPEG(f *testing.F) {
	files, err := filepath.Glob("testdata/*.jpg")
	if err != nil || len(files) == 0 {
		f.Fatal("no files", err)
	}
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		h, err := ReadHeader(data)
		if err == nil && h.Width*h.Height > 1<<20 {
			return
		}
		var pix []uint8
		if err == nil {
			pix = make([]uint8, 3*h.Width*h.Height)
			err = Decode(pix, data, 8)
		}
		if err != nil {
			if !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrUnsupported) && !errors.Is(err, ErrTooMuchWork) {
				t.Fatalf("error %v is of no kind", err)
			}
			return
		}
		for eighths := 1; eighths < 8; eighths *= 2 {
			w, h := h.Reduced(eighths)
			if err := Decode(make([]uint8, 3*w*h), data, eighths); err != nil {
				t.Fatalf("at %d/8: %v", eighths, err)
			}
		}
		again := make([]uint8, len(pix))
		if !kept(t, again, data) {
			return
		}
		if !bytes.Equal(again, pix) {
			t.Fatal("with coefficients kept, the pixels are others")
		}
		m, err := jpeg.Decode(bytes.NewReader(data))
		if err != nil {
			return
		}
		if b := m.Bounds(); b.Dx() != h.Width || b.Dy() != h.Height {
			t.Fatalf("%d×%d pixels, image/jpeg reads %v", h.Width, h.Height, b)
		}
	})
}

// kept decodes by way of coefficients, whether the file has several scans or not. It reports whether they are such as
// samples of 8 bits can lead to, so that nothing overflows.
func kept(t *testing.T, pix []uint8, data []byte) bool {
	d := new(decoder)
	d.reader, d.pix, d.size = reader{data: data}, pix, 8
	if err := d.begin(); err != nil {
		t.Fatal(err)
	}
	for {
		m, err := d.next()
		if m == markEOI || err != nil && d.begun {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if bare(m) {
			continue
		}
		p, err := d.payload(m)
		if err == nil && m == markSOS && !d.buffered {
			several := d.progressive || int(p[0]) < len(d.comps)
			err = d.buffer()
			if !several {
				if err = d.segment(m, p); err == nil {
					break // libjpeg looks at nothing after the only scan
				}
			}
		}
		if err == nil {
			err = d.segment(m, p)
		}
		if err != nil {
			t.Fatalf("with coefficients kept: %v", err)
		}
	}
	if err := d.complete(); err != nil {
		t.Fatalf("with coefficients kept: %v", err)
	}
	for i := range d.comps {
		c := &d.comps[i]
		for _, b := range c.coeffs {
			sum := 0
			for k, v := range b {
				sum += max(int(v), -int(v)) * int(uint16(c.quant[k]))
			}
			if sum > 6000 {
				return false
			}
		}
	}
	return true
}
