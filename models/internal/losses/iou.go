package losses

import (
	"math"
	"slices"

	"github.com/fovea-ml/fovea/autograd"
)

// Kind is a measure of the difference of two boxes.
type Kind uint8

// The kinds. Each is 1 less the IoU, and a term that is above 0 for boxes that do not overlap too.
const (
	GIoU Kind = iota // the part of the enclosing box that the boxes leave free
	DIoU             // the squared distance of the centers over the squared diagonal of the enclosing box
	CIoU             // DIoU, and a difference of the aspect ratios
	// ExactGIoU is GIoU without the small number that torchvision adds to denominators, for boxes in shares of the image
	// (generalized_box_iou in util/box_ops.py of facebookresearch/detr). It is NaN for two boxes without area.
	ExactGIoU
	// SIoU has a distance that depends on the angle between the centers, and the differences of widths and heights (arXiv
	// 2205.12740), as FastestDet computes it (bbox_iou in module/loss.py of dog-qiuqiu/FastestDet). Centers in one place have
	// no distance, where that is NaN.
	SIoU
)

// BoxLoss returns the loss of each pair of boxes: predicted and target are [n, 4] (xyxy), the result is [n]. Both get
// gradients. The first three are torchvision.ops.generalized_box_iou_loss, distance_box_iou_loss and complete_box_iou_loss. It panics with an
// [autograd.ShapeError] for other shapes.
func BoxLoss(predicted, target autograd.Operand, kind Kind) *autograd.Tensor {
	return autograd.Custom(boxLosses[kind], predicted, target)
}

var boxLosses = [...]autograd.Op{
	boxLoss("giou loss", giou), boxLoss("diou loss", diou), boxLoss("ciou loss", ciou), boxLoss("exact giou loss", exactGIoU),
	boxLoss("siou loss", siou),
}

// boxLoss returns the operation of a loss of one pair. f adds the derivatives to the pair's slopes where they are wanted.
func boxLoss(name string, f func(p *boxPair) float64) autograd.Op {
	const cost = 150 // cheap operations a pair
	return autograd.Op{
		Name: name,
		Forward: func(s *autograd.ForwardStep) {
			shape := s.Shape(0)
			s.Require(len(shape) == 2 && shape[1] == 4 && slices.Equal(shape, s.Shape(1)), "expected boxes [n, 4] and as many others")
			a, b, y := s.In(0), s.In(1), s.NewOut(shape[0])
			var slopes [2][]float32
			for operand := range slopes {
				if s.Wants(operand) {
					slopes[operand] = s.Save(len(a))
				} else {
					s.Save(0)
				}
			}
			s.Each(len(y), cost, func(lo, hi int) {
				for i := lo; i < hi; i++ {
					p := boxPair{sloped: slopes[0] != nil || slopes[1] != nil}
					for j := range 4 {
						p.boxes[0][j], p.boxes[1][j] = float64(a[4*i+j]), float64(b[4*i+j])
					}
					y[i] = float32(f(&p))
					for operand, dst := range slopes {
						if dst != nil {
							for j, d := range p.slopes[operand] {
								dst[4*i+j] = float32(d)
							}
						}
					}
				}
			})
		},
		Backward: func(s *autograd.BackwardStep) {
			dy := s.OutGrad(0)
			for operand := range 2 {
				slopes := s.Saved(operand)
				s.Add(operand, func(dx []float32) {
					s.Each(len(dy), 4, func(lo, hi int) {
						for i := lo; i < hi; i++ {
							for j := range 4 {
								dx[4*i+j] = slopes[4*i+j] * dy[i]
							}
						}
					})
				})
			}
		},
	}
}

// boxPair is a prediction and its target, and the derivatives of the loss with respect to them. Everything is in float64, and
// products are rounded before they are added, so that all processors agree.
type boxPair struct {
	boxes  [2][4]float64
	slopes [2][4]float64
	sloped bool // the derivatives are wanted

	shared       [2]float64 // the width and height that both have in common; not above 0 where they do not overlap
	inter, union float64
	around       [2]float64 // the width and height of the box around both
}

// epsilon is torchvision's.
const epsilon = 1e-7

// toLarger adds slope to the derivative with respect to coordinate j of the box with the larger value, sign 1, or the smaller
// one, sign -1. Of equal ones each gets a half, as in torch.maximum.
func (p *boxPair) toLarger(j int, sign, slope float64) {
	switch d := sign * (p.boxes[0][j] - p.boxes[1][j]); {
	case d > 0:
		p.slopes[0][j] += slope
	case d < 0:
		p.slopes[1][j] += slope
	default:
		p.slopes[0][j] += slope / 2
		p.slopes[1][j] += slope / 2
	}
}

// size returns the width and height of a box.
func (p *boxPair) size(i int) (w, h float64) {
	b := &p.boxes[i]
	return b[2] - b[0], b[3] - b[1]
}

