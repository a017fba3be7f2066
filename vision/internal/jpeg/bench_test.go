package jpeg

import (
	"bytes"
	"image"
	stdjpeg "image/jpeg"
	"os"
	"testing"

	"github.com/fovea-ml/fovea/simd"
)

// BenchmarkDecode decodes the photograph that FOVEA_JPEG names, or one of ../shared/data; image/jpeg, which stops at
// YCbCr, beside it.
func BenchmarkDecode(b *testing.B) {
	name := os.Getenv("FOVEA_JPEG")
	if name == "" {
		name = "../../../../shared/data/images/china.jpg"
	}
	data, err := os.ReadFile(name)
	if err != nil {
		b.Skip(name + " is not here")
	}
	h, err := ReadHeader(data)
	if err != nil {
		b.Fatal(err)
	}
	report := func(b *testing.B) {
		b.ReportMetric(float64(h.Width*h.Height)*float64(b.N)/b.Elapsed().Seconds()/1e6, "megapixels/s")
	}
	b.Run(simd.Current().String(), func(b *testing.B) {
		pix := make([]uint8, 3*h.Width*h.Height)
		b.ReportAllocs()
		for b.Loop() {
			if err := Decode(pix, data, 8); err != nil {
				b.Fatal(err)
			}
		}
		report(b)
	})
	b.Run("image/jpeg", func(b *testing.B) {
		for b.Loop() {
			m, err := stdjpeg.Decode(bytes.NewReader(data))
			if err != nil {
				b.Fatal(err)
			}
			if m.Bounds() != image.Rect(0, 0, h.Width, h.Height) {
				b.Fatal(m.Bounds())
			}
		}
		report(b)
	})
}
