package detect

import (
	"errors"
	"fmt"
	"strings"

	"github.com/fovea-ml/fovea/checkpoint"
	"github.com/fovea-ml/fovea/models/backbone"
	"github.com/fovea-ml/fovea/models/internal/modelfolder"
	"github.com/fovea-ml/fovea/models/internal/tower"
)

// probe names the tensors by which torchvision's detectors and the releases of DETR, YOLOS and RT-DETR are told apart.
var probe = names([]checkpoint.Rule{
	{"DETR", "transformer.decoder.norm.weight"},
	{"YOLOS", "backbone.det_token"},
	{"RTDETR", "decoder.dec_score_head.0.weight"},
	{"FCOS", "head.regression_head.bbox_ctrness.weight"},
	{"OneStage", "head.regression_head.bbox_reg.weight"},
	{"OneStageNorm", "head.regression_head.conv.0.1.weight"},
	{"TwoStages", "rpn.head.bbox_pred.weight"},
	{"TwoStagesSecond", "roi_heads.box_head.5.weight"},
	{"YOLO", "convs.3.conv.weight"},
	{"TwoStagesClass", "roi_heads.box_predictor.cls_score.weight"},
	{"OneStageClass", "head.classification_head.cls_logits.weight"},
	{"FirstNames", "backbone.fpn.inner_blocks.0.weight"},
})

// torchvisionUnsupported are parts of the names of tensors of torchvision's other detectors.
var torchvisionUnsupported = []modelfolder.Trace{
	{Part: "roi_heads.mask_", What: "masks (Mask R-CNN)"},
	{Part: "roi_heads.keypoint_", What: "key points (Keypoint R-CNN)"},
	{Part: "head.classification_head.module_list.", What: "the heads of an SSD"},
	{Part: "backbone.body.1.block.0.0.weight", What: "a MobileNet as its backbone"},
}

// ofFirstWeights reports whether a detector has the form of torchvision's first weights, COCO_V1 of RetinaNet and
// Faster R-CNN: the names of the pyramid that torchvision 0.12 and earlier wrote, and COCO's classes. torchvision loads
// these weights with normalizations that have no epsilon (overwrite_eps in models/detection/_utils.py).
func ofFirstWeights(c Config, find tower.Finder) bool {
	class, classes := "TwoStagesClass", len(cocoNames)
	switch {
	case c.SecondVersion || c.ModelType == fcosType:
		return false
	case c.ModelType == retinaType:
		class, classes = "OneStageClass", retinaAnchors*len(cocoNames)
	}
	_, first := find("FirstNames")
	t, ok := find(class)
	return first && ok && len(t.Shape) > 0 && t.Shape[0] == classes
}

// withoutEps is an epsilon that no variance is smaller than: 0 stands for the default.
const withoutEps = 1e-30

// pyramidOf returns the configuration of a file of torchvision.
func pyramidOf(f *modelfolder.Folder) (Config, error) {
	body, err := backbone.ConfigOf(f.Weights, "backbone.body.")
	if err != nil {
		const expected = "expected the weights of FastestDet, of torchvision's FCOS, RetinaNet or Faster R-CNN, of DETR, YOLOS or RT-DETR"
		if ofDetector(f.Weights) {
			return Config{}, fmt.Errorf(expected+": backbone: %w", err)
		}
		return Config{}, errors.New(expected)
	}
	find := probe.Finder(f.Weights)
	has := func(part string) bool { _, ok := find(part); return ok }
	sized := func(part, shape string, dims int) (checkpoint.Tensor, error) {
		t, ok := find(part)
		switch {
		case !ok:
			return t, fmt.Errorf("expected the tensor %s, found none", probe.Tensors(part)[0][0])
		case len(t.Shape) != dims:
			return t, fmt.Errorf("%s: expected the shape %s, found %v", t.Name, shape, t.Shape)
		}
		return t, nil
	}
	c, head := pyramidConfig(fcosType), "OneStage"
	switch {
	case has("FCOS"):
	case has("OneStage"):
		c.ModelType, c.SecondVersion = retinaType, has("OneStageNorm")
	case has("TwoStages"):
		c.ModelType, c.SecondVersion, head = rcnnType, has("TwoStagesSecond"), "TwoStages"
		t, err := sized("TwoStagesClass", "[classes size]", 2)
		if err != nil {
			return c, err
		}
		c.HeadSize = t.Shape[1]
	case has("YOLO"):
		return c, fmt.Errorf("the weights of a YOLOv1 do not tell its grid: expected %s beside them", modelfolder.ConfigName)
	default:
		return c, errors.New("expected the weights of torchvision's FCOS, RetinaNet or Faster R-CNN, found a feature pyramid with another head")
	}
	if ofFirstWeights(c, find) {
		c.NormEps = withoutEps
	}
	c.Backbone = &body
	t, err := sized(head, "[out in height width]", 4)
	if err != nil {
		return c, err
	}
	c.FPNChannels = t.Shape[1]
	return c, nil
}

// ofDetector reports whether the weights have tensors of the heads of torchvision's detectors.
func ofDetector(weights *checkpoint.File) bool {
	for name := range weights.Names() {
		for _, prefix := range probe.Prefixes {
			name = strings.TrimPrefix(name, prefix)
		}
		if strings.HasPrefix(name, "rpn.") || strings.HasPrefix(name, "head.") {
			return true
		}
	}
	return false
}
