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

// Config describes a detector in the fields of a config.json, which are Fovea's own for other detectors than [DETR],
// [YOLOS] and [RTDETR]. A Config is made by a preset or by [ReadConfig] and then changed: its zero value is not valid.
type Config struct {
	ModelType string `json:"model_type"`
	// DETR describes a [DETR], in whose config.json its fields are. It is nil for other detectors.
	DETR *DETRConfig `json:"-"`
	// YOLOS describes a [YOLOS] in the same way.
	YOLOS *YOLOSConfig `json:"-"`
	// RTDETR describes an [RTDETR] in the same way.
	RTDETR *RTDETRConfig `json:"-"`
	// ImageSize is the side in pixels of the squares to which FastestDet, YOLOv1 and Darknet stretch images, and which
	// CenterNet fits them into.
	ImageSize int `json:"image_size,omitempty"`
	// The other detectors resize images so that the shorter side has MinSize pixels, or the longer side MaxSize where that
	// makes a smaller image.
	MinSize int `json:"min_size,omitempty"`
	MaxSize int `json:"max_size,omitempty"`
	// Backbone is the network whose features the detector uses: a residual network for a feature pyramid, any network
	// for YOLOv1, and a residual network or a DLA for CenterNet. FastestDet has its own. FPNChannels is the number of
	// the pyramid's channels, a multiple of 32.
	Backbone    *backbone.Config `json:"backbone_config,omitempty"`
	FPNChannels int              `json:"fpn_channels,omitempty"`
	// HeadSize is the width of the fully connected layers of Faster R-CNN and YOLOv1, and of the first convolutions of the
	// heads of CenterNet. A YOLOv1 of 0 has none: a 1×1 convolution predicts.
	HeadSize int `json:"head_size,omitempty"`
	// SecondVersion selects torchvision's second version (…_resnet50_fpn_v2). The heads of a RetinaNet then have group
	// normalization, and P6 takes the features of the backbone. Faster R-CNN has batch normalization in the pyramid, two
	// convolutions in the first stage and four in the second.
	SecondVersion bool `json:"second_version,omitempty"`
	// NormEps is the epsilon of the backbone's batch normalizations. 0 means 1e-5, and a tiny number no epsilon.
	NormEps float32 `json:"norm_eps,omitempty"`
	// GridSize is the number of cells of YOLOv1 across an image, and down: ImageSize/32 or ImageSize/64, or any in a
	// Darknet. BoxesPerCell is the number of boxes that a cell predicts, and HeadChannels that of channels of the
	// convolutions after the backbone.
	GridSize     int `json:"grid_size,omitempty"`
	BoxesPerCell int `json:"boxes_per_cell,omitempty"`
	HeadChannels int `json:"head_channels,omitempty"`
	// DarknetLayout puts all class scores of a YOLOv1 before all confidences and these before all boxes, as darknet's
	// detection layer does.
	DarknetLayout bool `json:"darknet_layout,omitempty"`
	// UpSizes are the channels of the three transposed convolutions of a CenterNet on a residual network. With Deformable, a
	// deformable convolution comes before each. A DLA uses neither: it always has deformable convolutions.
	UpSizes    []int `json:"up_sizes,omitempty"`
	Deformable bool  `json:"deformable,omitempty"`
	// Layers are those of a Darknet, in their order.
	Layers []DarknetLayer `json:"layers,omitempty"`
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

// FasterRCNNResNet50 is Faster R-CNN (arXiv 1506.01497) on a ResNet-50: torchvision's fasterrcnn_resnet50_fpn, 41.8 M
// parameters with 91 classes.
func FasterRCNNResNet50() Config {
	c := pyramidConfig(rcnnType)
	c.HeadSize = 1024
	return c
}

// YOLOv1ResNet18 is YOLOv1 (arXiv 1506.02640) on a ResNet-18: 47.8 M parameters with 20 classes. The grid of 7×7 cells
// with two boxes each, and the layers after the backbone are those of the paper. The paper's have 1,024 channels and a
// width of 4,096.
func YOLOv1ResNet18() Config {
	body := backbone.ResNet18()
	return Config{ModelType: yoloType, ImageSize: 448, Backbone: &body, HeadSize: 1024, GridSize: 7, BoxesPerCell: 2, HeadChannels: 512}
}

func centerConfig(body backbone.Config, deformable bool, head int, sizes ...int) Config {
	return Config{ModelType: centerType, ImageSize: 512, Backbone: &body, HeadSize: head, UpSizes: sizes, Deformable: deformable}
}

// CenterNetResNet18 is CenterNet (arXiv 1904.07850) on a ResNet-18 with deformable convolutions: 14.4 M parameters with
// 80 classes (ctdet_coco_resdcn18.pth). Deformable false and UpSizes of 256 give the release's res_18.
func CenterNetResNet18() Config {
	return centerConfig(backbone.ResNet18(), true, 64, 256, 128, 64)
}

// CenterNetResNet101 is CenterNet on a ResNet-101 with deformable convolutions (ctdet_coco_resdcn101.pth).
func CenterNetResNet101() Config {
	return centerConfig(backbone.ResNet101(), true, 64, 256, 128, 64)
}

// CenterNetDLA34 is CenterNet on a DLA-34 with deformable convolutions (ctdet_coco_dla_2x.pth).
func CenterNetDLA34() Config { return centerConfig(backbone.DLA34(), false, 256) }

// squareDivisor is how many times smaller the deepest features of FastestDet and CenterNet are than the image; it divides the
// size of images.
const squareDivisor = 32

// upStages is the number of layers that bring the last features of a residual network from stride 32 to stride 4.
const upStages = 3

// fastestStride is the size in pixels of the cells of FastestDet.
const fastestStride = 16

// Bounds of the size of images, so that one fits into memory.
const (
	maxSize       = 1 << 12
	squareMaxSize = 1 << 11
)

// groups are those of group normalization in heads.
const groups = 32

// Validate returns an error that names the first field whose value no detector can have. Fields that the model_type does not
// use are zero.
func (c Config) Validate() error {
	var v config.Checks
	v.OneOf("model_type", c.ModelType, modelTypes()...)
	if v.Err() != nil {
		return v.Err()
	}
	k := kindOf(c.ModelType)
	if k.transformers != nil && !k.transformers.described(c) {
		v.Fail("model_type", "expected the configuration of the detector %q beside it, found none", c.ModelType)
		return v.Err()
	}
	k.check(c, &v)
	for _, field := range []config.Field{
		{Name: "image_size", Value: c.ImageSize}, {Name: "min_size", Value: c.MinSize}, {Name: "max_size", Value: c.MaxSize},
		{Name: "backbone_config", Value: c.Backbone != nil}, {Name: "fpn_channels", Value: c.FPNChannels},
		{Name: "head_size", Value: c.HeadSize}, {Name: "second_version", Value: c.SecondVersion}, {Name: "norm_eps", Value: c.NormEps},
		{Name: "grid_size", Value: c.GridSize}, {Name: "boxes_per_cell", Value: c.BoxesPerCell}, {Name: "head_channels", Value: c.HeadChannels},
		{Name: "darknet_layout", Value: c.DarknetLayout}, {Name: "up_sizes", Value: c.UpSizes}, {Name: "deformable", Value: c.Deformable},
		{Name: "layers", Value: c.Layers}, {Name: "DETR", Value: c.DETR != nil}, {Name: "YOLOS", Value: c.YOLOS != nil},
		{Name: "RTDETR", Value: c.RTDETR != nil},
	} {
		if !slices.Contains(k.uses, field.Name) {
			v.Unused(c.ModelType, field)
		}
	}
	return v.Err()
}

// checkSquare checks the size of squares that images are fitted into.
func (c Config) checkSquare(v *config.Checks) {
	if c.ImageSize < 1 || c.ImageSize > squareMaxSize || c.ImageSize%squareDivisor != 0 {
		v.Fail("image_size", "expected a multiple of %d up to %d, found %d", squareDivisor, squareMaxSize, c.ImageSize)
	}
}

// checkCenter checks the fields of a CenterNet.
func (c Config) checkCenter(v *config.Checks) {
	c.checkSquare(v)
	v.Size("head_size", c.HeadSize)
	c.checkBackbone(v, "a ResNet or DLA", "resnet", "dla")
	if c.Backbone == nil {
		return
	}
	c.checkStride(v)
	if c.Backbone.ModelType == "dla" {
		v.Unused("centernet on a DLA", config.Field{Name: "up_sizes", Value: c.UpSizes}, config.Field{Name: "deformable", Value: c.Deformable})
		return
	}
	if len(c.UpSizes) != upStages {
		v.Fail("up_sizes", "expected %d numbers, found %d", upStages, len(c.UpSizes))
	}
	for _, n := range c.UpSizes {
		v.Size("up_sizes", n)
	}
}

// checkPyramid checks the fields of detectors with a feature pyramid.
func (c Config) checkPyramid(v *config.Checks) {
	size := func(name string, size int) {
		if size < 1 || size > maxSize {
			v.Fail(name, "expected 1 to %d, found %d", maxSize, size)
		}
	}
	size("min_size", c.MinSize)
	size("max_size", c.MaxSize)
	v.Size("fpn_channels", c.FPNChannels)
	v.NotNegative("norm_eps", c.NormEps)
	v.Multiple("fpn_channels", c.FPNChannels, groups, "group normalization")
	c.checkBackbone(v, "a ResNet", "resnet")
}

// checkRCNN checks the fields of a Faster R-CNN.
func (c Config) checkRCNN(v *config.Checks) {
	c.checkPyramid(v)
	v.Size("head_size", c.HeadSize)
}

// checkBackbone checks the backbone, whose model_type is one of the given.
func (c Config) checkBackbone(v *config.Checks, expected string, types ...string) {
	if c.Backbone == nil {
		v.Fail("backbone_config", "expected %s, found none", expected)
		return
	}
	v.OneOf("backbone_config: model_type", c.Backbone.ModelType, types...)
	if err := c.Backbone.Validate(); err != nil {
		v.Fail("backbone_config", "%w", err)
	}
	if c.Backbone.NumChannels != 3 {
		v.Fail("backbone_config: num_channels", "expected 3, found %d", c.Backbone.NumChannels)
	}
}

// checkStride wants a backbone whose last features are 32 times smaller than the image.
func (c Config) checkStride(v *config.Checks) {
	if c.Backbone.DownsampleInFirstStage {
		v.Fail("backbone_config: downsample_in_first_stage", "expected false, so that the last features are 32 times smaller than the image, found true")
	}
	if c.Backbone.Dilated {
		v.Fail("backbone_config: dilated", "expected false, so that the last features are 32 times smaller than the image, found true")
	}
}

// checkYOLO checks the fields of a YOLOv1.
func (c Config) checkYOLO(v *config.Checks) {
	if c.GridSize < 1 || c.ImageSize > squareMaxSize || c.ImageSize != 32*c.GridSize && c.ImageSize != 64*c.GridSize {
		v.Fail("image_size", "expected 32 or 64 times grid_size, up to %d, found %d and %d", squareMaxSize, c.ImageSize, c.GridSize)
	}
	if c.BoxesPerCell < 1 || c.BoxesPerCell > yoloMostBoxes {
		v.Fail("boxes_per_cell", "expected 1 to %d, found %d", yoloMostBoxes, c.BoxesPerCell)
	}
	v.Size("head_channels", c.HeadChannels)
	if c.HeadSize != 0 {
		v.Size("head_size", c.HeadSize)
	} else if c.DarknetLayout {
		v.Fail("darknet_layout", "expected a head_size with it, found none")
	}
	c.checkBackbone(v, "a network", "resnet", "shufflenet_v2", "dla", "plain_cnn")
	if c.Backbone != nil {
		c.checkStride(v)
	}
}

// UnmarshalJSON reads the fields of a config.json. Those that it lacks keep their values, or have transformers' defaults.
func (c *Config) UnmarshalJSON(data []byte) error {
	if t := kindOf(typeOf(data)).transformers; t != nil {
		return t.unmarshal(c, data)
	}
	type plain Config
	return strictjson.Decode(data, (*plain)(c))
}

// MarshalJSON writes the fields of a config.json.
func (c Config) MarshalJSON() ([]byte, error) {
	if t := kindOf(c.ModelType).transformers; t != nil && t.described(c) {
		return t.marshal(c)
	}
	type plain Config
	return json.Marshal(plain(c))
}

// unmarshalDETR reads the fields of a config.json of a [DETR]. Those that it lacks have transformers' defaults.
func (c *Config) unmarshalDETR(data []byte) error {
	*c = DETRResNet50()
	if err := strictjson.Decode(data, &c.Classes); err != nil {
		return err
	}
	return c.DETR.UnmarshalJSON(data)
}

// unmarshalYOLOS reads the fields of a config.json of a [YOLOS]. Those that it lacks have transformers' defaults.
func (c *Config) unmarshalYOLOS(data []byte) error {
	*c = Config{ModelType: yolosType, YOLOS: new(yolosDefaults())}
	if err := strictjson.Decode(data, &c.Classes); err != nil {
		return err
	}
	return c.YOLOS.UnmarshalJSON(data)
}

// marshalSet writes the fields of a config.json for a class of transformers.
func (c Config) marshalSet(class string, fields any) ([]byte, error) {
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

// typeOf returns the model_type of a config.json, or "".
func typeOf(data []byte) string {
	var kind struct {
		ModelType string `json:"model_type"`
	}
	if strictjson.Decode(data, &kind) != nil {
		return ""
	}
	return kind.ModelType
}

// ReadConfig reads and checks a config.json. The error names the file and the field.
func ReadConfig(fsys fs.FS, name string) (Config, error) {
	return modelfolder.ReadConfig(fsys, name, families(), Config{})
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
	{Name: "second_version"},
	{Name: "norm_eps"},
	{Name: "grid_size"},
	{Name: "boxes_per_cell"},
	{Name: "head_channels"},
	{Name: "darknet_layout"},
	{Name: "up_sizes"},
	{Name: "deformable"},
	{Name: "layers"},
	{Name: "id2label"},
	{Name: "label2id"},
	{Name: "problem_type", Use: strictjson.Harmless, Reason: "detectors have one"},
}
