package vision

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// processorClass holds the defaults of one of transformers' classes of image processors.
type processorClass struct {
	Preprocess         // its crop is the default size, used when crop or do_center_crop is set
	crop       bool    // crops by default
	neverCrops bool    // ignores do_center_crop
	short      bool    // a bare size is the shorter side (default_to_square is false)
	maxLong    bool    // a bare size stands beside max_size, which is 1333 by default, whatever default_to_square
	bothEdges  bool    // takes shortest_edge and longest_edge together alone
	longAlone  bool    // accepts longest_edge without shortest_edge
	pads       bool    // pads to a fixed size by default
	cropShare  float64 // crop_pct, where the class resizes and crops by it; 0 for other classes
	converts   bool    // lays images with alpha on white by default (do_convert_rgb)
}

// processorClasses are the classes whose steps are resize, crop, rescale and normalize, with the defaults of
// transformers 5.23, by name without ImageProcessor.
var processorClasses = func() map[string]processorClass {
	square := func(size int, f Filter, mean, std [3]float32) Preprocess {
		return Preprocess{Height: size, Width: size, Filter: f, Mean: mean, Std: std}
	}
	short := func(size int, f Filter, mean, std [3]float32) Preprocess {
		return Preprocess{Mode: ShortSide, Width: size, Filter: f, Mean: mean, Std: std}
	}
	cut := func(p Preprocess, size int) Preprocess {
		p.CropHeight, p.CropWidth = size, size
		return p
	}
	vit := processorClass{Preprocess: square(224, Bilinear, HalfMean, HalfStd)}
	clip := processorClass{Preprocess: cut(short(224, Bicubic, CLIPMean, CLIPStd), 224), crop: true, short: true, converts: true}
	detector := processorClass{Preprocess: short(800, Bilinear, ImageNetMean, ImageNetStd), maxLong: true, short: true, bothEdges: true, neverCrops: true}
	detector.MaxLong = 1333
	yolos := detector
	yolos.Multiple = 16
	siglip := processorClass{Preprocess: square(224, Bicubic, HalfMean, HalfStd), short: true, converts: true}
	mobile := processorClass{Preprocess: cut(short(256, Bilinear, HalfMean, HalfStd), 224), crop: true, short: true}
	rtdetr := processorClass{Preprocess: square(640, Bilinear, ImageNetMean, ImageNetStd), short: true, bothEdges: true, neverCrops: true}
	rtdetr.NoNormalize = true
	convnext := processorClass{Preprocess: short(384, Bicubic, HalfMean, HalfStd), short: true, cropShare: 224. / 256}
	dinov3 := processorClass{Preprocess: square(224, Bilinear, ImageNetMean, ImageNetStd)}
	dinov3.FloatResize = true
	return map[string]processorClass{
		"DINOv3ViT":       dinov3,
		"ViT":             vit,
		"DeiT":            {Preprocess: cut(square(256, Bicubic, HalfMean, HalfStd), 224), crop: true},
		"Beit":            {Preprocess: cut(square(224, Bicubic, HalfMean, HalfStd), 224)},
		"CLIP":            clip,
		"ChineseCLIP":     clip,
		"Bit":             clip,
		"ConvNext":        convnext,
		"Blip":            {Preprocess: square(384, Bicubic, CLIPMean, CLIPStd), converts: true},
		"Siglip":          siglip,
		"OwlViT":          {Preprocess: cut(square(768, Bicubic, CLIPMean, CLIPStd), 768), converts: true},
		"Pvt":             {Preprocess: square(224, Bicubic, ImageNetMean, ImageNetStd)},
		"Segformer":       {Preprocess: square(512, Bilinear, ImageNetMean, ImageNetStd), neverCrops: true},
		"MobileNetV1":     mobile,
		"MobileNetV2":     mobile,
		"Detr":            detector,
		"ConditionalDetr": detector,
		"DeformableDetr":  detector,
		"GroundingDino":   detector,
		"Yolos":           yolos,
		"RTDetr":          rtdetr,
		"Sam": {Preprocess: Preprocess{Mode: LongSide, Width: 1024, Mean: ImageNetMean, Std: ImageNetStd},
			longAlone: true, pads: true, converts: true},
	}
}()

// modelClasses are the classes that transformers chooses for files without a class, by the model_type of config.json.
var modelClasses = map[string]string{
	"vit": "ViT", "vit_mae": "ViT", "vit_msn": "ViT", "swin": "ViT", "swinv2": "ViT", "ijepa": "ViT",
	"deit": "DeiT", "beit": "Beit", "data2vec-vision": "Beit", "dinov2": "Bit", "dinov2_with_registers": "Bit", "dinov3_vit": "DINOv3ViT",
	"resnet": "ConvNext", "clip": "CLIP", "chinese_clip": "ChineseCLIP", "blip": "Blip", "blip-2": "Blip", "siglip": "Siglip",
	"detr": "Detr", "conditional_detr": "ConditionalDetr", "deformable_detr": "DeformableDetr", "table-transformer": "Detr",
	"yolos": "Yolos", "rt_detr": "RTDetr",
}

// classOf returns the class and the backend of a file. If the file names no class and no model has a type, it is
// the class of the Vision Transformer, the oldest one. A type whose class is unknown is an error.
func classOf(j *preprocessJSON, modelType string) (processorClass, Backend, error) {
	name := string(cmp.Or(j.Type, j.OldType))
	base := typeName(name)
	if name == "" {
		if base = modelClasses[modelType]; base == "" {
			if modelType != "" {
				return processorClass{}, 0, fmt.Errorf("no image_processor_type, and no image processor is known for the model_type %q of config.json", modelType)
			}
			base = "ViT"
		}
	}
	class, ok := processorClasses[base]
	if !ok {
		known := slices.Sorted(maps.Keys(processorClasses))
		return class, 0, fmt.Errorf("image_processor_type %q is unsupported, expected that of %s", name, strings.Join(known, ", "))
	}
	i := slices.Index(backendNames, j.Backend)
	if i < 0 {
		return class, 0, fmt.Errorf("pixel_backend %q: expected %q, %q or none", j.Backend, backendNames[Pillow], backendNames[Timm])
	}
	return class, Backend(i), nil
}