// measure computes the intersection, the union, and the size of the box around both.
func (p *boxPair) measure() {
	a, b := &p.boxes[0], &p.boxes[1]
	for side := range 2 {
		p.shared[side] = min(a[2+side], b[2+side]) - max(a[side], b[side])
		p.around[side] = max(a[2+side], b[2+side]) - min(a[side], b[side])
	}
	if p.shared[0] > 0 && p.shared[1] > 0 {
		p.inter = float64(p.shared[0] * p.shared[1])
	}
	wa, ha := p.size(0)
	wb, hb := p.size(1)
	p.union = float64(wa*ha) + float64(wb*hb) - p.inter
}

// toOverlaps spreads the slopes of the intersection and the union to the coordinates.
func (p *boxPair) toOverlaps(di, du float64) {
	for i := range p.slopes {
		w, h := p.size(i)
		s := &p.slopes[i]
		s[0] -= float64(du * h)
		s[1] -= float64(du * w)
		s[2] += float64(du * h)
		s[3] += float64(du * w)
	}
	if w, h := p.shared[0], p.shared[1]; w > 0 && h > 0 {
		di -= du
		p.toLarger(0, 1, -float64(di*h))
		p.toLarger(1, 1, -float64(di*w))
		p.toLarger(2, -1, float64(di*h))
		p.toLarger(3, -1, float64(di*w))
	}
}

// toAround spreads the slopes of the size of the box around both to the coordinates.
func (p *boxPair) toAround(dw, dh float64) {
	p.toLarger(0, -1, -dw)
	p.toLarger(1, -1, -dh)
	p.toLarger(2, 1, dw)
	p.toLarger(3, 1, dh)
}

func giou(p *boxPair) float64 { return p.giou(epsilon) }

func exactGIoU(p *boxPair) float64 { return p.giou(0) }

// giou is 1 - inter/union + (area - union)/area of the enclosing box, with a number added to the denominators.
func (p *boxPair) giou(added float64) float64 {
	p.measure()
	w, h := p.around[0], p.around[1]
	area := float64(w * h)
	u, c := p.union+added, area+added
	iou, free := p.inter/u, (area-p.union)/c
	if p.sloped {
		p.toOverlaps(-1/u, iou/u-1/c)
		dArea := (1 - free) / c
		p.toAround(float64(dArea*h), float64(dArea*w))
	}
	return 1 - iou + free
}

// diou is 1 - inter/union + distance/diagonal, both squared.
func diou(p *boxPair) float64 {
	loss, _ := p.distance()
	return loss
}

func (p *boxPair) distance() (loss, iou float64) {
	p.measure()
	w, h := p.around[0], p.around[1]
	a, b := &p.boxes[0], &p.boxes[1]
	dx, dy := (a[0]+a[2])/2-(b[0]+b[2])/2, (a[1]+a[3])/2-(b[1]+b[3])/2
	u, diagonal := p.union+epsilon, float64(w*w)+float64(h*h)+epsilon
	distance := (float64(dx*dx) + float64(dy*dy)) / diagonal
	iou = p.inter / u
	if p.sloped {
		p.toOverlaps(-1/u, iou/u)
		p.toAround(float64(-2*distance/diagonal*w), float64(-2*distance/diagonal*h))
		dx, dy = dx/diagonal, dy/diagonal // half of the factor 2, as the center is a mean
		for j, d := range [4]float64{dx, dy, dx, dy} {
			p.slopes[0][j] += d
			p.slopes[1][j] -= d
		}
	}
	return 1 - iou + distance, iou
}

// ciou adds alpha·v, where v is the squared difference of the angles of the diagonals over (π/2)², and alpha, which counts as
// a constant, is v/(1 - iou + v).
func ciou(p *boxPair) float64 {
	loss, iou := p.distance()
	wa, ha := p.size(0)
	wb, hb := p.size(1)
	const k = 4 / (math.Pi * math.Pi)
	angle := math.Atan(wb/hb) - math.Atan(wa/ha)
	v := float64(k * angle * angle)
	alpha := v / (1 - iou + v + epsilon)
	if alpha != alpha { // the width and the height of a box are 0
		return loss + alpha
	}
	if !p.sloped {
		return loss + float64(alpha*v)
	}
	for i, size := range [2][2]float64{{wa, ha}, {wb, hb}} {
		w, h := size[0], size[1]
		square := float64(w*w) + float64(h*h)
		if square == 0 {
			continue
		}
		slope := 2 * alpha * k * angle / square
		if i == 0 {
			slope = -slope
		}
		s := &p.slopes[i]
		s[0] -= float64(slope * h)
		s[2] += float64(slope * h)
		s[1] += float64(slope * w)
		s[3] -= float64(slope * w)
	}
	return loss + float64(alpha*v)
}
