package vision

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"image"
	"image/color"
	"io"
	"os"
	"runtime"
	"strings"
	"testing"
)

// toyFormat is a format that only this test's program knows: its name, a width and a height of 16 bits, and one
// gray level for all pixels. A missing level is damage, level 13 a panic.
const toyFormat = "fovea's toy\n"

var toyDecoded int

func init() {
	config := func(r io.Reader) (image.Config, error) {
		head := make([]byte, len(toyFormat)+4)
		if _, err := io.ReadFull(r, head); err != nil {
			return image.Config{}, err
		}
		head = head[len(toyFormat):]
		return image.Config{ColorModel: color.GrayModel, Width: int(binary.BigEndian.Uint16(head)), Height: int(binary.BigEndian.Uint16(head[2:]))}, nil
	}
	decode := func(r io.Reader) (image.Image, error) {
		toyDecoded++
		c, err := config(r)
		if err != nil {
			return nil, err
		}
		level := make([]byte, 1)
		if _, err := io.ReadFull(r, level); err != nil {
			return nil, err
		}
		if level[0] == 13 {
			panic("unlucky")
		}
		m := image.NewGray(image.Rect(0, 0, c.Width, c.Height))
		for i := range m.Pix {
			m.Pix[i] = level[0]
		}
		return m, nil
	}
	image.RegisterFormat("toy", toyFormat, decode, config)
}

// A blank import that registers a format with the image package makes Decode read it, under the same limits.
func TestRegisteredFormat(t *testing.T) {
	toy := func(width, height uint16, level ...byte) []byte {
		b := binary.BigEndian.AppendUint16([]byte(toyFormat), width)
		return append(binary.BigEndian.AppendUint16(b, height), level...)
	}
	m, err := DecodeBytes(toy(7, 5, 200), DecodeOptions{ApplyOrientation: true})
	if err != nil {
		t.Fatal(err)
	}
	if m.Width != 7 || m.Height != 5 || m.Channels != 3 || !bytes.Equal(m.Pix, bytes.Repeat([]byte{200}, 105)) {
		t.Errorf("%d×%d×%d pixels: %v", m.Width, m.Height, m.Channels, m.Pix)
	}
	toyDecoded = 0
	for name, c := range map[string]struct {
		data   []byte
		limit  int
		kind   error
		within int // calls of the decoder
	}{
		"above the limit":        {toy(60000, 60000, 1), 0, ErrTooLarge, 0},
		"above the caller's own": {toy(100, 100, 1), 9999, ErrTooLarge, 0},
		"no pixels":              {toy(0, 100, 1), 0, ErrCorrupt, 0},
		"header cut":             {toy(3, 3)[:len(toyFormat)+2], 0, ErrCorrupt, 0},
		"data cut":               {toy(3, 3), 0, ErrCorrupt, 1},
		"panic":                  {toy(3, 3, 13), 0, ErrCorrupt, 1},
	} {
		toyDecoded = 0
		_, err := DecodeBytes(c.data, DecodeOptions{Name: "a.toy", MaxPixels: c.limit})
		var d *DecodeError
		if !errors.As(err, &d) || !errors.Is(err, c.kind) || d.Format != "toy" || d.Name != "a.toy" {
			t.Errorf("%s: %v, expected %v", name, err, c.kind)
		}
		if toyDecoded != c.within {
			t.Errorf("%s: decoded %d times, expected %d", name, toyDecoded, c.within)
		}
	}
}

