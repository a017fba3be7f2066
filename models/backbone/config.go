package backbone

import (
	"fmt"
	"io/fs"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/internal/smallfile"
	"github.com/fovea-ml/fovea/internal/strictjson"
	"github.com/fovea-ml/fovea/models"
	"github.com/fovea-ml/fovea/models/internal/config"
	"github.com/fovea-ml/fovea/models/internal/modelfolder"
)

// The values of Config.ModelType. transformers has the first, and the last within RT-DETR.
const (
	resNetType  = "resnet"
	shuffleType = "shufflenet_v2"
	dlaType     = "dla"
	plainType   = "plain_cnn"
	ownType     = "fovea_resnet" // a ResNet with options that transformers' lacks
	vdType      = "rt_detr_resnet"
)

// The values of Config.LayerType: residual blocks of two convolutions, and of three, the second of which has a quarter of
// the channels.
const (
	Basic      = "basic"
	Bottleneck = "bottleneck"
)

// Config describes a network in the fields of the config.json of transformers' ResNet; each has the name it has there. A
// Config is made by a preset or by [ReadConfig] and then changed: its zero value is not valid.
type Config struct {
	// ModelType selects the network: "resnet", "shufflenet_v2", "dla" or "plain_cnn". "rt_detr_resnet" is the body of RT-DETR
	// ([ResNetVD]), which is no classifier.
	ModelType     string   `json:"model_type"`
	Architectures []string `json:"architectures,omitempty"`
	NumChannels   int      `json:"num_channels"`
	EmbeddingSize int      `json:"embedding_size"` // channels of the stem
	HiddenSizes   []int    `json:"hidden_sizes"`   // channels of each stage
	Depths        []int    `json:"depths"`         // blocks of each stage; for DLA, the depth of its tree, and 1 before the trees
	LayerType     string   `json:"layer_type"`     // of a ResNet: Basic or Bottleneck
	// HiddenAct is a name of simd.ActivationByName. The blocks of a ResNet have it after their sum alone, and ReLU inside.
	HiddenAct string `json:"hidden_act"`
	// DownsampleInFirstStage halves the size in the first stage of a ResNet too.
	DownsampleInFirstStage bool `json:"downsample_in_first_stage"`
	// DownsampleInBottleneck puts the stride of a bottleneck into its first convolution, as the paper does. Without it, the
	// stride is in the second (torchvision, timm).
	DownsampleInBottleneck bool `json:"downsample_in_bottleneck"`
	models.Classes

	// The fields that follow are Fovea's own: transformers' ResNet lacks these options.

	// DeepStem makes the stem of a ResNet three 3×3 convolutions in place of one of 7×7 (timm's resnet50d).
	DeepStem bool `json:"deep_stem,omitempty"`
	// AverageDown puts the stride of a ResNet's shortcuts into an average pooling (timm's resnet50d).
	AverageDown bool `json:"average_down,omitempty"`
	// Dilated gives the last stage of a ResNet dilated convolutions in place of its stride: its features have the size of the
	// stage before (timm's output_stride of 16; DC5 of DETR). It has no AverageDown.
	Dilated bool `json:"dilated,omitempty"`
	// FinalSize, when it is not 0, is the number of channels of a 1×1 convolution before the mean (ShuffleNetV2).
	FinalSize int `json:"final_size,omitempty"`
}

func resNet(layer string, depths ...int) Config {
	c := Config{
		ModelType: resNetType, NumChannels: 3, EmbeddingSize: 64, HiddenSizes: []int{64, 128, 256, 512}, Depths: depths,
		LayerType: layer, HiddenAct: "relu",
	}
	if layer == Bottleneck {
		c.HiddenSizes = []int{256, 512, 1024, 2048}
	}
	return c
}

// ResNet18 is the network of 18 layers (arXiv 1512.03385, table 1): 11.7 M parameters with 1000 classes.
func ResNet18() Config { return resNet(Basic, 2, 2, 2, 2) }

// ResNet34 has 21.8 M parameters.
func ResNet34() Config { return resNet(Basic, 3, 4, 6, 3) }

// ResNet50 has 25.6 M parameters. Its stride is in the 3×3 convolutions ("v1.5").
func ResNet50() Config { return resNet(Bottleneck, 3, 4, 6, 3) }

// ResNet101 has 44.5 M parameters.
func ResNet101() Config { return resNet(Bottleneck, 3, 4, 23, 3) }

