// Package models holds the types that all model packages share: how a model is loaded and saved, the names of its
// classes, and a [Box].
//
//	model, err := vit.Open(folder, models.LoadOptions{ImageSize: 384})
//	…
//	err = model.Save(folder, models.SaveOptions{DType: checkpoint.BF16})
//
// Each model has a package of its own below this one. It reads folders as Hugging Face lays them out and, where they
// exist, the files of timm and of the paper's own release. The package's documentation says which. Its Open takes the
// path of a folder or a file, and its Load any fs.FS, such as files inside the program. [PackageFor] tells
// the package from the model_type of a config.json.
//
// A model package calls these types by names of its own, such as vit.LoadOptions, so that its users need one import.
//
// A folder comes from a stranger. Before memory is reserved for a model, the sizes in its configuration are compared
// with the weights. A broken folder is an error that names the file and the field or tensor, what was expected there
// and what was found.
package models

import "github.com/fovea-ml/fovea/checkpoint"

// packages are the packages that load each model_type.
var packages = map[string]string{
	"vit": "models/vit", "fovea_vit": "models/vit", "deit": "models/vit", "dinov2": "models/vit",
	"dinov2_with_registers": "models/vit", "dinov3_vit": "models/vit", "beit": "models/vit", "data2vec-vision": "models/vit", "vit_mae": "models/mae", "clip": "models/clip",
	"siglip": "models/clip", "siglip2": "models/clip", "chinese_clip": "models/clip",
	"bert": "models/bert", "roberta": "models/bert", "xlm-roberta": "models/bert", "camembert": "models/bert",
	"distilbert": "models/bert", "albert": "models/bert", "electra": "models/bert", "mpnet": "models/bert", "deberta-v2": "models/bert",
	"modernbert": "models/bert",
	"resnet":     "models/backbone", "fovea_resnet": "models/backbone", "shufflenet_v2": "models/backbone", "dla": "models/backbone", "plain_cnn": "models/backbone",
	"fastestdet": "models/detect", "fcos": "models/detect", "retinanet": "models/detect", "faster_rcnn": "models/detect",
	"detr": "models/detect", "yolos": "models/detect", "rt_detr": "models/detect", "rt_detr_v2": "models/detect",
}

// PackageFor returns the package of this module that loads models of a type (the model_type in config.json), such as
// "models/vit", or "" for a type that no package loads.
func PackageFor(modelType string) string { return packages[modelType] }

// LoadOptions change how a model is loaded. The zero value is strict.
type LoadOptions struct {
	// File is the name of the weights in the folder. "" means model.safetensors and the other usual names, or
	// else the only file of the folder that can hold weights.
	File string
	// Root is where in a PyTorch file the weights are, such as "state_dict" in a file of timm's training program that
	// also holds their average. nil means averaged weights, where there are some; see checkpoint.OpenOptions.
	Root []string
	// ImageSize, when it is not 0, is the side in pixels of the images that the model is to take, a multiple of its
	// patch size. Position embeddings for another size are resized, and the preprocessing in proportion. A model
	// without images refuses it, and a model of images that are not square then takes square ones.
	ImageSize int
	// Lenient loads the tensors that fit and leaves the other parameters at zero.
	Lenient bool
	// Unmapped reads the weights into memory. Without it the file is mapped, and must not change while a model uses
	// it.
	Unmapped bool
	// Widen turns half-precision weights into float32 as they are loaded. Without it they stay as they are: they take
	// half the memory and give the same results. Inference then widens them as it goes, which takes a few percent
	// longer. A parameter that is trained becomes float32 with its first update. Quantized models stay as they are.
	Widen bool
}

// Layout is the library for which a folder is written. It decides the names of the tensors, and the contents of
// config.json where libraries differ in them.
type Layout uint8

// The layouts. A model package says which it can write; Save refuses the others.
const (
	HuggingFace Layout = iota // transformers
	Timm                      // timm
	Original                  // the code that the paper's authors published
	OpenCLIP                  // open_clip
)

// String returns the name of the library.
func (l Layout) String() string {
	switch l {
	case HuggingFace:
		return "Hugging Face"
	case Timm:
		return "timm"
	case Original:
		return "original"
	case OpenCLIP:
		return "open_clip"
	}
	return "unknown"
}

// SaveOptions change how a model is saved. The zero value writes float32 weights for transformers.
//
// Weights that package nn/quant converted are written as they are. The layout is that of the library
// compressed-tensors with the format int-quantized, which transformers reads:
//
//   - a weight of integers, [out, in], is a tensor of I8, and beside it X_scale holds a float for each row, [out, 1];
//   - a convolution of integers, [out, in/groups, kh, kw], is such a tensor, with a float for each filter, [out, 1];
//   - a weight of bfloat16 is a tensor of BF16;
//   - quantization_config in config.json says that weights and activations have 8 bits, and lists layers that have not.
//
// That library knows linear layers and embeddings alone. A folder with convolutions of integers therefore has the format
// int-quantized-conv and no quant_method: Load reads it, and transformers refuses it instead of taking integers for weights.
//
// The other weights stay in float32, or in float16 if DType says so. A model that was not converted is saved in DType.
//
// Load reads such folders, sets the model's Math to simd.Int8, and refuses other ways to quantize by name. Only layouts in
// which config.json has a model_type can hold quantized weights.
type SaveOptions struct {
	Layout Layout           // the library that is to read the folder
	DType  checkpoint.DType // of the weights: F32, F16 or BF16; the zero value means F32
}
