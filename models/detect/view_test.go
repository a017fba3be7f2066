package detect

import (
	"hash/crc32"
	"testing"

	"github.com/fovea-ml/fovea/vision"
)

// TestWarp compares the bytes of images of noise, fitted into squares, with those of OpenCV 4.10.0:
// cv2.warpAffine(image, M, (size, size), flags=cv2.INTER_LINEAR) with the release's matrix.
func TestWarp(t *testing.T) {
	for _, c := range []struct {
		height, width, size int
		want                uint32
	}{
		{240, 320, 96, 0xd4875a19},
		{33, 100, 64, 0x071b532b},
		{1, 1, 32, 0x71f4896c},
		{351, 2, 96, 0xe6ff9eb5},
		{96, 96, 96, 0xedb5791e},
		{480, 640, 512, 0x99ba5c9f},
		{500, 375, 384, 0xd9c38341},
	} {
		m := &vision.Image{Height: c.height, Width: c.width, Channels: 3, Pix: make([]uint8, 3*c.height*c.width)}
		for i := range m.Pix {
			m.Pix[i] = uint8(uint32(i) * 2654435761 >> 24)
		}
		v := new(CenterNet).view(m, c.size, 1)
		if got := crc32.ChecksumIEEE(v.samples(m)); got != c.want {
			t.Errorf("%d×%d to %d: the checksum is %#x, expected %#x", c.height, c.width, c.size, got, c.want)
		}
	}
}
