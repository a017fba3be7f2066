package boxes

import (
	"fmt"
	"math"
)

// SoftNMSLinear lowers the scores of boxes that overlap a better one instead of dropping them (Bodla et al., arXiv 1704.04503).
// It takes the box with the highest score and multiplies by 1 - IoU the scores of those left whose IoU with it is above overlap,
// the paper's 0.3; then it takes the next. Boxes of another class are left alone; classes may be nil for one class. It ends when
// no score is above minScore.
//
// It returns the positions of the boxes in the order in which they were taken, which is by descending score, and their scores.
// Of equal scores the first box is taken first. A score of NaN is never above minScore. It takes time in the number of boxes
// times that of the boxes kept. It panics unless there is one score, and one class if any, for each box.
func SoftNMSLinear(boxes []Box, scores []float32, classes []int, overlap float64, minScore float32) (kept []int, lowered []float32) {
	return soften(boxes, scores, classes, minScore, func(iou float64) float64 {
		if iou > overlap {
			return 1 - iou
		}
		return 1
	})
}

// SoftNMSGaussian is [SoftNMSLinear] with the factor exp(-IoU²/sigma) for every box; the paper's sigma is 0.5.
func SoftNMSGaussian(boxes []Box, scores []float32, classes []int, sigma float64, minScore float32) (kept []int, lowered []float32) {
	return soften(boxes, scores, classes, minScore, func(iou float64) float64 { return math.Exp(-iou * iou / sigma) })
}

func soften(boxes []Box, scores []float32, classes []int, minScore float32, factor func(iou float64) float64) (kept []int, lowered []float32) {
	if len(scores) != len(boxes) || classes != nil && len(classes) != len(boxes) {
		panic(fmt.Sprintf("boxes: %d boxes, %d scores and %d classes", len(boxes), len(scores), len(classes)))
	}
	left := make([]int, len(boxes))
	current := make([]float64, len(boxes))
	for i := range left {
		left[i], current[i] = i, float64(scores[i])
	}
	for {
		best := -1
		rest := left[:0]
		for _, i := range left { // drop those that no later step can bring back
			if current[i] > float64(minScore) {
				rest = append(rest, i)
				if best < 0 || current[i] > current[best] {
					best = i
				}
			}
		}
		if left = rest; best < 0 {
			return kept, lowered
		}
		kept, lowered = append(kept, best), append(lowered, float32(current[best]))
		rest = left[:0]
		for _, i := range left {
			if i == best {
				continue
			}
			rest = append(rest, i)
			if classes != nil && classes[i] != classes[best] {
				continue
			}
			if iou := float64(boxes[best].IoU(boxes[i])); iou > 0 {
				current[i] *= factor(iou)
			}
		}
		left = rest
	}
}
