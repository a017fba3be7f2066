package tower

import (
	"cmp"
	"fmt"
	"slices"

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

// LargestStride is the largest stride of a stem.
const LargestStride = 1 << 16

// Stride returns the number of pixels between neighbors in what the stem gives. It is LargestStride+1 where that is more than
// LargestStride.
func (s Stem) Stride() int {
	factors := s.Kernels
	if s.Kind == ResNetV2 { // the first convolution and the pooling; then all stages but the first
		factors = append([]int{2, 2}, slices.Repeat([]int{2}, max(0, len(s.Layers)-1))...)
	}
	stride := 1
	for _, k := range factors {
		stride = min(stride*min(k, LargestStride+1), LargestStride+1) // the product of more may overflow
	}
	return stride
}

// check returns an error for a stride that no stem has.
func (s *Stem) check() error {
	if s != nil && s.Stride() > LargestStride {
		return fmt.Errorf("holds convolutions before the patches whose strides come to more than %d pixels", LargestStride)
	}
	return nil
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
				return s, channels, cmp.Or(err, s.check())
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
			return s, channels, cmp.Or(err, s.check())
		}
		if s == nil {
			s, channels = &Stem{Kind: ConvStem}, t.Shape[1]
		}
		s.Channels, s.Kernels = append(s.Channels, t.Shape[0]), append(s.Kernels, t.Shape[2])
	}
}
