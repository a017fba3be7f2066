package detect

import (
	"hash/crc32"
	"testing"

	"github.com/fovea-ml/fovea/vision"
)

// TestStretch compares the bytes of images of noise that grow and shrink with those of OpenCV 5.0.0:
// cv2.resize(image, (352, 352), interpolation=cv2.INTER_LINEAR).
func TestStretch(t *testing.T) {
	for _, c := range []struct {
		height, width int
		want          uint32
	}{
		{240, 320, 0xbdf65e67},
		{176, 176, 0xa37b35a2},
		{33, 1000, 0xd74322be},
		{1, 1, 0x469dcc5c},
		{351, 2, 0xa313ce3b},
		{352, 352, 0x205477a2},
		{353, 700, 0xf05b979d},
		{480, 640, 0x42948f3c},
	} {
		m := &vision.Image{Height: c.height, Width: c.width, Channels: 3, Pix: make([]uint8, 3*c.height*c.width)}
		for i := range m.Pix {
			m.Pix[i] = uint8(uint32(i) * 2654435761 >> 24)
		}
		if got := crc32.ChecksumIEEE(stretch(m, 352, 352)); got != c.want {
			t.Errorf("%d×%d: the checksum is %#x, expected %#x", c.height, c.width, got, c.want)
		}
	}
}
