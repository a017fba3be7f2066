package detect

import "github.com/fovea-ml/fovea/models/internal/boxes"

// NMS returns the positions of the boxes that greedy non-maximum suppression keeps, by descending score
// (torchvision.ops.nms). A box is dropped when its IoU with a box that was kept is greater than overlap. Boxes with
// equal scores are taken in their order, and NaN scores first. A box without area, or with a coordinate that is not
// finite, is kept and drops no other. [Model.Detect] suppresses by itself; NMS is for boxes of several images or
// models.
//
// classes confines it to boxes of one class (torchvision.ops.batched_nms); nil means that boxes of all classes drop
// each other. It panics unless there are a score and a class for each box.
func NMS(all []Box, scores []float32, classes []int, overlap float64) []int {
	if classes == nil {
		return boxes.NMS(all, scores, overlap)
	}
	return boxes.NMSByClass(all, scores, classes, overlap)
}
