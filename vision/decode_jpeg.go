package vision

import (
	"errors"
	"fmt"

	"github.com/fovea-ml/fovea/vision/internal/jpeg"
)

// jpegHeader reads the size, and how many pixels a byte can stand for: a block has at least one or two bits.
func jpegHeader(data []byte) (header, error) {
	h, err := jpeg.ReadHeader(data)
	return header{
		width: h.Width, height: h.Height,
		perByte: float64(h.Width) * float64(h.Height) / float64(max(h.MinBytes, 1)),
	}, err
}

// decodeJPEG reads the pixels of a JPEG file, into the memory of an image where that is enough.
func decodeJPEG(data []byte, into *Image) (*Image, error) {
	h, err := jpeg.ReadHeader(data)
	if err != nil {
		return nil, err
	}
	m := into.reshape(h.Width, h.Height, 3)
	if err := jpeg.Decode(m.Pix, data, 8); errors.Is(err, jpeg.ErrTooMuchWork) {
		return nil, fmt.Errorf("%w: %w", err, ErrTooLarge)
	} else if err != nil {
		return nil, err
	}
	return m, nil
}

// unsupportedJPEG reports whether an error of decodeJPEG speaks of a feature that is not read, not of damage.
func unsupportedJPEG(err error) bool { return errors.Is(err, jpeg.ErrUnsupported) }
