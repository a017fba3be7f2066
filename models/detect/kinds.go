package detect

import (
	"math/rand/v2"

	"github.com/fovea-ml/fovea/checkpoint"
	"github.com/fovea-ml/fovea/internal/strictjson"
	"github.com/fovea-ml/fovea/models/internal/config"
	"github.com/fovea-ml/fovea/models/internal/modelfolder"
	"github.com/fovea-ml/fovea/vision"
)

// The values of Config.ModelType.
const (
	fastestType  = "fastestdet"
	fcosType     = "fcos"
	retinaType   = "retinanet"
	rcnnType     = "faster_rcnn"
	yoloType     = "yolov1"
	centerType   = "centernet"
	darknetType  = "darknet"
	detrType     = "detr"
	yolosType    = "yolos"
	rtdetrType   = "rt_detr"
	rtdetrV2Type = "rt_detr_v2"
)

// kind says how the detectors of a model_type are described, made, loaded and saved. A new detector is one more entry of
// [kinds].
type kind struct {
	modelType string
	uses      []string                                    // the fields of Config beside model_type and the classes
	check     func(c Config, v *config.Checks)            // checks them; the others are zero
	fits      func(c Config, imageSize int) error         // whether training takes images of a size; see Model.Prepare
	names     func(c Config) checkpoint.Names             // of the tensors in files
	claim     func(c Config) modelfolder.Claim            // the least that the weights are
	network   func(c Config, n int, r *rand.Rand) Network // of n classes, with weights drawn from r, or of zeros
	rows      func(c Config) classRows                    // the parameter that tells the number of classes
	coco      []string                                    // the classes of its release on COCO, nil for none
	// classClaim is what classes add to claim, for a network with several layers of their size. nil is nothing.
	classClaim func(c Config, classes int) modelfolder.Claim
	// resize applies LoadOptions.ImageSize. It is nil for detectors of transformers.
	resize func(f *modelfolder.Folder, c *Config) error
	// transformers is nil for detectors whose config.json has Fovea's own fields.
	transformers *transformersFiles
}

// transformersFiles says how the files of a detector of transformers are read and written. Its network is a setNetwork.
type transformersFiles struct {
	described func(c Config) bool // whether c has the description of such a detector
	fields    strictjson.Fields   // of config.json
	unmarshal func(c *Config, data []byte) error
	marshal   func(c Config) ([]byte, error)
	traces    []modelfolder.Trace // of variants that are not supported
	// ignore returns patterns of tensors that no output uses. nil is none.
	ignore func(weights *checkpoint.File) []string
	// preprocess returns the preprocessing, for LoadOptions.ImageSize, and whether it is assumed: no file states it.
	preprocess func(f *modelfolder.Folder, c *Config) (p vision.Preprocess, assumed bool, err error)
	processor  string // transformers' class for preprocessor_config.json
}

// classRows says how the rows of a parameter tell the number of classes: there are each·(others + classes) rows of the
// shape row.
type classRows struct {
	param        string
	each, others int
	row          []int
}

