package detect

import (
	"strings"
	"testing"
)

// TestValidate expects an error that names the first field that the model_type does not use.
func TestValidate(t *testing.T) {
	for _, c := range []struct {
		start  Config
		change func(c *Config)
		want   string
	}{
		{FCOSResNet50(), func(c *Config) { c.SecondVersion, c.ImageSize, c.HeadSize = true, 7, -3 }, "image_size: "},
		{FCOSResNet50(), func(c *Config) { c.SecondVersion, c.HeadSize = true, -3 }, "head_size: "},
		{FCOSResNet50(), func(c *Config) { c.SecondVersion = true }, "second_version: "},
		{RetinaNetResNet50(), func(c *Config) { c.SecondVersion, c.HeadSize = true, 16 }, "head_size: "},
		{FasterRCNNResNet50(), func(c *Config) { c.ImageSize = 352 }, "image_size: "},
		{FasterRCNNResNet50(), func(c *Config) { c.MinSize, c.MaxSize = 0, 0 }, "min_size: "},
		{Fastest(), func(c *Config) { c.MinSize, c.FPNChannels = -5, -1 }, "min_size: "},
		{Fastest(), func(c *Config) { c.MaxSize = 1 }, "max_size: "},
		{Fastest(), func(c *Config) { c.Backbone = FCOSResNet50().Backbone }, "backbone_config: "},
		{Fastest(), func(c *Config) { c.FPNChannels = -1 }, "fpn_channels: "},
		{Fastest(), func(c *Config) { c.HeadSize = 1 }, "head_size: "},
		{Fastest(), func(c *Config) { c.SecondVersion = true }, "second_version: "},
		{Fastest(), func(c *Config) { c.NormEps = 1e-5 }, "norm_eps: "},
		{Fastest(), func(c *Config) { c.ModelType = "yolov9" }, "model_type: "},
		{Fastest(), func(c *Config) { c.RTDETR = RTDETRResNet18().RTDETR }, "RTDETR: "},
		{DETRResNet50(), func(c *Config) { c.YOLOS = YOLOSTiny().YOLOS }, "YOLOS: "},
		{DETRResNet50(), func(c *Config) { c.ModelType = yolosType }, "model_type: "},
		{YOLOSTiny(), func(c *Config) { c.DETR = DETRResNet50().DETR }, "DETR: "},
		{RTDETRResNet18(), func(c *Config) { c.ModelType, c.RTDETR = rtdetrV2Type, nil }, "model_type: "},
		{RTDETRResNet18(), func(c *Config) { c.ImageSize = 640 }, "image_size: "},
	} {
		if err := c.start.Validate(); err != nil {
			t.Errorf("%s: %v", c.start.ModelType, err)
		}
		changed := c.start
		c.change(&changed)
		for range 10 { // the same field each time
			if err := changed.Validate(); err == nil || !strings.HasPrefix(err.Error(), c.want) {
				t.Errorf("%s: expected %q, found %v", changed.ModelType, c.want, err)
				break
			}
		}
	}
}
