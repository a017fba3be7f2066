package tower

import (
	"fmt"

	"github.com/fovea-ml/fovea/checkpoint"
)

// Stem are the sizes of the convolutions of a hybrid; vit.StemConfig describes the fields.
type Stem struct {
	Kind     string `json:"kind"`
	Channels []int  `json:"channels"`
	Layers   []int  `json:"layers,omitempty"`
	Kernels  []int  `json:"kernels,omitempty"`
}

// The kinds of stems.
const (
	ResNetV2 = "resnetv2"
	ConvStem = "conv"
)

// Stride returns the number of pixels between neighbors in what the stem gives.
func (s Stem) Stride() int {
	stride := 1
	for _, k := range s.Kernels {
		stride *= k
	}
	if s.Kind != ResNetV2 {
		return stride
	}
	return 4 << max(0, len(s.Layers)-1) // the first convolution and the pooling; then all stages but the first
}

// readStem reads the sizes of the convolutions before the patches, and how many channels images have. It returns nil where
// there are none.
func readStem(find Finder) (s *Stem, channels int, err error) {
	conv := func(path string) (t checkpoint.Tensor, ok bool) {
		if t, ok = find(path + ".Weight"); ok && (len(t.Shape) != 4 || t.Len() == 0) && err == nil {
			err = fmt.Errorf("%s: expected a convolution, found the shape %v", t.Name, t.Shape)
		}
		return t, ok && err == nil
	}
	if t, ok := conv("Encoder.Stem.Conv"); ok {
		s, channels = &Stem{Kind: ResNetV2, Channels: t.Shape[:1:1]}, t.Shape[1]
		for {
			stage := fmt.Sprintf("Encoder.Stem.Stages.%d", len(s.Layers))
			t, ok := conv(stage + ".0.Conv3")
			if !ok {
				return s, channels, err
			}
			layers := 0
			for ; ok; _, ok = conv(fmt.Sprintf("%s.%d.Conv3", stage, layers)) {
				layers++
			}
			s.Channels, s.Layers = append(s.Channels, t.Shape[0]), append(s.Layers, layers)
		}
	}
	patch, _ := find("Encoder.Patch.Weight")
	for i := 0; ; i++ {
		t, ok := conv(fmt.Sprintf("Encoder.Stem.Convs.%d.Conv", i))
		if !ok || t.Name == patch.Name {
			return s, channels, err
		}
		if s == nil {
			s, channels = &Stem{Kind: ConvStem}, t.Shape[1]
		}
		s.Channels, s.Kernels = append(s.Channels, t.Shape[0]), append(s.Kernels, t.Shape[2])
	}
}
