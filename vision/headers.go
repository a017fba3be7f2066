package vision

import (
	"encoding/binary"
	"image/png"
	"io"
)

// What a file says of itself before its pixels are decoded: sizes, how many pixels its length allows, EXIF
// blocks. Everything here walks over untrusted bytes and only ever moves forward.

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
