package detect

import (
	"math"
	"math/rand/v2"
	"slices"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/simd"
)

// RTDETRLosses are the losses of a training step, each with its weight in the configuration (RTDetrForObjectDetectionLoss in
// transformers).
type RTDETRLosses struct {
	Total *autograd.Tensor // the sum of all, to be minimized
	// Blocks are those of the predictions of each block, Places those at the chosen places, and Noise those of noisy objects,
	// after each block. Without AuxiliaryLoss there is the last block alone.
	Blocks []RTDETRLoss
	Places *RTDETRLoss
	Noise  []RTDETRLoss
}

// RTDETRLoss are the losses of one set of predictions: the varifocal loss of the classes (arXiv 2008.13367), and the L1
// and GIoU losses of the boxes, in shares of the image.
type RTDETRLoss struct{ Class, Box, GIoU *autograd.Tensor }

// Loss returns the losses of a batch of pixels, [n, 3, h, w], with the objects of each image. Prepare the pixels as
// Preprocess does: each image fills its part of the batch. On a training tape, rng draws noisy objects. It panics when
// there are more or fewer images than truths, and for objects that are not valid, as [Truth] says.
func (d *RTDETR) Loss(pixels *autograd.Tensor, truth []Truth, rng *rand.Rand) RTDETRLosses {
	return d.loss(pixels, truth, func(images, queries int) noiseDraws { return drawNoise(rng, images, queries) })
}

// Losses implements [Trainable]: the sums of each part over all sets of predictions.
func (d *RTDETR) Losses(b Batch, rng *rand.Rand) Losses {
	b.check("rt-detr", 0, d.classes)
	l := d.Loss(b.Pixels, b.Truth, rng)
	all := slices.Concat(l.Blocks, l.Noise)
	if l.Places != nil {
		all = append(all, *l.Places)
	}
	sum := func(part func(RTDETRLoss) *autograd.Tensor) *autograd.Tensor {
		total := part(all[0])
		for _, each := range all[1:] {
			total = autograd.Add(total, part(each))
		}
		return total
	}
	return Losses{
		{"class", sum(func(l RTDETRLoss) *autograd.Tensor { return l.Class })},
		{"box", sum(func(l RTDETRLoss) *autograd.Tensor { return l.Box })},
		{"giou", sum(func(l RTDETRLoss) *autograd.Tensor { return l.GIoU })},
	}
}

// loss is Loss with a function that draws noise.
func (d *RTDETR) loss(pixels *autograd.Tensor, truth []Truth, draw func(images, queries int) noiseDraws) RTDETRLosses {
	c, t, n := d.config, pixels.Tape(), pixels.Dim(0)
	sizes := make([][2]int, n)
	for i := range sizes {
		sizes[i] = [2]int{pixels.Dim(2), pixels.Dim(3)}
	}
	objects := setTruths("rt-detr", n, sizes, truth, d.classes)
	var noise *denoising
	if t.Training() {
		noise = newDenoising(c, objects, d.classes)
	}
	noisy := 0
	if noise != nil {
		noisy = noise.queries()
		noise.disturb(c, draw(n, noisy))
	}
	out := d.forward(pixels, noise)
	l := RTDETRLosses{Total: t.Full(0)}
	add := func(logits, boxes *autograd.Tensor, pairs setPairs) RTDETRLoss {
		one := c.lossOf(logits, boxes, pairs)
		l.Total = autograd.Add(l.Total, autograd.Add(one.Class, autograd.Add(one.Box, one.GIoU)))
		return one
	}
	first := 0
	if !c.AuxiliaryLoss {
		first = len(out.Boxes) - 1
	}
	logits := out.Logits[len(out.Logits)-len(out.Boxes[first:]):]
	for i, boxes := range out.Boxes[first:] {
		searching, places := logits[i], boxes
		if noisy > 0 {
			searching, places = autograd.Slice(searching, 1, noisy, searching.Dim(1)), autograd.Slice(places, 1, noisy, places.Dim(1))
		}
		l.Blocks = append(l.Blocks, add(searching, places, c.pairs(searching, places, objects)))
	}
	if !c.AuxiliaryLoss {
		return l
	}
	l.Places = new(add(out.PlaceLogits, out.PlaceBoxes, c.pairs(out.PlaceLogits, out.PlaceBoxes, objects)))
	if noisy > 0 {
		pairs := noise.pairs(objects, noisy)
		for i, boxes := range out.Boxes {
			l.Noise = append(l.Noise, add(autograd.Slice(logits[i], 1, 0, noisy), autograd.Slice(boxes, 1, 0, noisy), pairs))
		}
	}
	return l
}

