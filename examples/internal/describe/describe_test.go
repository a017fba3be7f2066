package describe

import (
	"testing"

	"github.com/fovea-ml/fovea/vision"
)

func TestPreprocess(t *testing.T) {
	gray := vision.Half(16)
	gray.Gray, gray.Height = true, 8
	cover := vision.Preprocess{Mode: vision.Cover, Width: 100, Height: 50, Filter: vision.Bicubic, CropWidth: 90, CropHeight: 45, NoNormalize: true}
	for want, p := range map[string]vision.Preprocess{
		"stretched to 224×224 (bilinear), mean 0.5, deviation 0.5":                                           vision.Half(224),
		"shorter side to 256 (bicubic), center 224×224, mean 0.485/0.456/0.406, deviation 0.229/0.224/0.225": vision.ImageNet(224),
		"gray, stretched to 8×16 (bilinear), mean 0.5, deviation 0.5":                                        gray,
		"resized to cover 50×100 (bicubic), center 45×90, not normalized":                                    cover,
		"mean 0.5, deviation 0.5":                              {Mode: vision.NoResize},
		"longer side to 9 (bilinear), mean 0.5, deviation 0.5": {Mode: vision.LongSide, Width: 9},
		"resized into 7×9 (bilinear), mean 0.5, deviation 0.5": {Mode: vision.Fit, Width: 9, Height: 7},
	} {
		if found := Preprocess(&p); found != want {
			t.Errorf("expected %q, found %q", want, found)
		}
	}
}
