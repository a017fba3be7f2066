package vision

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/adler32"
	"hash/crc32"
	"io"
	"strings"
)

// image/png rejects files whose pixels are whole: a palette in a gray image or two of them, more pixel data than there
// are pixels, a missing end. Pillow reads them. This file finds the pixels in such a file and writes it anew.
//
// Pillow does not compare the checksums of pixels, and leaves pixels that are missing black. Both are errors here.

// pngInfo is what a file has before its pixels, and the data of those.
type pngInfo struct {
	ihdr          [13]byte
	width, height int
	depth         int // bits of a pixel
	palette       []byte
	pixels        [][]byte // the deflated data, by chunk
}

var errPNGChunk = errors.New("no valid chunk")

// pngChunk returns the chunk at the beginning of b, and the bytes after it. sum is the checksum, or nil where the file
// ends before.
func pngChunk(b []byte) (kind string, payload, sum, rest []byte, err error) {
	if len(b) < 8 {
		return "", nil, nil, nil, io.ErrUnexpectedEOF
	}
	for _, c := range b[4:8] {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_') {
			return "", nil, nil, nil, fmt.Errorf("%w at %q", errPNGChunk, b[4:8])
		}
	}
	n := uint64(binary.BigEndian.Uint32(b))
	kind = string(b[4:8])
	if n > uint64(len(b)-8) {
		return kind, b[8:], nil, nil, io.ErrUnexpectedEOF
	}
	payload, rest = b[8:8+n], b[8+n:]
	if len(rest) < 4 {
		return kind, payload, nil, nil, nil
	}
	return kind, payload, rest[:4], rest[4:], nil
}

// parsePNG reads all chunks.
func parsePNG(data []byte) (info pngInfo, err error) {
	b := data[min(8, len(data)):]
	for len(info.pixels) == 0 {
		kind, payload, sum, rest, err := pngChunk(b)
		if err != nil && kind != "IDAT" {
			return info, fmt.Errorf("before the pixels: %w", err)
		}
		switch {
		case kind == "IDAT":
			if info.depth == 0 {
				return info, errors.New("pixels before the header")
			}
			return info, info.parsePixels(b)
		case sum == nil:
			return info, fmt.Errorf("before the pixels: %w", io.ErrUnexpectedEOF)
		case binary.BigEndian.Uint32(sum) != crc32.ChecksumIEEE(b[4:8+len(payload)]):
			return info, fmt.Errorf("the checksum of chunk %s is wrong", kind)
		case kind == "IHDR":
			if err := info.parseHeader(payload); err != nil {
				return info, err
			}
		case kind == "PLTE":
			info.palette = payload[:min(len(payload)/3, 256)*3]
		case kind == "IEND":
			return info, errors.New("no pixels")
		}
		b = rest
	}
	return info, nil
}