// ResNet152 has 60.2 M parameters.
func ResNet152() Config { return resNet(Bottleneck, 3, 8, 36, 3) }

// ResNetVD is the body of RT-DETR (arXiv 2304.08069) with the layers of a ResNet: its stem is deep, shortcuts are averaged
// before they are projected (arXiv 1812.01187), and the first block of every stage has a projection.
func ResNetVD(c Config) Config {
	c.ModelType = vdType
	return c
}

func shuffleNet(sizes ...int) Config {
	return Config{ModelType: shuffleType, NumChannels: 3, EmbeddingSize: 24, HiddenSizes: sizes, Depths: []int{4, 8, 4}, HiddenAct: "relu", FinalSize: 1024}
}

// ShuffleNetV2x05 is ShuffleNetV2 of half the width (arXiv 1807.11164, table 5): 1.4 M parameters.
func ShuffleNetV2x05() Config { return shuffleNet(48, 96, 192) }

// ShuffleNetV2x10 is ShuffleNetV2: 2.3 M parameters.
func ShuffleNetV2x10() Config { return shuffleNet(116, 232, 464) }

// DLA34 is DLA-34 (arXiv 1707.06484, table 1): 15.7 M parameters with 1000 classes.
func DLA34() Config {
	return Config{
		ModelType: dlaType, NumChannels: 3, EmbeddingSize: 16, HiddenSizes: []int{16, 32, 64, 128, 256, 512}, Depths: []int{1, 1, 1, 2, 2, 1},
		HiddenAct: "relu",
	}
}

// Plain is a small network of 3×3 convolutions for experiments and tests: 1.6 M parameters without a head.
func Plain() Config {
	return Config{ModelType: plainType, NumChannels: 3, EmbeddingSize: 16, HiddenSizes: []int{32, 64, 128, 256}, Depths: []int{2, 2, 2, 2}, HiddenAct: "relu"}
}

// FeatureSize returns the number of values that the head classifies: [Model.Pooled] gives as many for an image.
func (c Config) FeatureSize() int {
	if c.FinalSize != 0 {
		return c.FinalSize
	}
	return c.HiddenSizes[len(c.HiddenSizes)-1]
}

// act returns the activation. The configuration must be valid.
func (c Config) act() autograd.Activation {
	return new(config.Checks).Activation("hidden_act", c.HiddenAct)
}

// stages is the number of stages that a type of network has.
func stages(modelType string) int {
	switch modelType {
	case shuffleType:
		return 3
	case dlaType:
		return 6
	}
	return 4
}

// maxDepth bounds the blocks of a stage, far above any network, and maxTree the depth of a tree, whose blocks double with
// it.
const maxDepth, maxTree = 1000, 6

// Validate returns an error that names the first field whose value no network can have. Fields that the model_type does not
// use are zero.
func (c Config) Validate() error {
	var v config.Checks
	v.OneOf("model_type", c.ModelType, resNetType, shuffleType, dlaType, plainType, vdType)
	v.Size("num_channels", c.NumChannels)
	v.Size("embedding_size", c.EmbeddingSize)
	if n := stages(c.ModelType); len(c.HiddenSizes) != n || len(c.Depths) != n {
		v.Fail("hidden_sizes", "expected %d numbers here and in depths, found %d and %d", n, len(c.HiddenSizes), len(c.Depths))
	}
	for _, n := range c.HiddenSizes {
		v.Size("hidden_sizes", n)
	}
	most := maxDepth
	if c.ModelType == dlaType {
		most = maxTree
	}
	for _, n := range c.Depths {
		if n < 1 || n > most {
			v.Fail("depths", "expected 1 to %d, found %d", most, n)
		}
	}
	v.Activation("hidden_act", c.HiddenAct)
	switch c.ModelType {
	case resNetType, vdType:
		v.OneOf("layer_type", c.LayerType, Basic, Bottleneck)
		for _, n := range c.HiddenSizes {
			if c.LayerType == Bottleneck {
				v.Multiple("hidden_sizes", n, 4, "bottlenecks")
			}
		}
		if c.DeepStem || c.ModelType == vdType {
			v.Multiple("embedding_size", c.EmbeddingSize, 2, "a deep stem")
		}
		if c.Dilated && c.AverageDown {
			v.Fail("dilated", "expected false beside average_down, found true")
		}
		if c.ModelType == vdType {
			v.Unused(c.ModelType, config.Field{Name: "deep_stem", Value: c.DeepStem}, config.Field{Name: "average_down", Value: c.AverageDown},
				config.Field{Name: "dilated", Value: c.Dilated})
			if v.Err() == nil && c.LayerType == Basic && !c.DownsampleInFirstStage && c.EmbeddingSize != c.HiddenSizes[0] {
				v.Fail("embedding_size", "expected the first of hidden_sizes, %d, because the shortcut of other basic layers halves the image, found %d",
					c.HiddenSizes[0], c.EmbeddingSize)
			}
		}
	case shuffleType:
		for _, n := range c.HiddenSizes {
			v.Multiple("hidden_sizes", n, 2, "two branches")
		}
	case dlaType:
		if v.Err() == nil && (c.Depths[0] != 1 || c.Depths[1] != 1) {
			v.Fail("depths", "expected 1 for the first two, which have one convolution each, found %d and %d", c.Depths[0], c.Depths[1])
		}
	}
	if c.ModelType != resNetType && c.ModelType != vdType {
		v.Unused(c.ModelType, config.Field{Name: "layer_type", Value: c.LayerType},
			config.Field{Name: "downsample_in_first_stage", Value: c.DownsampleInFirstStage},
			config.Field{Name: "downsample_in_bottleneck", Value: c.DownsampleInBottleneck},
			config.Field{Name: "deep_stem", Value: c.DeepStem}, config.Field{Name: "average_down", Value: c.AverageDown},
			config.Field{Name: "dilated", Value: c.Dilated})
	}
	switch {
	case c.ModelType != shuffleType:
		v.Unused(c.ModelType, config.Field{Name: "final_size", Value: c.FinalSize})
	case c.FinalSize != 0:
		v.Size("final_size", c.FinalSize)
	}
	return v.Err()
}

