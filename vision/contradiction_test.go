package vision

import (
	"errors"
	"image"
	"testing"
)

// TestContradictions expects an error, never a panic, for images whose fields contradict each other.
func TestContradictions(t *testing.T) {
	short := image.NewRGBA(image.Rect(0, 0, 8, 8))
	short.Pix = short.Pix[:40:40]
	chroma := image.NewYCbCr(image.Rect(-3, -3, 5, 5), image.YCbCrSubsampleRatio420)
	chroma.Cb = chroma.Cb[:2:2]
	for _, m := range []image.Image{nil, (*image.RGBA)(nil), (*image.YCbCr)(nil), (*Image)(nil), short, chroma} {
		if _, err := FromImage(m); !errors.Is(err, ErrSize) {
			t.Errorf("%T: expected ErrSize, got %v", m, err)
		}
	}
}
