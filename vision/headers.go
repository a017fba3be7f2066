package vision

import (
	"encoding/binary"
	"errors"
	"fmt"
	"image/jpeg"
	"image/png"
	"io"

	"golang.org/x/image/bmp"
	"golang.org/x/image/webp"
)

// What a file says of itself before its pixels are decoded: sizes, how many pixels its length allows, EXIF
// blocks. Everything here walks over untrusted bytes and only ever moves forward.

// maxScans is how many passes a progressive JPEG may make over its pixels. Encoders write about ten; a small
// file can hold thousands, each of which costs time in proportion to the pixels and none in bytes.
const maxScans = 200

// jpegSegments calls f with each marker and its payload until f returns false. Coded data is skipped.
func jpegSegments(data []byte, f func(marker byte, payload []byte) bool) {
	p := 2
	for p+1 < len(data) {
		if data[p] != 0xff || data[p+1] == 0 || data[p+1] == 0xff || data[p+1]&0xf8 == 0xd0 {
			p++
			continue
		}
		m := data[p+1]
		p += 2
		if m == 0xd9 {
			return
		}
		if p+2 > len(data) {
			return
		}
		n := int(binary.BigEndian.Uint16(data[p:]))
		if n < 2 || p+n > len(data) {
			return
		}
		if !f(m, data[p+2:p+n]) {
			return
		}
		p += n
	}
}

func jpegHeader(data []byte) (header, error) {
	h, err := decodeConfig(jpeg.DecodeConfig, data)
	if err != nil {
		return h, err
	}
	scans := 0
	jpegSegments(data, func(m byte, _ []byte) bool {
		if m == 0xda {
			scans++
		}
		return scans <= maxScans
	})
	if scans > maxScans {
		return h, fmt.Errorf("more than %d scans: %w", maxScans, ErrTooLarge)
	}
	// A Huffman code has at least one bit, and each block of 8×8 pixels at least one code.
	h.perByte = 8 * 64
	return h, nil
}

func jpegEXIF(data []byte) (tiff []byte) {
	jpegSegments(data, func(m byte, p []byte) bool {
		if m == 0xe1 && len(p) > 6 && string(p[:6]) == "Exif\x00\x00" {
			tiff = p[6:]
		}
		return tiff == nil && m != 0xda
	})
	return tiff
}

func pngHeader(data []byte) (header, error) {
	h, err := decodeConfig(png.DecodeConfig, data)
	if err != nil {
		return h, err
	}
	// Deflate expands at most 1032 times. DecodeConfig has seen that the header is whole: bit depth and colour
	// type are its bytes 8 and 9.
	if len(data) < 26 {
		return h, io.ErrUnexpectedEOF
	}
	bits := int(data[24])
	switch data[25] {
	case 2:
		bits *= 3
	case 4:
		bits *= 2
	case 6:
		bits *= 4
	}
	h.perByte = 1032 * 8 / float64(max(bits, 1))
	return h, nil
}

func pngEXIF(data []byte) []byte {
	for p := 8; p+8 <= len(data); {
		n := uint64(binary.BigEndian.Uint32(data[p:]))
		if n > uint64(len(data)-p-8) {
			return nil
		}
		if string(data[p+4:p+8]) == "eXIf" {
			return data[p+8 : p+8+int(n)]
		}
		p += 12 + int(n)
	}
	return nil
}

func webpHeader(data []byte) (header, error) {
	// Bit 1 of the extended header's flags: animation.
	if len(data) > 20 && string(data[12:16]) == "VP8X" && data[20]&2 != 0 {
		return header{}, fmt.Errorf("animated WebP: %w", ErrFormat)
	}
	h, err := decodeConfig(webp.DecodeConfig, data)
	// A flat WebP image needs next to no bytes, so there is no natural bound. One that is large, and flatter than
	// any picture, is taken for a bomb.
	if h.width > 0 && h.height > 0 && h.width*h.height > 1<<22 {
		h.perByte = 4096
	}
	return h, err
}

func webpEXIF(data []byte) []byte {
	for p := 12; p+8 <= len(data); {
		n := uint64(binary.LittleEndian.Uint32(data[p+4:]))
		if n > uint64(len(data)-p-8) {
			return nil
		}
		if string(data[p:p+4]) == "EXIF" {
			b := data[p+8 : p+8+int(n)]
			if len(b) > 6 && string(b[:6]) == "Exif\x00\x00" {
				b = b[6:]
			}
			return b
		}
		p += 8 + int(n+n&1)
	}
	return nil
}

func bmpHeader(data []byte) (header, error) {
	h, err := decodeConfig(bmp.DecodeConfig, data)
	h.perByte = 8 // one bit a pixel, uncompressed
	if len(data) >= 30 {
		if bits := binary.LittleEndian.Uint16(data[28:]); bits > 1 {
			h.perByte = 8 / float64(bits)
		}
	}
	return h, err
}

// gifFrame is the part of a GIF file's structure that the standard library's decoder does not hand out: it
// erases the colour of the transparent entry, which dropping alpha must keep.
type gifFrame struct {
	width, height int
	palette       []byte // RGB triples
	transparent   int    // 0 when there is none
}

func (f *gifFrame) colour(i int) (c [3]uint8) {
	if 3*i+3 <= len(f.palette) {
		copy(c[:], f.palette[3*i:])
	}
	return c
}

func gifHeader(data []byte) (header, error) {
	f, err := gifFirstFrame(data)
	// A code of at most 12 bits stands for at most 4096 pixels.
	return header{width: f.width, height: f.height, perByte: 4096 * 8 / 12.}, err
}

// gifFirstFrame walks over the blocks before the first image.
func gifFirstFrame(data []byte) (gifFrame, error) {
	var f gifFrame
	errShort := fmt.Errorf("before the first frame: %w", io.ErrUnexpectedEOF)
	if len(data) < 13 {
		return f, errShort
	}
	f.width = int(binary.LittleEndian.Uint16(data[6:]))
	f.height = int(binary.LittleEndian.Uint16(data[8:]))
	p := 13
	table := func(flags byte) bool {
		if flags&0x80 == 0 {
			return true
		}
		n := 3 << (flags&7 + 1)
		if p+n > len(data) {
			return false
		}
		f.palette = data[p : p+n]
		p += n
		return true
	}
	if !table(data[10]) {
		return f, errShort
	}
	for p < len(data) {
		switch data[p] {
		case 0x21: // extension: label, then sub-blocks
			if p+8 <= len(data) && data[p+1] == 0xf9 && data[p+2] == 4 && data[p+3]&1 != 0 {
				f.transparent = int(data[p+6])
			}
			p += 2
			for p < len(data) && data[p] != 0 {
				p += 1 + int(data[p])
			}
			p++
		case 0x2c:
			if p+10 > len(data) {
				return f, errShort
			}
			flags := data[p+9]
			p += 10
			if !table(flags) {
				return f, errShort
			}
			return f, nil
		default:
			return f, errors.New("no image in the file")
		}
	}
	return f, errShort
}
