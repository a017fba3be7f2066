package metrics

import (
	"fmt"
	"math"
	"slices"
)

// VOCOptions are settings of [VOC]. The zero value is the evaluation of VOC 2010 and later, for boxes whose width is the
// difference of their edges.
type VOCOptions struct {
	// ElevenPoints takes the mean of the precisions at the recalls 0, 0.1, …, 1, as VOC 2007. Otherwise the average precision is
	// the area under the whole curve.
	ElevenPoints bool
	// LastPixelInside says that the right and lower edges are the last pixels inside, as in VOC's files. Widths and heights
	// then are larger by 1, as the devkit computes them. Boxes of vision/boxes need no correction.
	LastPixelInside bool
}

// VOCResult is an evaluation of VOC.
type VOCResult struct {
	MAP     float64    // the mean over the classes with objects that count; NaN when there are none
	Classes []VOCClass // each with objects or detections, by ascending id
}

// VOCClass is the evaluation of one class.
type VOCClass struct {
	Class   int     // id
	Objects int     // that count
	AP      float64 // average precision, from 0 to 1; NaN when no object counts
	Curve   Curve   // of the detections that count: the highest score first
}

// Curve is precision against recall. Point i counts the detections from the highest score to Scores[i].
type Curve struct{ Scores, Precision, Recall []float64 }

// BestF1 returns the highest harmonic mean of precision and recall, and the score from which on detections must count to
// reach it: a threshold for using the model. Of equal ones the highest score comes first. Both are 0 for an empty curve.
func (c Curve) BestF1() (f1, score float64) {
	for i, p := range c.Precision {
		if v := 2 * p * c.Recall[i] / (p + c.Recall[i]); v > f1 {
			f1, score = v, c.Scores[i]
		}
	}
	return f1, score
}

// VOC evaluates detections as VOC's devkit does (VOCevaldet.m), at one threshold of the IoU, usually 0.5.
//
// A detection belongs to the object of its class that it overlaps most, the first of equals. It is right when the IoU is at
// least the threshold and no detection of a higher score has the object, else wrong. Objects that are difficult or a crowd
// do not count, and neither do detections of them. Of equal scores the first detection comes first.
//
// An error names a number that is not finite. VOC panics unless iou is from 0 to 1.
func VOC(objects []Object, detections []Detection, iou float64, o VOCOptions) (*VOCResult, error) {
	if !(iou >= 0 && iou <= 1) {
		panic(fmt.Sprintf("metrics: VOC: expected a threshold of the IoU in 0 to 1, found %v", iou))
	}
	if err := checkDetections(objects, detections, nil); err != nil {
		return nil, err
	}
	r := &VOCResult{}
	all := byClass(objects, detections)
	sum, n := 0.0, 0
	for len(all) > 0 {
		images := 1
		for images < len(all) && all[images].class == all[0].class {
			images++
		}
		c := vocClass(objects, detections, all[:images], iou, o)
		if c.Objects > 0 {
			sum += c.AP
			n++
		}
		r.Classes = append(r.Classes, c)
		all = all[images:]
	}
	r.MAP = sum / float64(n)
	return r, nil
}

// vocClass evaluates the images of one class.
func vocClass(objects []Object, detections []Detection, images []group, iou float64, options VOCOptions) VOCClass {
	c := VOCClass{Class: images[0].class}
	pixel := 0.0
	if options.LastPixelInside {
		pixel = 1
	}
	var order []int32
	at := map[int][]int32{} // the objects of an image
	for _, g := range images {
		for _, o := range g.objects {
			if !objects[o].ignored() {
				c.Objects++
			}
		}
		at[g.image] = g.objects
		order = append(order, g.detections...)
	}
	slices.Sort(order) // the order of the input
	ranked(order, detections)
	taken := map[int32]bool{}
	right, wrong := 0, 0
	for _, d := range order {
		best, most := int32(-1), math.Inf(-1)
		for _, o := range at[detections[d].Image] {
			if v := overlap(detections[d].Box, &objects[o], pixel); v > most {
				best, most = o, v
			}
		}
		switch {
		case best < 0 || most == 0 || most < iou:
			wrong++
		case objects[best].ignored():
			continue
		case taken[best]:
			wrong++
		default:
			right++
			taken[best] = true
		}
		c.Curve.Scores = append(c.Curve.Scores, detections[d].Score)
		c.Curve.Precision = append(c.Curve.Precision, float64(right)/float64(right+wrong))
		c.Curve.Recall = append(c.Curve.Recall, float64(right)/float64(c.Objects))
	}
	switch {
	case c.Objects == 0:
		c.AP, c.Curve.Recall = math.NaN(), make([]float64, len(c.Curve.Recall))
	case options.ElevenPoints:
		c.AP = elevenPoints(c.Curve)
	default:
		c.AP = allPoints(c.Curve)
	}
	return c
}

// elevenPoints returns the mean over eleven recalls of the highest precision at this or a higher recall. The recalls are
// those of numpy.arange(0, 1.1, 0.1), with its rounding.
func elevenPoints(c Curve) float64 {
	sum, step := 0.0, 0.1
	for i := range 11 {
		highest := 0.0
		for j, recall := range c.Recall {
			if recall >= float64(i)*step {
				highest = max(highest, c.Precision[j])
			}
		}
		sum += highest
	}
	return sum / 11
}

// allPoints returns the area under the curve, whose precisions are raised to the highest at this or a higher recall.
func allPoints(c Curve) float64 {
	area, highest := 0.0, 0.0
	for i := len(c.Recall) - 1; i >= 0; i-- {
		highest = max(highest, c.Precision[i])
		before := 0.0
		if i > 0 {
			before = c.Recall[i-1]
		}
		area += float64((c.Recall[i] - before) * highest)
	}
	return area
}
