package detect

import (
	"encoding/json"
	"io/fs"
	"slices"

	"github.com/fovea-ml/fovea/internal/strictjson"
	"github.com/fovea-ml/fovea/models"
	"github.com/fovea-ml/fovea/models/backbone"
	"github.com/fovea-ml/fovea/models/internal/config"
	"github.com/fovea-ml/fovea/models/internal/modelfolder"
)

// The values of Config.ModelType.
const (
	fastestType = "fastestdet"
	fcosType    = "fcos"
	retinaType  = "retinanet"
	rcnnType    = "faster_rcnn"
	detrType    = "detr"
	yolosType   = "yolos"
)

// Config describes a detector in the fields of a config.json. Those of FastestDet and of torchvision's detectors are Fovea's
// own. A Config is made by a preset or by [ReadConfig] and then changed: its zero value is not valid.
type Config struct {
	ModelType string `json:"model_type"`
	// DETR describes a [DETR], in whose config.json its fields are. It is nil for other detectors.
	DETR *DETRConfig `json:"-"`
	// YOLOS describes a [YOLOS] in the same way.
	YOLOS *YOLOSConfig `json:"-"`
	// ImageSize is the side in pixels of the squares to which FastestDet stretches images.
	ImageSize int `json:"image_size,omitempty"`
	// The other detectors resize images so that the shorter side has MinSize pixels, or the longer side MaxSize where that
	// makes a smaller image.
	MinSize int `json:"min_size,omitempty"`
	MaxSize int `json:"max_size,omitempty"`
	// Backbone is the residual network of detectors with a feature pyramid, and FPNChannels the number of the pyramid's
	// channels, a multiple of 32.
	Backbone    *backbone.Config `json:"backbone_config,omitempty"`
	FPNChannels int              `json:"fpn_channels,omitempty"`
	// HeadSize is the width of the fully connected layers of Faster R-CNN.
	HeadSize int `json:"head_size,omitempty"`
	// NormedHeads selects torchvision's second version (…_resnet50_fpn_v2). The heads of a RetinaNet then have group
	// normalization, and P6 takes the features of the backbone. Faster R-CNN has batch normalization in the pyramid, two
	// convolutions in the first stage and four in the second.
	NormedHeads bool `json:"normed_heads,omitempty"`
	// NormEps is the epsilon of the backbone's batch normalizations. 0 means 1e-5, and a tiny number no epsilon.
	NormEps float32 `json:"norm_eps,omitempty"`
	models.Classes
}

// Fastest is FastestDet: 0.24 M parameters with 80 classes, for images of 352 pixels.
func Fastest() Config { return Config{ModelType: fastestType, ImageSize: 352} }

func pyramidConfig(modelType string) Config {
	body := backbone.ResNet50()
	return Config{ModelType: modelType, MinSize: 800, MaxSize: 1333, Backbone: &body, FPNChannels: 256}
}

// FCOSResNet50 is FCOS (arXiv 1904.01355) on a ResNet-50: torchvision's fcos_resnet50_fpn, 32.3 M parameters with 91 classes.
func FCOSResNet50() Config { return pyramidConfig(fcosType) }

// RetinaNetResNet50 is RetinaNet (arXiv 1708.02002) on a ResNet-50: torchvision's retinanet_resnet50_fpn, 34 M parameters.
func RetinaNetResNet50() Config { return pyramidConfig(retinaType) }

// FasterRCNNResNet50 is Faster R-CNN (arXiv 1506.01497) on a ResNet-50: torchvision's fasterrcnn_resnet50_fpn, 41.8 M parameters
// with 91 classes.
func FasterRCNNResNet50() Config {
	c := pyramidConfig(rcnnType)
	c.HeadSize = 1024
	return c
}

// fastestDeepest is how many times smaller the deepest features of FastestDet are than the image; it divides the size of
// images.
const fastestDeepest = 32

// Bounds of the size of images, so that one fits into memory.
const (
	maxSize        = 1 << 12
	fastestMaxSize = 1 << 11
)

// groups are those of group normalization in heads.
const groups = 32

