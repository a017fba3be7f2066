package vision

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"image"
	"io"
	"slices"

	"golang.org/x/image/webp"
)

// decodeWebP reads the pixels of a WebP file, the first frame's where there are several.
func decodeWebP(data []byte) (*Image, error) {
	f, err := webpFirstFrame(data)
	if err != nil {
		return nil, err
	}
	if f == nil {
		m, err := webp.Decode(bytes.NewReader(data))
		if err != nil {
			return nil, err
		}
		return fromWebP(m), nil
	}
	decoded, err := webp.Decode(bytes.NewReader(f.file))
	if err != nil {
		return nil, err
	}
	m := fromWebP(decoded)
	if m.Width != f.at.Dx() || m.Height != f.at.Dy() {
		return nil, fmt.Errorf("the frame says %d×%d pixels, its data %d×%d", f.at.Dx(), f.at.Dy(), m.Width, m.Height)
	}
	// Around a smaller frame the canvas is transparent black.
	return m.window(image.Rect(0, 0, f.width, f.height).Sub(f.at.Min)), nil
}

// webpFrame is the image of a file in the extended form, or the first frame of an animation.
type webpFrame struct {
	width, height int             // of the canvas
	at            image.Rectangle // of the frame in it
	file          []byte          // the frame as a WebP file of its own
}

// webpFirstFrame returns the image of a file in the extended form, nil for a file in the simple one. Only the chunks
// that hold pixels are looked at, so that flags may be wrong and others may stand in between.
func webpFirstFrame(data []byte) (*webpFrame, error) {
	if len(data) < 30 || string(data[12:16]) != "VP8X" {
		return nil, nil
	}
	u24 := func(b []byte) int { return int(b[0]) | int(b[1])<<8 | int(b[2])<<16 }
	f := &webpFrame{width: u24(data[24:]) + 1, height: u24(data[27:]) + 1}
	f.at = image.Rect(0, 0, f.width, f.height)
	chunks := data[12:]
	if data[20]&2 != 0 { // animation
		var frame []byte
		webpChunks(data, func(id string, payload []byte) bool {
			if id == "ANMF" {
				frame = payload
			}
			return frame == nil
		})
		if len(frame) < 16+8 {
			return f, fmt.Errorf("before the first frame: %w", io.ErrUnexpectedEOF)
		}
		x, y, w, h := 2*u24(frame), 2*u24(frame[3:]), u24(frame[6:])+1, u24(frame[9:])+1
		if f.at = image.Rect(x, y, x+w, y+h); !f.at.In(image.Rect(0, 0, f.width, f.height)) {
			return f, fmt.Errorf("the first frame %v leaves the canvas of %d×%d pixels", f.at, f.width, f.height)
		}
		chunks = frame[16:]
	} else if n := webpLength(data); n < uint64(len(data)) {
		chunks = data[12:max(n, 12)]
	}
	var alpha, pixels []byte // whole chunks
	walkChunks(chunks, func(id string, whole []byte) bool {
		switch id {
		case "ALPH":
			if alpha == nil {
				alpha = whole
			}
		case "VP8 ":
			pixels = append(slices.Clone(alpha), whole...)
		case "VP8L": // holds its own alpha
			alpha, pixels = nil, whole
		}
		return pixels == nil
	})
	if pixels == nil {
		return f, fmt.Errorf("before the pixels: %w", io.ErrUnexpectedEOF)
	}
	var b bytes.Buffer
	b.WriteString("RIFF")
	b.Write(binary.LittleEndian.AppendUint32(nil, uint32(4+18+len(pixels))))
	b.WriteString("WEBPVP8X\x0a\x00\x00\x00")
	flags := byte(0)
	if alpha != nil {
		flags = 0x10
	}
	b.Write([]byte{flags, 0, 0, 0})
	w, h := f.at.Dx()-1, f.at.Dy()-1
	b.Write([]byte{byte(w), byte(w >> 8), byte(w >> 16), byte(h), byte(h >> 8), byte(h >> 16)})
	b.Write(pixels)
	f.file = b.Bytes()
	return f, nil
}

// walkChunks calls f with each chunk, with its header and padding, until f returns false.
func walkChunks(b []byte, f func(id string, whole []byte) bool) {
	for len(b) >= 8 {
		n := 8 + uint64(binary.LittleEndian.Uint32(b[4:]))
		if n > uint64(len(b)) {
			return
		}
		n = min(n+n&1, uint64(len(b)))
		if !f(string(b[:4]), b[:n:n]) {
			return
		}
		b = b[n:]
	}
}

