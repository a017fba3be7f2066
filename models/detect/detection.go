package detect

import (
	"cmp"
	"math"

	"github.com/fovea-ml/fovea/models"
	"github.com/fovea-ml/fovea/models/internal/boxes"
)

// Box is a rectangle in pixels of an image. Its documentation in package models has the methods, such as [models.Box.IoU].
type Box = models.Box

// Detection is an object that a model found.
type Detection struct {
	Box   Box
	Class int
	Label string  // LABEL_0 and so on when the configuration names no classes
	Score float32 // from 0 to 1
	// Landmarks are points of the object, x and y in pixels, for a model that finds them.
	Landmarks [][2]float32
}

// Detections are those of one image, by descending score. Of equal scores, the candidate that the network gives first comes
// first.
type Detections []Detection

// Options say which candidates of a network are detections. The zero value has the network's own defaults.
type Options struct {
	// MinScore is the score that a detection exceeds. nil means the network's default: 0.65 for FastestDet, as in its
	// script, 0.2 for FCOS, and 0.05 for RetinaNet and Faster R-CNN, as in torchvision, 0.2 for YOLOv1, as in darknet,
	// 0.3 for CenterNet, and 0.5 for DETR, YOLOS and RT-DETR, as in transformers.
	MinScore *float32
	// MaxOverlap is the IoU above which the worse of two detections of one class is dropped (non-maximum suppression). nil
	// means the network's default: 0.45 for FastestDet, 0.6 for FCOS, 0.5 for RetinaNet and Faster R-CNN, 0.4
	// for YOLOv1, and 1 for CenterNet, DETR, YOLOS and RT-DETR, which drops none.
	MaxOverlap *float64
	// MaxDetections bounds the detections of an image. 0 means the network's default: none for FastestDet, YOLOv1, DETR and
	// YOLOS, 300 for RetinaNet, 100 for FCOS, Faster R-CNN and CenterNet, and the number of queries, mostly 300, for RT-DETR.
	MaxDetections int

	// The other options are those of torchvision's constructors for FCOS, RetinaNet and Faster R-CNN. Other detectors have no
	// such steps, and ignore them.

	// MaxCandidates bounds the candidates of a level of the feature pyramid, before overlapping ones are dropped
	// (topk_candidates; rpn_pre_nms_top_n_test of Faster R-CNN). 0 means 1,000.
	MaxCandidates int
	// MaxProposals bounds the boxes of an image that the second stage of Faster R-CNN classifies (rpn_post_nms_top_n_test).
	// 0 means 1,000.
	MaxProposals int
	// MinProposalScore is the least score of a box of the first stage (rpn_score_thresh).
	MinProposalScore float32
	// MaxProposalOverlap is MaxOverlap of the first stage (rpn_nms_thresh). nil means 0.7.
	MaxProposalOverlap *float64
}

// limits are options without defaults.
type limits struct {
	minScore float32
	overlap  float64
	most     int // 0 for no bound

	// Of detectors with a feature pyramid, and of Faster R-CNN.
	perLevel      int
	proposals     int
	proposalScore float32
	proposalIoU   float64
}

// or returns the options, with those of a network where they are not set.
func (o Options) or(network limits) limits {
	if o.MinScore != nil {
		network.minScore = *o.MinScore
	}
	if o.MaxOverlap != nil {
		network.overlap = *o.MaxOverlap
	}
	if o.MaxProposalOverlap != nil {
		network.proposalIoU = *o.MaxProposalOverlap
	}
	network.most = cmp.Or(o.MaxDetections, network.most)
	network.perLevel = cmp.Or(o.MaxCandidates, network.perLevel)
	network.proposals = cmp.Or(o.MaxProposals, network.proposals)
	network.proposalScore = o.MinProposalScore
	return network
}

// candidates are what a network proposes for an image, before overlapping boxes are dropped.
type candidates struct {
	boxes   []boxes.Box
	scores  []float32
	classes []int
}

// add adds a candidate, unless its box is not finite, as weights out of range make it.
func (c *candidates) add(b boxes.Box, score float32, class int) {
	if !finite(b.X0) || !finite(b.Y0) || !finite(b.X1) || !finite(b.Y1) {
		return
	}
	c.boxes, c.scores, c.classes = append(c.boxes, b), append(c.scores, score), append(c.classes, class)
}

// finite compares, because the compiler may fuse the operations behind v into v-v, whose result is then not 0.
func finite(v float32) bool { return v >= -math.MaxFloat32 && v <= math.MaxFloat32 }

// detections drops overlapping boxes, and names the classes.
func (c *candidates) detections(l limits, labels []string) Detections {
	var kept []int
	if l.overlap < 1 {
		kept = boxes.NMSByClass(c.boxes, c.scores, c.classes, l.overlap)
	} else { // rounding may make the IoU of nearly equal boxes more than 1
		kept = best(c.scores, -math.MaxFloat32, len(c.scores))
	}
	if l.most > 0 && len(kept) > l.most {
		kept = kept[:l.most]
	}
	found := make(Detections, len(kept))
	for i, k := range kept {
		found[i] = Detection{Box: c.boxes[k], Class: c.classes[k], Label: labels[c.classes[k]], Score: c.scores[k]}
	}
	return found
}
