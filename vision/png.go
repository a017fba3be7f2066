package vision

import (
	"image/png"
	"io"
)

// pngHeader reads the size, and how many pixels the length of the file allows.
func pngHeader(data []byte) (header, error) {
	h, err := decodeConfig(png.DecodeConfig, data)
	if err != nil {
		return h, err
	}
	// Deflate expands at most 1032 times. DecodeConfig has seen that the header is whole: bit depth and color
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