// Validate returns an error that names the first field whose value no detector can have. Fields that the model_type does not
// use are zero.
func (c Config) Validate() error {
	var v config.Checks
	v.OneOf("model_type", c.ModelType, append([]string{fastestType, fcosType, retinaType, rcnnType}, setTypes...)...)
	switch {
	case (c.ModelType == detrType) != (c.DETR != nil), (c.ModelType == yolosType) != (c.YOLOS != nil):
		v.Fail("model_type", "expected the configuration of the detector %q beside it, and no other", c.ModelType)
		return v.Err()
	case slices.Contains(setTypes, c.ModelType):
		return c.validateSet()
	}
	if c.ModelType == fastestType {
		if c.ImageSize < 1 || c.ImageSize > fastestMaxSize || c.ImageSize%fastestDeepest != 0 {
			v.Fail("image_size", "expected a multiple of %d up to %d, found %d", fastestDeepest, fastestMaxSize, c.ImageSize)
		}
		v.Unused(c.ModelType, config.Field{Name: "min_size", Value: c.MinSize}, config.Field{Name: "max_size", Value: c.MaxSize},
			config.Field{Name: "backbone_config", Value: c.Backbone != nil}, config.Field{Name: "fpn_channels", Value: c.FPNChannels},
			config.Field{Name: "head_size", Value: c.HeadSize}, config.Field{Name: "normed_heads", Value: c.NormedHeads},
			config.Field{Name: "norm_eps", Value: c.NormEps})
		return v.Err()
	}
	size := func(name string, size int) {
		if size < 1 || size > maxSize {
			v.Fail(name, "expected 1 to %d, found %d", maxSize, size)
		}
	}
	size("min_size", c.MinSize)
	size("max_size", c.MaxSize)
	v.Size("fpn_channels", c.FPNChannels)
	v.NotNegative("norm_eps", c.NormEps)
	v.Unused(c.ModelType, config.Field{Name: "image_size", Value: c.ImageSize})
	if c.ModelType == rcnnType {
		v.Size("head_size", c.HeadSize)
	} else {
		v.Unused(c.ModelType, config.Field{Name: "head_size", Value: c.HeadSize})
	}
	if c.ModelType == fcosType {
		v.Unused(c.ModelType, config.Field{Name: "normed_heads", Value: c.NormedHeads})
	}
	v.Multiple("fpn_channels", c.FPNChannels, groups, "group normalization")
	switch {
	case c.Backbone == nil:
		v.Fail("backbone_config", "expected a ResNet, found none")
	case c.Backbone.ModelType != "resnet":
		v.Fail("backbone_config: model_type", "expected %q, found %q", "resnet", c.Backbone.ModelType)
	default:
		if err := c.Backbone.Validate(); err != nil {
			v.Fail("backbone_config", "%w", err)
		}
	}
	return v.Err()
}

// setTypes are the detectors that predict a set. Their configurations are structs of their own.
var setTypes = []string{detrType, yolosType}

// validateSet is Validate for them.
func (c Config) validateSet() error {
	var v config.Checks
	v.Unused(c.ModelType, config.Field{Name: "image_size", Value: c.ImageSize}, config.Field{Name: "min_size", Value: c.MinSize},
		config.Field{Name: "max_size", Value: c.MaxSize}, config.Field{Name: "backbone_config", Value: c.Backbone != nil},
		config.Field{Name: "fpn_channels", Value: c.FPNChannels}, config.Field{Name: "head_size", Value: c.HeadSize},
		config.Field{Name: "normed_heads", Value: c.NormedHeads}, config.Field{Name: "norm_eps", Value: c.NormEps})
	if err := v.Err(); err != nil {
		return err
	}
	if c.DETR != nil {
		return c.DETR.validate()
	}
	return c.YOLOS.validate()
}

// UnmarshalJSON reads the fields of a config.json. Those that it lacks keep their values; for DETR and YOLOS they have the
// defaults of transformers.
func (c *Config) UnmarshalJSON(data []byte) error {
	var kind struct {
		ModelType string `json:"model_type"`
	}
	if err := strictjson.Decode(data, &kind); err != nil {
		return err
	}
	start := Config{ModelType: kind.ModelType}
	var fields json.Unmarshaler
	switch kind.ModelType {
	case detrType:
		start.DETR = DETRResNet50().DETR
		fields = start.DETR
	case yolosType:
		start.YOLOS = YOLOSBase().YOLOS
		fields = start.YOLOS
	default:
		type plain Config
		return strictjson.Decode(data, (*plain)(c))
	}
	if err := strictjson.Decode(data, &start.Classes); err != nil {
		return err
	}
	*c = start
	return fields.UnmarshalJSON(data)
}

// MarshalJSON writes the fields of a config.json.
func (c Config) MarshalJSON() ([]byte, error) {
	type plain Config
	if !slices.Contains(setTypes, c.ModelType) {
		return json.Marshal(plain(c))
	}
	var fields any = c.DETR
	class := "DetrForObjectDetection"
	if c.YOLOS != nil {
		fields, class = c.YOLOS, "YolosForObjectDetection"
	}
	head, err := json.Marshal(struct {
		ModelType     string   `json:"model_type"`
		Architectures []string `json:"architectures"`
		models.Classes
	}{c.ModelType, []string{class}, c.Classes})
	if err != nil {
		return nil, err
	}
	rest, err := json.Marshal(fields)
	if err != nil {
		return nil, err
	}
	return slices.Concat(head[:len(head)-1], []byte(","), rest[1:]), nil
}

// ReadConfig reads and checks a config.json. The error names the file and the field.
func ReadConfig(fsys fs.FS, name string) (Config, error) {
	return modelfolder.ReadConfig(fsys, name, family, Config{})
}

// configFields are the fields of a config.json.
var configFields = strictjson.Fields{
	{Name: "model_type"},
	{Name: "image_size"},
	{Name: "min_size"},
	{Name: "max_size"},
	{Name: "backbone_config"},
	{Name: "fpn_channels"},
	{Name: "head_size"},
	{Name: "normed_heads"},
	{Name: "norm_eps"},
	{Name: "id2label"},
	{Name: "label2id"},
	{Name: "problem_type", Use: strictjson.Harmless, Reason: "detectors have one"},
}