// TestHostileSizes expects false sizes to be rejected at the cost of next to no memory. The sizes are no pixels,
// 100,000 per side, the most that the format can express, and more than the bytes can hold.
func TestHostileSizes(t *testing.T) {
	file := func(name string) []byte {
		data, err := os.ReadFile("testdata/decode/" + name)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	little, big := binary.LittleEndian, binary.BigEndian
	jpegFrame := func(name string, marker byte) func(w, h uint32) []byte {
		return func(w, h uint32) []byte {
			b := file(name)
			i := bytes.Index(b, []byte{0xff, marker})
			big.PutUint16(b[i+5:], uint16(min(h, 65535)))
			big.PutUint16(b[i+7:], uint16(min(w, 65535)))
			return b
		}
	}
	formats := map[string]func(w, h uint32) []byte{
		"png": func(w, h uint32) []byte {
			b := file("rgb.png")
			big.PutUint32(b[16:], w)
			big.PutUint32(b[20:], h)
			big.PutUint32(b[29:], crc32.ChecksumIEEE(b[12:29]))
			return b
		},
		"jpeg":             jpegFrame("420.jpg", 0xc0),
		"progressive jpeg": jpegFrame("420_progressive.jpg", 0xc2),
		"gif": func(w, h uint32) []byte {
			b := file("palette.gif")
			little.PutUint16(b[6:], uint16(min(w, 65535)))
			little.PutUint16(b[8:], uint16(min(h, 65535)))
			return b
		},
		"bmp": func(w, h uint32) []byte {
			b := file("rgb.bmp")
			little.PutUint32(b[18:], w)
			little.PutUint32(b[22:], h)
			return b
		},
		"animated webp": func(w, h uint32) []byte {
			b := file("offset.webp")
			little.PutUint32(b[24:], w-1&0xffffff|uint32(b[27])<<24)
			b[27], b[28], b[29] = byte(h-1), byte((h-1)>>8), byte((h-1)>>16)
			return b
		},
		"tiff": func(w, h uint32) []byte {
			b := file("rgb.tif")
			for i := 0; i+12 <= len(b); i++ { // width and height, as 16-bit numbers
				if little.Uint16(b[i:]) == 256 && little.Uint16(b[i+12:]) == 257 {
					little.PutUint16(b[i+2:], 4)
					little.PutUint32(b[i+8:], w)
					little.PutUint16(b[i+14:], 4)
					little.PutUint32(b[i+20:], h)
					return b
				}
			}
			t.Fatal("no tags")
			return nil
		},
	}
	for name, resized := range formats {
		for _, size := range [][2]uint32{{0, 5}, {5, 0}, {0, 0}, {100_000, 100_000}, {1 << 31, 1}, {1<<32 - 1, 1<<32 - 1}, {1, 100_000_000}, {13_000, 13_000}} {
			if (name == "animated webp" || name == "gif") && (size[0] == 0 || size[1] == 0) {
				continue // the first counts from 1, the other grows with the frame
			}
			data := resized(size[0], size[1])
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			m, err := DecodeBytes(data, DecodeOptions{Name: "hostile"})
			runtime.ReadMemStats(&after)
			if err == nil {
				t.Errorf("%s of %v: decoded to %d×%d", name, size, m.Width, m.Height)
				continue
			}
			if !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrTooLarge) && !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), "hostile") {
				t.Errorf("%s of %v: %v", name, size, err)
			}
			limit := uint64(1 << 20)
			if strings.Contains(name, "jpeg") && size[0] != size[1] {
				limit = 16 << 20 // 65535×1 pixels: few enough to be decoded, in blocks of 8×8
			}
			if cost := after.TotalAlloc - before.TotalAlloc; cost > limit {
				t.Errorf("%s of %v: %d bytes allocated for a file of %d: %v", name, size, cost, len(data), err)
			}
		}
	}
}

func FuzzOrientation(f *testing.F) {
	for _, name := range []string{"orient6_exif.jpg", "orient6_exif.png", "orient6_exif.webp", "orient6_exif.tif"} {
		data, err := os.ReadFile("testdata/decode/" + name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte("II*\x00\x08\x00\x00\x00\x01\x00\x12\x01\x03\x00\x01\x00\x00\x00\x06\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, read := range []func([]byte) metadata{jpegMetadata, pngMetadata, webpMetadata, tiffMetadata} {
			if o := read(data).orientation(); o < 1 || o > 8 {
				t.Fatalf("orientation %d", o)
			}
		}
	})
}