// Claim returns the least that the weights are, so that a false configuration cannot cause a large allocation. The
// configuration must be valid. It is for the other model packages, which load networks with such a body.
func (c Config) Claim() models.Claim {
	in := float64(c.EmbeddingSize)
	claim := models.Claim{Values: 4 * float64(c.NumChannels) * in} // a stem of 3×3, at least, of half the channels
	for i, n := range c.Depths {
		out, blocks := float64(c.HiddenSizes[i]), n
		switch {
		case c.ModelType == shuffleType:
			claim.Values += in*out + float64(blocks)*out*out/4 // 1×1 convolutions
		case c.LayerType == Bottleneck:
			claim.Values += in*out/4 + float64(blocks)*13*out*out/16
			if in != out {
				claim.Values += in * out // of the shortcut
			}
		default:
			if c.ModelType == dlaType && i >= 2 {
				blocks = 2 << n // convolutions: two in each block of a tree
			}
			claim.Values += 9*in*out + 9*out*out*float64(blocks-1)
		}
		claim.Tensors += 5 * blocks
		in = out
	}
	claim.Values += in * float64(c.FinalSize)
	return claim
}

// UnmarshalJSON reads the fields of a config.json. Those that it lacks keep their values.
func (c *Config) UnmarshalJSON(data []byte) error {
	type plain Config
	if err := strictjson.Decode(data, (*plain)(c)); err != nil {
		return err
	}
	if c.ModelType == ownType {
		c.ModelType = resNetType
	}
	return nil
}

// ReadConfig reads and checks a config.json. Fields that it lacks have transformers' defaults for a ResNet, and those of
// [ShuffleNetV2x10], [DLA34] or [Plain] for the others. The error names the file and the field.
func ReadConfig(fsys fs.FS, name string) (Config, error) {
	start := defaults()
	if data, err := smallfile.Read(fsys, name); err == nil { // modelfolder names what is wrong otherwise
		start, _ = stated(data)
	}
	return modelfolder.ReadConfig(fsys, name, family, start)
}

// ParseConfig reads and checks the configuration of a ResNet that another model's config.json holds, such as backbone_config. It
// is for the other model packages, which load networks with such a body.
func ParseConfig(data []byte) (Config, error) {
	c := defaults()
	if err := configFields.Check(data); err != nil {
		return c, err
	}
	if err := strictjson.Decode(data, &c); err != nil {
		return c, err
	}
	if c.ModelType != resNetType {
		return c, fmt.Errorf("model_type: expected %q, found %q", resNetType, c.ModelType)
	}
	return c, c.Validate()
}

// defaults are those of transformers' ResNetConfig, for fields that a config.json leaves out.
func defaults() Config { return ResNet50() }
