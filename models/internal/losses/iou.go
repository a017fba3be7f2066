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
)

// BoxLoss returns the loss of each pair of boxes: predicted and target are [n, 4] (xyxy), the result is [n]. Both get
// gradients. It is torchvision.ops.generalized_box_iou_loss, distance_box_iou_loss or complete_box_iou_loss. It panics with an
// [autograd.ShapeError] for other shapes.
func BoxLoss(predicted, target autograd.Operand, kind Kind) *autograd.Tensor {
	return autograd.Custom(boxLosses[kind], predicted, target)
}

var boxLosses = [...]autograd.Op{boxLoss("giou loss", giou), boxLoss("diou loss", diou), boxLoss("ciou loss", ciou), boxLoss("exact giou loss", exactGIoU)}

// boxLoss returns the operation of a loss of one pair. f adds the derivatives to da and db.
func boxLoss(name string, f func(p *boxPair) float64) autograd.Op {
	const cost = 200 // cheap operations a pair
	return autograd.Op{
		Name: name,
		Forward: func(s *autograd.ForwardStep) {
			shape := s.Shape(0)
			s.Require(len(shape) == 2 && shape[1] == 4 && slices.Equal(shape, s.Shape(1)), "expected boxes [n, 4] and as many others")
			a, b, y := s.In(0), s.In(1), s.NewOut(shape[0])
			s.Each(len(y), cost, func(lo, hi int) {
				for i := lo; i < hi; i++ {
					p := newBoxPair(a[4*i:], b[4*i:])
					y[i] = float32(f(&p))
				}
			})
		},
		Backward: func(s *autograd.BackwardStep) {
			a, b, dy := s.In(0), s.In(1), s.OutGrad(0)
			for operand := range 2 {
				s.Add(operand, func(dx []float32) {
					s.Each(len(dy), cost, func(lo, hi int) {
						for i := lo; i < hi; i++ {
							p := newBoxPair(a[4*i:], b[4*i:])
							f(&p)
							for j, d := range p.slopes[operand] {
								dx[4*i+j] = float32(d * float64(dy[i]))
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
}

func newBoxPair(a, b []float32) (p boxPair) {
	for j := range 4 {
		p.boxes[0][j], p.boxes[1][j] = float64(a[j]), float64(b[j])
	}
	return p
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

// overlaps returns the intersection and the union, and a function that spreads their slopes to the coordinates.
func (p *boxPair) overlaps() (inter, union float64, spread func(inter, union float64)) {
	a, b := &p.boxes[0], &p.boxes[1]
	w, h := min(a[2], b[2])-max(a[0], b[0]), min(a[3], b[3])-max(a[1], b[1])
	if w > 0 && h > 0 {
		inter = float64(w * h)
	}
	wa, ha := p.size(0)
	wb, hb := p.size(1)
	union = float64(wa*ha) + float64(wb*hb) - inter
	return inter, union, func(di, du float64) {
		for i, size := range [2][2]float64{{wa, ha}, {wb, hb}} {
			s := &p.slopes[i]
			s[0] -= float64(du * size[1])
			s[1] -= float64(du * size[0])
			s[2] += float64(du * size[1])
			s[3] += float64(du * size[0])
		}
		if w > 0 && h > 0 {
			di -= du
			p.toLarger(0, 1, -float64(di*h))
			p.toLarger(1, 1, -float64(di*w))
			p.toLarger(2, -1, float64(di*h))
			p.toLarger(3, -1, float64(di*w))
		}
	}
}

// enclosing returns the size of the box around both, and a function that spreads its slopes.
func (p *boxPair) enclosing() (w, h float64, spread func(w, h float64)) {
	a, b := &p.boxes[0], &p.boxes[1]
	return max(a[2], b[2]) - min(a[0], b[0]), max(a[3], b[3]) - min(a[1], b[1]), func(dw, dh float64) {
		p.toLarger(0, -1, -dw)
		p.toLarger(1, -1, -dh)
		p.toLarger(2, 1, dw)
		p.toLarger(3, 1, dh)
	}
}

func giou(p *boxPair) float64 { return p.giou(epsilon) }

func exactGIoU(p *boxPair) float64 { return p.giou(0) }

// giou is 1 - inter/union + (area - union)/area of the enclosing box, with a number added to the denominators.
func (p *boxPair) giou(added float64) float64 {
	inter, union, toOverlaps := p.overlaps()
	w, h, toEnclosing := p.enclosing()
	area := float64(w * h)
	u, c := union+added, area+added
	free := (area - union) / c
	toOverlaps(-1/u, inter/u/u-1/c)
	dArea := (1 - free) / c
	toEnclosing(float64(dArea*h), float64(dArea*w))
	return 1 - inter/u + free
}

// diou is 1 - inter/union + distance/diagonal, both squared.
func diou(p *boxPair) float64 {
	loss, _ := p.distance()
	return loss
}

func (p *boxPair) distance() (loss, iou float64) {
	inter, union, toOverlaps := p.overlaps()
	w, h, toEnclosing := p.enclosing()
	a, b := &p.boxes[0], &p.boxes[1]
	dx, dy := (a[0]+a[2])/2-(b[0]+b[2])/2, (a[1]+a[3])/2-(b[1]+b[3])/2
	u, diagonal := union+epsilon, float64(w*w)+float64(h*h)+epsilon
	distance := (float64(dx*dx) + float64(dy*dy)) / diagonal
	toOverlaps(-1/u, inter/u/u)
	toEnclosing(float64(-2*distance/diagonal*w), float64(-2*distance/diagonal*h))
	for i, sign := range [2]float64{1, -1} {
		for j, d := range [4]float64{dx, dy, dx, dy} {
			p.slopes[i][j] += sign * d / diagonal // half of the factor 2, as the center is a mean
		}
	}
	iou = inter / u
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