// webpChunks calls f with each chunk of the file until f returns false. Bytes beyond the length in the header are
// ignored.
func webpChunks(data []byte, f func(id string, payload []byte) bool) {
	if len(data) < 12 {
		return
	}
	data = data[:min(uint64(len(data)), webpLength(data))]
	for p := 12; p+8 <= len(data); {
		n := uint64(binary.LittleEndian.Uint32(data[p+4:]))
		if n > uint64(len(data)-p-8) || !f(string(data[p:p+4]), data[p+8:p+8+int(n)]) {
			return
		}
		p += 8 + int(n+n&1)
	}
}

// webpLength is the length in the header.
func webpLength(data []byte) uint64 { return 8 + uint64(binary.LittleEndian.Uint32(data[4:])) }

// boundFlat bounds perByte for formats that need next to no bytes for an image of one color. A large image that is
// flatter than any photograph or drawing is rejected as a decompression bomb.
func (h *header) boundFlat() {
	if int64(h.width)*int64(h.height) > 1<<22 {
		h.perByte = 4096
	}
}

func webpHeader(data []byte) (header, error) {
	var h header
	// The orientation comes after the pixels: a truncated file may have lost it.
	if n := webpLength(data); n > uint64(len(data)) {
		return h, fmt.Errorf("%d of %d bytes: %w", len(data), n, io.ErrUnexpectedEOF)
	}
	f, err := webpFirstFrame(data)
	switch {
	case err != nil:
		return h, err
	case f != nil:
		h.width, h.height = f.width, f.height
	default:
		h, err = headerBy(webp.DecodeConfig, data)
	}
	h.boundFlat()
	return h, err
}

// A lossy WebP frame holds brightness in 16..235 and color at half resolution. image.YCbCr has the full range of JPEG, so
// the standard library's conversion gives washed-out pixels. The functions below do libwebp's conversion: bilinear
// chroma and 14-bit fixed-point BT.601.

// fromWebP converts an image that x/image/webp decoded. Alpha is dropped.
func fromWebP(m image.Image) *Image {
	switch m := m.(type) {
	case *image.YCbCr:
		return fromVP8(m)
	case *image.NYCbCrA:
		return fromVP8(&m.YCbCr)
	}
	return fromImage(m)
}

func fromVP8(m *image.YCbCr) *Image {
	cw, ch, ok := chromaSize(m)
	if !ok || m.SubsampleRatio != image.YCbCrSubsampleRatio420 {
		return fromImage(m)
	}
	w, h := m.Rect.Dx(), m.Rect.Dy()
	out := NewImage(h, w, 3)
	buf := make([]uint8, 4*cw+4)
	u, v := buf[:2*cw+2], buf[2*cw+2:]
	for y := range h {
		near, far := chromaRows(m.Cb, m.CStride, cw, ch, y)
		upsampleVP8(u, near, far)
		near, far = chromaRows(m.Cr, m.CStride, cw, ch, y)
		upsampleVP8(v, near, far)
		d := out.row(y)
		for x, l := range m.Y[y*m.YStride:][:w] {
			d[3*x], d[3*x+1], d[3*x+2] = vp8ToRGB(int32(l), int32(u[x]), int32(v[x]))
		}
	}
	return out
}

// upsampleVP8 doubles a row of chroma. The value is (9a+3b+3c+d+8)/16, computed with libwebp's two roundings: a is the
// nearest sample, b its neighbor in the row, c the one in the other row and d the diagonal one.
func upsampleVP8(dst, near, far []uint8) {
	n := len(near)
	edge := func(i int) uint8 { return uint8((3*uint32(near[i]) + uint32(far[i]) + 2) >> 2) }
	dst[0] = edge(0)
	for x := 1; x < n; x++ {
		a, b := uint32(near[x-1]), uint32(near[x])
		c, d := uint32(far[x-1]), uint32(far[x])
		sum := a + b + c + d + 8
		dst[2*x-1] = uint8(((sum+2*(b+c))>>3 + a) >> 1)
		dst[2*x] = uint8(((sum+2*(a+d))>>3 + b) >> 1)
	}
	dst[2*n-1] = edge(n - 1)
}

func vp8ToRGB(y, u, v int32) (r, g, b uint8) {
	l := y * 19077 >> 8
	return vp8Clip(l + v*26149>>8 - 14234),
		vp8Clip(l - u*6419>>8 - v*13320>>8 + 8708),
		vp8Clip(l + u*33050>>8 - 17685)
}

func vp8Clip(v int32) uint8 { return clip8(v >> 6) }