// kinds returns all kinds of detectors. It is a function because those of an entry use it in turn.
func kinds() []kind {
	pyramid := []string{"min_size", "max_size", "backbone_config", "fpn_channels", "norm_eps"}
	both := func(fields ...string) []string { return append(fields, pyramid...) }
	rtdetr := kind{
		modelType: rtdetrType,
		uses:      []string{"RTDETR"},
		check:     func(c Config, v *config.Checks) { c.RTDETR.check(v, c.ModelType) },
		fits:      fitsRTDETR,
		names:     rtdetrNames,
		claim:     func(c Config) modelfolder.Claim { return c.RTDETR.claim() },
		network:   func(c Config, n int, r *rand.Rand) Network { return NewRTDETR(c, n, r) },
		rows:      func(c Config) classRows { return classRows{"Class.Weight", 1, 0, []int{c.RTDETR.DModel}} },
		classClaim: func(c Config, classes int) modelfolder.Claim {
			return modelfolder.Claim{Values: float64(1+c.RTDETR.DecoderLayers) * float64(classes) * float64(c.RTDETR.DModel)}
		},
		transformers: &transformersFiles{
			described:  func(c Config) bool { return c.RTDETR != nil },
			fields:     rtdetrFields,
			unmarshal:  (*Config).unmarshalRTDETR,
			marshal:    Config.marshalRTDETR,
			ignore:     rtdetrCopies,
			preprocess: preprocessRTDETR,
			processor:  "RTDetrImageProcessor",
		},
	}
	rtdetrV2 := rtdetr
	rtdetrV2.modelType = rtdetrV2Type
	return []kind{
		{
			modelType: fastestType,
			uses:      []string{"image_size"},
			check:     Config.checkSquare,
			fits:      fitsResized,
			names:     func(Config) checkpoint.Names { return fastestNames },
			claim:     func(Config) modelfolder.Claim { return modelfolder.Claim{} },
			network:   func(c Config, n int, r *rand.Rand) Network { return NewFastestDet(c, n, r) },
			rows:      func(Config) classRows { return classRows{"Class.Predict.Conv.Weight", 1, 0, []int{fastestWidth, 1, 1}} },
			coco:      cocoObjects,
			resize:    resizeSquare,
		},
		{
			modelType: fcosType,
			uses:      pyramid,
			check:     Config.checkPyramid,
			fits:      fitsResized,
			names:     fcosNames,
			claim:     Config.pyramidClaim,
			network:   func(c Config, n int, r *rand.Rand) Network { return NewFCOS(c, n, r) },
			rows:      func(c Config) classRows { return classRows{"Class.Weight", 1, 0, []int{c.FPNChannels, 3, 3}} },
			coco:      cocoNames,
			resize:    resizePyramid,
		},
		{
			modelType: retinaType,
			uses:      both("second_version"),
			check:     Config.checkPyramid,
			fits:      fitsResized,
			names:     retinaNames,
			claim:     Config.pyramidClaim,
			network:   func(c Config, n int, r *rand.Rand) Network { return NewRetinaNet(c, n, r) },
			rows: func(c Config) classRows {
				return classRows{"Class.Weight", retinaAnchors, 0, []int{c.FPNChannels, 3, 3}}
			},
			coco:   cocoNames,
			resize: resizePyramid,
		},
		{
			modelType: rcnnType,
			uses:      both("head_size", "second_version"),
			check:     Config.checkRCNN,
			fits:      fitsResized,
			names:     rcnnNames,
			claim:     Config.rcnnClaim,
			network:   func(c Config, n int, r *rand.Rand) Network { return NewFasterRCNN(c, n, r) },
			rows:      func(c Config) classRows { return classRows{"Class.Weight", 1, 0, []int{c.HeadSize}} },
			coco:      cocoNames,
			resize:    resizePyramid,
		},
		{
			modelType: yoloType,
			uses:      []string{"image_size", "backbone_config", "head_size", "grid_size", "boxes_per_cell", "head_channels", "darknet_layout"},
			check:     Config.checkYOLO,
			fits:      fitsAlone,
			names:     yoloNames,
			claim:     Config.yoloClaim,
			network:   func(c Config, n int, r *rand.Rand) Network { return NewYOLOv1(c, n, r) },
			rows:      Config.yoloRows,
			resize:    resizeYOLO,
		},
		{
			modelType: darknetType,
			uses:      []string{"image_size", "grid_size", "boxes_per_cell", "layers"},
			check:     Config.checkDarknet,
			fits:      fitsAlone,
			names:     func(Config) checkpoint.Names { return darknetNames() },
			claim:     Config.darknetClaim,
			network:   func(c Config, n int, r *rand.Rand) Network { return NewDarknet(c, n, r) },
			rows:      Config.darknetRows,
			resize:    resizeDarknet,
		},
		{
			modelType: centerType,
			uses:      []string{"image_size", "backbone_config", "head_size", "up_sizes", "deformable"},
			check:     Config.checkCenter,
			fits:      fitsResized,
			names:     centerNames,
			claim:     Config.centerClaim,
			network:   func(c Config, n int, r *rand.Rand) Network { return NewCenterNet(c, n, r) },
			rows:      func(c Config) classRows { return classRows{"Heatmap.Predict.Weight", 1, 0, []int{c.HeadSize, 1, 1}} },
			coco:      cocoObjects,
			resize:    resizeSquare,
		},
		{
			modelType: detrType,
			uses:      []string{"DETR"},
			check:     func(c Config, v *config.Checks) { c.DETR.validate(v) },
			fits:      fitsAny,
			names:     func(c Config) checkpoint.Names { return detrNames(*c.DETR) },
			claim:     func(c Config) modelfolder.Claim { return c.DETR.claim() },
			network:   func(c Config, n int, r *rand.Rand) Network { return NewDETR(c, n, r) },
			rows:      func(c Config) classRows { return classRows{"Class.Weight", 1, 1, []int{c.DETR.DModel}} },
			transformers: &transformersFiles{
				described:  func(c Config) bool { return c.DETR != nil },
				fields:     detrFields,
				unmarshal:  (*Config).unmarshalDETR,
				marshal:    func(c Config) ([]byte, error) { return c.marshalSet("DetrForObjectDetection", c.DETR) },
				traces:     detrUnsupported,
				preprocess: preprocessDETR,
				processor:  "DetrImageProcessor",
			},
		},
		{
			modelType: yolosType,
			uses:      []string{"YOLOS"},
			check:     func(c Config, v *config.Checks) { c.YOLOS.validate(v) },
			fits:      fitsAny,
			names:     func(Config) checkpoint.Names { return yolosNames },
			claim:     func(c Config) modelfolder.Claim { return c.YOLOS.claim() },
			network:   func(c Config, n int, r *rand.Rand) Network { return NewYOLOS(c, n, r) },
			rows:      func(c Config) classRows { return classRows{"Class.Layers.2.Weight", 1, 1, []int{c.YOLOS.HiddenSize}} },
			transformers: &transformersFiles{
				described:  func(c Config) bool { return c.YOLOS != nil },
				fields:     yolosFields,
				unmarshal:  (*Config).unmarshalYOLOS,
				marshal:    func(c Config) ([]byte, error) { return c.marshalSet("YolosForObjectDetection", c.YOLOS) },
				preprocess: preprocessYOLOS,
				processor:  "YolosImageProcessor",
			},
		},
		rtdetr,
		rtdetrV2,
	}
}

// modelTypes returns the values of Config.ModelType.
func modelTypes() (all []string) {
	for _, k := range kinds() {
		all = append(all, k.modelType)
	}
	return all
}

// kindOf returns the kind with a model_type. Without one, it is the zero kind.
func kindOf(modelType string) kind {
	for _, k := range kinds() {
		if k.modelType == modelType {
			return k
		}
	}
	return kind{}
}
