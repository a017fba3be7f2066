package vision

import (
	"fmt"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/simd"
)

// floatPixels prepares an image for a Preprocess with FloatResize: it returns planes [channels, height, width]. The samples
// are scaled, resized as torchvision resizes float tensors, and normalized, each step in float32 (DINOv3ViTImageProcessor in
// image_processing_dinov3_vit.py).
func (p *Preprocess) floatPixels(m *Image, w *simd.Workers) (planes []float32, height, width int, err error) {
	if err := m.Validate(); err != nil {
		return nil, 0, 0, err
	}
	if m.Channels == 4 && p.Alpha == AlphaOnWhite {
		m = m.onWhite()
	}
	m = p.colors(m)
	height, width = p.resized(m.Height, m.Width)
	if !p.preparable(height, width) {
		return nil, 0, 0, fmt.Errorf("vision: preprocess: resize of %d×%d pixels to %d×%d: %w", m.Width, m.Height, width, height, ErrTooLarge)
	}
	scaled := Preprocess{Backend: Torchvision, NoRescale: p.NoRescale, Scale: p.Scale, NoNormalize: true, Gray: p.Gray}
	planes = make([]float32, m.Channels*m.Height*m.Width)
	scaled.Normalizer().ToCHW(planes, m)
	if height != m.Height || width != m.Width {
		tape := autograd.NewTape(autograd.Options{Workers: w})
		mode := map[Filter]autograd.ResizeMode{Bilinear: autograd.Bilinear, Bicubic: autograd.Bicubic}[p.Filter]
		planes = autograd.Resize2d(tape.Input(planes, 1, m.Channels, m.Height, m.Width), height, width,
			autograd.ResizeOptions{Mode: mode, Antialias: true}).Floats(nil)
	}
	if p.NoNormalize {
		return planes, height, width, nil
	}
	mean, std := p.Mean, p.Std
	if std == [3]float32{} {
		mean, std = HalfMean, HalfStd
	}
	for c := range m.Channels {
		plane := planes[c*height*width : (c+1)*height*width]
		for i, v := range plane {
			plane[i] = (v - mean[c]) / std[c]
		}
	}
	return planes, height, width, nil
}