func (info *pngInfo) parseHeader(b []byte) error {
	if len(b) < 13 || info.depth != 0 {
		return fmt.Errorf("a header of %d bytes", len(b))
	}
	copy(info.ihdr[:], b)
	w, h := binary.BigEndian.Uint32(b), binary.BigEndian.Uint32(b[4:])
	if w == 0 || h == 0 || w > 1<<31-1 || h > 1<<31-1 {
		return fmt.Errorf("%d×%d pixels", w, h)
	}
	info.width, info.height = int(w), int(h)
	bits, color := int(b[8]), b[9]
	samples := map[byte]int{0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[color]
	ok := bits == 8 || bits == 16 && color != 3 || (bits == 1 || bits == 2 || bits == 4) && samples == 1
	if samples == 0 || !ok || b[11] != 0 {
		return fmt.Errorf("color type %d of %d bits, filter method %d: %w", color, bits, b[11], ErrFormat)
	}
	info.depth = bits * samples
	info.ihdr[10] = 0                     // there is one compression
	info.ihdr[12] = min(info.ihdr[12], 1) // and one way to interlace
	return nil
}

// parsePixels reads the chunks from the first one with pixels on.
func (info *pngInfo) parsePixels(b []byte) error {
	pixels := true
	for {
		kind, payload, sum, rest, err := pngChunk(b)
		switch {
		case pixels && kind == "IDAT":
			if sum != nil && binary.BigEndian.Uint32(sum) != crc32.ChecksumIEEE(b[4:8+len(payload)]) {
				return errors.New("the checksum of the pixels is wrong")
			}
			if len(payload) > 0 { // a file may consist of empty chunks
				info.pixels = append(info.pixels, payload)
			}
		case kind == "IEND", kind == "": // nothing that is a chunk follows
			return nil
		case err != nil: // a chunk that ends early
			return err
		default:
			pixels = false
		}
		if rest == nil {
			return nil
		}
		b = rest
	}
}

// rawLength is the length of the pixels before compression, with a byte for the filter of each row.
func (info *pngInfo) rawLength() int64 {
	pass := func(width, height int) int64 {
		if width == 0 {
			return 0
		}
		return int64(height) * (1 + (int64(width)*int64(info.depth)+7)/8)
	}
	if info.ihdr[12] == 0 {
		return pass(info.width, info.height)
	}
	total := int64(0)
	for _, p := range [7][4]int{{0, 0, 8, 8}, {4, 0, 8, 8}, {0, 4, 4, 8}, {2, 0, 4, 4}, {0, 2, 2, 4}, {1, 0, 2, 2}, {0, 1, 1, 2}} {
		total += pass((info.width-p[0]+p[2]-1)/p[2], (info.height-p[1]+p[3]-1)/p[3])
	}
	return total
}

// repairPNG returns a file with the pixels of data and nothing else. They are in it as they are, in stored blocks, so that
// it needs no copy of them.
func repairPNG(data []byte) (io.Reader, error) {
	info, err := parsePNG(data)
	if err != nil {
		return nil, err
	}
	raw, err := info.inflate()
	if err != nil {
		return nil, err
	}
	big, little := binary.BigEndian, binary.LittleEndian
	parts := []io.Reader{strings.NewReader("\x89PNG\r\n\x1a\n")}
	chunk := func(kind string, pieces ...[]byte) {
		length, sum := 0, crc32.ChecksumIEEE([]byte(kind))
		for _, p := range pieces {
			length += len(p)
			sum = crc32.Update(sum, crc32.IEEETable, p)
		}
		parts = append(parts, bytes.NewReader(append(big.AppendUint32(nil, uint32(length)), kind...)))
		for _, p := range pieces {
			parts = append(parts, bytes.NewReader(p))
		}
		parts = append(parts, bytes.NewReader(big.AppendUint32(nil, sum)))
	}
	chunk("IHDR", info.ihdr[:])
	if info.ihdr[9] == 3 {
		chunk("PLTE", info.palette)
	}
	chunk("IDAT", []byte{0x78, 0x01})
	const most = 1<<16 - 1
	sum := big.AppendUint32(nil, adler32.Checksum(raw))
	for len(raw) > 0 {
		block := raw[:min(len(raw), most)]
		raw = raw[len(block):]
		head := []byte{0}
		if len(raw) == 0 {
			head[0] = 1 // the last one
		}
		head = little.AppendUint16(head, uint16(len(block)))
		head = little.AppendUint16(head, ^uint16(len(block)))
		chunk("IDAT", head, block)
	}
	chunk("IDAT", sum)
	chunk("IEND")
	return io.MultiReader(parts...), nil
}

// inflate returns the pixels before compression. What follows them is not looked at, except for their checksum.
func (info *pngInfo) inflate() ([]byte, error) {
	var parts []io.Reader
	for _, p := range info.pixels {
		parts = append(parts, bytes.NewReader(p))
	}
	// The inflater takes single bytes from it, so it stands behind the last one that it needed.
	r := &byteReader{r: io.MultiReader(parts...)}
	var head [2]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, io.ErrUnexpectedEOF
	}
	if head[0]&15 != 8 || head[0]>>4 > 7 || binary.BigEndian.Uint16(head[:])%31 != 0 || head[1]&0x20 != 0 {
		return nil, fmt.Errorf("pixels begin with % x, expected a zlib header", head)
	}
	z := flate.NewReader(r)
	raw := make([]byte, info.rawLength())
	if _, err := io.ReadFull(z, raw); err == io.EOF {
		return nil, fmt.Errorf("the pixels: %w", io.ErrUnexpectedEOF)
	} else if err != nil {
		return nil, fmt.Errorf("the pixels: %w", err)
	}
	if n, err := z.Read(head[:1]); n == 0 && err == io.EOF {
		var sum [4]byte
		if _, err := io.ReadFull(r, sum[:]); err == nil && binary.BigEndian.Uint32(sum[:]) != adler32.Checksum(raw) {
			return nil, errors.New("the checksum of the pixels is wrong")
		}
	}
	return raw, nil
}

// byteReader reads single bytes of a reader whose reads are cheap.
type byteReader struct {
	r   io.Reader
	one [1]byte
}

func (r *byteReader) Read(p []byte) (int, error) { return r.r.Read(p) }

func (r *byteReader) ReadByte() (byte, error) {
	_, err := io.ReadFull(r.r, r.one[:])
	return r.one[0], err
}
