package vision

import (
	"errors"
	"fmt"

	"github.com/fovea-ml/fovea/vision/internal/jpeg"
)

// jpegHeader reads the size and the length that the file must have: a block costs at least one or two bits.
func jpegHeader(data []byte) (header, error) {
	h, err := jpeg.ReadHeader(data)
	return header{
		width: h.Width, height: h.Height,
		perByte: float64(h.Width) * float64(h.Height) / float64(max(h.MinBytes, 1)),
	}, err
}

// reduceJPEG finds the smallest reduction of the image whose sides both have at least to pixels. It sets the size of the
// header to it, and returns it in eighths: 8, the whole image, when to is 0.
func (h *header) reduceJPEG(to int) (eighths int) {
	full := jpeg.Header{Width: h.width, Height: h.height}
	for eighths := 1; to > 0 && eighths < 8; eighths *= 2 {
		if width, height := full.Reduced(eighths); width >= to && height >= to {
			h.width, h.height = width, height
			return eighths
		}
	}
	return 8
}

// decodeJPEG decodes a JPEG file at 1, 2, 4 or 8 eighths of its size. It uses the memory of into where that is enough;
// into may be nil.
func decodeJPEG(data []byte, eighths int, into *Image) (*Image, error) {
	h, err := jpeg.ReadHeader(data)
	if err != nil {
		return nil, err
	}
	width, height := h.Reduced(eighths)
	m := into.reshape(height, width, 3)
	if err := jpeg.Decode(m.Pix, data, eighths); errors.Is(err, jpeg.ErrTooMuchWork) {
		return nil, fmt.Errorf("%w: %w", err, ErrTooLarge)
	} else if err != nil {
		return nil, err
	}
	return m, nil
}

// unsupportedJPEG reports whether an error of decodeJPEG is about an unsupported feature, not about corrupted data.
func unsupportedJPEG(err error) bool { return errors.Is(err, jpeg.ErrUnsupported) }
