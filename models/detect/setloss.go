package detect

import (
	"math"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/models/internal/boxes"
	"github.com/fovea-ml/fovea/models/internal/losses"
)

// SetLosses are the losses of detectors that predict a set: each object is paired with one query (Carion et al., arXiv
// 2005.12872, section 3.1).
type SetLosses struct {
	Total *autograd.Tensor // the sum with the weights of the configuration, the auxiliary losses included, to be minimized
	Class *autograd.Tensor // of the classes
	Box   *autograd.Tensor // the L1 distances of the boxes, in shares of the image
	GIoU  *autograd.Tensor // 1 less the generalized IoU of the boxes
	// Auxiliary are the losses of the earlier blocks' predictions, first to last, where they count.
	Auxiliary []SetLosses
}

// setTruth are the objects in an image: boxes as center, width and height, in shares of the image, and classes.
type setTruth struct {
	boxes   [][4]float32
	classes []int
}

// setTruths brings boxes in pixels to shares of each image, whose size, height and width, is in pixels too. It panics
// for objects that are not valid, as [Truth] says, and unless there is a size and a truth for each of n images.
func setTruths(detector string, n int, sizes [][2]int, truth []Truth, classes int) []setTruth {
	if len(truth) != n || len(sizes) != n {
		panic(&autograd.ShapeError{Op: detector, Shapes: [][]int{{n}, {len(sizes)}, {len(truth)}}, Reason: "expected the size and the objects of each image"})
	}
	check(detector, truth, 0, classes)
	out := make([]setTruth, n)
	for i, o := range truth {
		height, width := float32(sizes[i][0]), float32(sizes[i][1])
		out[i].classes = o.Classes
		for _, b := range o.Boxes {
			cx, cy, w, h := b.Center()
			out[i].boxes = append(out[i].boxes, [4]float32{cx / width, cy / height, w / width, h / height})
		}
	}
	return out
}

// setCosts weigh what the costs of a pair of a query and an object are made of.
type setCosts struct{ class, box, giou float64 }

// match returns the query of each object in an image, -1 for one without a query. It makes as many pairs as there are
// queries or objects, at the least cost. predicted, [queries·4], are boxes as those of the truth, and class gives the
// cost of a query for a class. A cost that is not finite counts as the largest one, as in transformers'
// HungarianMatcher.
func (c setCosts) match(predicted []float32, truth setTruth, class func(query, class int) float32) []int {
	queries, objects := len(predicted)/4, len(truth.boxes)
	cost := make([]float64, objects*queries)
	for k, want := range truth.boxes {
		object := fromCenter(want[:])
		for q := range queries {
			p := predicted[4*q:][:4]
			distance := 0.0
			for j, v := range p {
				distance += math.Abs(float64(v - want[j]))
			}
			giou := float64(fromCenter(p).GIoU(object))
			v := float64(c.box*distance) + float64(c.class*float64(class(q, truth.classes[k]))) - float64(c.giou*giou)
			if !(math.Abs(v) <= math.MaxFloat32) {
				v = math.MaxFloat32
			}
			cost[k*queries+q] = v
		}
	}
	query, err := boxes.Assign(cost, objects, queries)
	if err != nil {
		panic("detect: " + err.Error()) // all costs are finite
	}
	return query
}

func fromCenter(b []float32) Box { return boxes.FromCenter(b[0], b[1], b[2], b[3]) }

// setPairs are the pairs of a batch: the row of each paired query among all of the batch, its class and its box.
type setPairs struct {
	rows    []int
	classes []int
	boxes   []float32
	objects int // in the batch, of which some may be without a query
}

// add adds the pairs of image i, which has the given number of queries.
func (p *setPairs) add(i, queries int, truth setTruth, query []int) {
	p.objects += len(query)
	for k, q := range query {
		if q >= 0 {
			p.rows = append(p.rows, i*queries+q)
			p.classes = append(p.classes, truth.classes[k])
			p.boxes = append(p.boxes, truth.boxes[k][:]...)
		}
	}
}

// boxLosses returns the L1 and GIoU losses of the predicted boxes, [n, queries, 4], of pairs: sums over the number of
// objects, or over 1 when there are none.
func (p *setPairs) boxLosses(predicted *autograd.Tensor) (box, giou *autograd.Tensor) {
	t := predicted.Tape()
	if len(p.rows) == 0 {
		return t.Full(0), t.Full(0)
	}
	scale := 1 / float32(max(1, p.objects))
	found := autograd.GatherRows(autograd.Reshape(predicted, predicted.Len()/4, 4), p.rows)
	want := t.Input(p.boxes, len(p.rows), 4)
	box = autograd.Scale(autograd.Sum(autograd.Abs(autograd.Sub(found, want)), false), scale)
	corners := t.Input(fromCenters, 4, 4)
	each := losses.BoxLoss(autograd.Linear(found, corners, nil), autograd.Linear(want, corners, nil), losses.ExactGIoU)
	return box, autograd.Scale(autograd.Sum(each, false), scale)
}

// fromCenters is the matrix that brings a center, a width and a height to the corners of a box, [4, 4].
var fromCenters = []float32{
	1, 0, -0.5, 0,
	0, 1, 0, -0.5,
	1, 0, 0.5, 0,
	0, 1, 0, 0.5,
}

// setLoss is the loss of DETR: ImageLoss in transformers' loss_for_object_detection.py.
type setLoss struct {
	costs     setCosts
	empty     float32 // the weight of queries without an object
	box, giou float32 // the weights of the losses
}

// of returns the losses of predictions: logits, [n, queries, classes+1], whose last class is no object, and boxes, [n,
// queries, 4]. Total lacks the auxiliary losses.
func (l setLoss) of(logits, predicted *autograd.Tensor, truth []setTruth) SetLosses {
	n, queries, classes := logits.Dim(0), logits.Dim(1), logits.Dim(2)
	probabilities, at := autograd.Softmax(autograd.Detach(logits)).Floats(nil), predicted.Floats(nil)
	var pairs setPairs
	targets := make([]int, n*queries)
	for i := range targets {
		targets[i] = classes - 1
	}
	for i, o := range truth {
		of := probabilities[i*queries*classes:]
		query := l.costs.match(at[i*queries*4:][:queries*4], o, func(q, class int) float32 { return -of[q*classes+class] })
		pairs.add(i, queries, o, query)
	}
	for k, row := range pairs.rows {
		targets[row] = pairs.classes[k]
	}
	weight := make([]float32, classes)
	for i := range weight {
		weight[i] = 1
	}
	weight[classes-1] = l.empty
	var s SetLosses
	s.Class = autograd.CrossEntropy(logits, targets, autograd.CrossEntropyOptions{Weight: weight})
	s.Box, s.GIoU = pairs.boxLosses(predicted)
	s.Total = autograd.Add(s.Class, autograd.Add(autograd.Scale(s.Box, l.box), autograd.Scale(s.GIoU, l.giou)))
	return s
}

// parts returns the weighted losses, each over all blocks that count. Their sum is Total.
func (l setLoss) parts(s SetLosses) Losses {
	class, box, giou := s.Class, s.Box, s.GIoU
	for _, a := range s.Auxiliary {
		class, box, giou = autograd.Add(class, a.Class), autograd.Add(box, a.Box), autograd.Add(giou, a.GIoU)
	}
	return Losses{{"class", class}, {"box", autograd.Scale(box, l.box)}, {"giou", autograd.Scale(giou, l.giou)}}
}