// pairs returns the pairs of queries and objects at the least cost (RTDetrHungarianMatcher in transformers).
func (c *RTDETRConfig) pairs(logits, predicted *autograd.Tensor, truth []setTruth) setPairs {
	n, queries, classes := logits.Dim(0), logits.Dim(1), logits.Dim(2)
	scores := autograd.Detach(logits)
	if !c.UseFocalLoss {
		scores = autograd.Softmax(scores)
	}
	values, at := scores.Floats(nil), predicted.Floats(nil)
	if c.UseFocalLoss {
		simd.Sigmoid(values, values)
	}
	costs := setCosts{float64(c.MatcherClassCost), float64(c.MatcherBoxCost), float64(c.MatcherGIoUCost)}
	var p setPairs
	for i, o := range truth[:n] {
		of := values[i*queries*classes:]
		query := costs.match(at[4*i*queries:][:4*queries], o, func(q, class int) float32 {
			if score := float64(of[q*classes+class]); c.UseFocalLoss {
				return float32(c.focalCost(score))
			}
			return -of[q*classes+class]
		})
		p.add(i, queries, o, query)
	}
	return p
}

// focalCost is the cost of a score for the class of an object.
func (c *RTDETRConfig) focalCost(score float64) float64 {
	const eps = 1e-8
	alpha, gamma := float64(c.MatcherAlpha), float64(c.MatcherGamma)
	with := alpha * math.Pow(1-score, gamma) * -math.Log(score+eps)
	without := (1 - alpha) * math.Pow(score, gamma) * -math.Log(1-score+eps)
	return float64(with) - float64(without)
}

// lossOf returns the losses of predictions: logits, [n, queries, classes], and boxes, [n, queries, 4].
func (c *RTDETRConfig) lossOf(logits, predicted *autograd.Tensor, pairs setPairs) RTDETRLoss {
	t, classes := logits.Tape(), logits.Dim(2)
	scale := 1 / float32(max(1, pairs.objects))
	weights, targets := autograd.Detach(logits).Floats(nil), make([]float32, logits.Len())
	simd.Sigmoid(weights, weights)
	simd.PowScalar(weights, weights, c.FocalLossGamma)
	for i := range weights {
		weights[i] *= c.FocalLossAlpha
	}
	at := predicted.Floats(nil)
	for k, row := range pairs.rows {
		// The target is how well the box fits.
		iou := fromCenter(at[4*row:][:4]).IoU(fromCenter(pairs.boxes[4*k:][:4]))
		i := row*classes + pairs.classes[k]
		targets[i], weights[i] = iou, iou
	}
	each := autograd.BCEWithLogits(logits, t.Borrow(targets, logits.Shape()...), autograd.BCEOptions{Reduction: autograd.LossEach})
	class := autograd.Sum(autograd.Mul(each, t.Borrow(weights, logits.Shape()...)), false)
	box, giou := pairs.boxLosses(predicted)
	return RTDETRLoss{autograd.Scale(class, scale*c.VFLWeight), autograd.Scale(box, c.BoxWeight), autograd.Scale(giou, c.GIoUWeight)}
}
