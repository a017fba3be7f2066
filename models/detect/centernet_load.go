package detect

import (
	"errors"
	"fmt"
	"strings"

	"github.com/fovea-ml/fovea/checkpoint"
	"github.com/fovea-ml/fovea/models/backbone"
	"github.com/fovea-ml/fovea/models/internal/modelfolder"
)

// centerProbe names the tensors that tell the sizes of a CenterNet.
var centerProbe = names([]checkpoint.Rule{
	{"Heat", "hm.2.weight"},
	{"HeatAlone", "hm.weight"},
	{"Width", "hm.0.weight"},
	{"Size", "wh.2.weight"},
	{"Offset", "reg.2.weight"},
	{"Deform", "deconv_layers.0.conv_offset_mask.weight"},
	{"Up.0", "deconv_layers.0.weight"},
	{"Up.1", "deconv_layers.3.weight"},
	{"Up.2", "deconv_layers.6.weight"},
	{"DeformUp.0", "deconv_layers.3.weight"},
	{"DeformUp.1", "deconv_layers.9.weight"},
	{"DeformUp.2", "deconv_layers.15.weight"},
	{"DLA", "ida_up.proj_1.conv.conv_offset_mask.weight"},
})

// centerOthers are tensors of other networks of the release.
var centerOthers = []struct{ prefix, what string }{
	{"kps.", "a CenterNet on an hourglass"},
	{"hps.", "a CenterNet that finds poses"},
	{"dep.", "a CenterNet that finds boxes in space"},
	{"hm_t.", "an ExtremeNet"},
}

// plainNames yields the names of tensors without the prefixes of wrappers.
func plainNames(weights *checkpoint.File, yield func(name string)) {
	for name := range weights.Names() {
		for _, prefix := range centerProbe.Prefixes {
			name = strings.TrimPrefix(name, prefix)
		}
		yield(name)
	}
}

// ofCenterNet reports whether the weights have a heatmap under the release's names.
func ofCenterNet(weights *checkpoint.File) (found bool) {
	plainNames(weights, func(name string) {
		found = found || strings.HasPrefix(name, "hm.") || strings.HasPrefix(name, "hm_t.")
	})
	return found
}

// centerOf returns the configuration of a file of CenterNet.
func centerOf(f *modelfolder.Folder) (Config, error) {
	other := ""
	plainNames(f.Weights, func(name string) {
		for _, o := range centerOthers {
			if strings.HasPrefix(name, o.prefix) {
				other = o.what
			}
		}
	})
	if other != "" {
		return Config{}, fmt.Errorf("%s is not supported", other)
	}
	find := centerProbe.Finder(f.Weights)
	kernel := func(part string) (shape [4]int, err error) {
		switch t, ok := find(part); {
		case !ok:
			return shape, fmt.Errorf("expected the tensor %s, found none", centerProbe.Tensors(part)[0][0])
		case len(t.Shape) != 4:
			return shape, fmt.Errorf("%s: expected the shape [out in height width], found %v", t.Name, t.Shape)
		default:
			return [4]int(t.Shape), nil
		}
	}
	if _, ok := find("HeatAlone"); ok {
		return Config{}, errors.New("a CenterNet with heads of one convolution (head_conv 0) is not supported")
	}
	width, err := kernel("Width")
	if err != nil {
		return Config{}, err
	}
	if _, ok := find("Offset"); !ok {
		return Config{}, errors.New("a CenterNet without offsets (not_reg_offset) is not supported")
	}
	size, err := kernel("Size")
	if err != nil {
		return Config{}, err
	}
	if size[0] != 2 {
		return Config{}, fmt.Errorf("a CenterNet with sizes for each class (cat_spec_wh) is not supported: expected 2 channels of wh.2.weight, found %d", size[0])
	}
	body, err := backbone.ConfigOf(f.Weights, "base.")
	if err != nil {
		return Config{}, fmt.Errorf("expected a CenterNet on a ResNet or DLA-34: backbone: %w", err)
	}
	c := Config{ModelType: centerType, ImageSize: 512, Backbone: &body, HeadSize: width[0]}
	if body.ModelType == "dla" {
		if _, ok := find("DLA"); !ok {
			return c, errors.New("a CenterNet on a DLA without deformable convolutions (dlav0) is not supported")
		}
		return c, nil
	}
	part := "Up.%d"
	if _, c.Deformable = find("Deform"); c.Deformable {
		part = "DeformUp.%d"
	}
	for i := range upStages {
		shape, err := kernel(fmt.Sprintf(part, i))
		if err != nil {
			return c, err
		}
		c.UpSizes = append(c.UpSizes, shape[1])
	}
	return c, nil
}

// centerClaim is the least that the weights are.
func (c Config) centerClaim() modelfolder.Claim {
	width, claim := float64(c.HeadSize), c.Backbone.Claim()
	in := float64(c.Backbone.FeatureSize())
	for _, n := range c.UpSizes {
		out := float64(n)
		if c.Deformable {
			claim.Values += 9 * in * out
			in = out
		}
		claim.Values += 16 * in * out
		in = out
	}
	if len(c.UpSizes) == 0 {
		sizes := c.Backbone.HiddenSizes[2:]
		in = float64(sizes[0])
		for i, n := range sizes[1:] { // the projection to the channels of the level before, and the node
			out := float64(sizes[i])
			claim.Values += 9 * out * (float64(n) + out)
		}
	}
	claim.Values += 3 * 9 * in * width
	return claim
}
