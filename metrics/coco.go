package metrics

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// COCOFigures are the twelve figures of COCO's evaluation. Each is from 0 to 1, or -1 where no object counts.
type COCOFigures struct {
	AP       float64 // average precision, the mean over IoU thresholds of 0.5, 0.55, …, 0.95
	AP50     float64 // at the IoU threshold 0.5
	AP75     float64 // at 0.75
	APSmall  float64 // of objects of at most 32² pixels
	APMedium float64 // of objects of 32² to 96² pixels
	APLarge  float64 // of objects of at least 96² pixels
	AR1      float64 // average recall, the mean over the thresholds, with one detection of each class in an image
	AR10     float64 // with 10 detections
	AR100    float64 // with 100 detections, as for the precisions
	ARSmall  float64
	ARMedium float64
	ARLarge  float64
}

// list returns the figures in the order of pycocotools.
func (f *COCOFigures) list() []*float64 {
	return []*float64{&f.AP, &f.AP50, &f.AP75, &f.APSmall, &f.APMedium, &f.APLarge,
		&f.AR1, &f.AR10, &f.AR100, &f.ARSmall, &f.ARMedium, &f.ARLarge}
}

// Slice returns the figures in the order of pycocotools' stats.
func (f COCOFigures) Slice() []float64 {
	out := make([]float64, 12)
	for i, v := range f.list() {
		out[i] = *v
	}
	return out
}

// String returns the table that pycocotools prints.
func (f COCOFigures) String() string {
	var b strings.Builder
	for i, v := range f.list() {
		title, kind := "Average Precision", "(AP)"
		ious, area, most := "0.50:0.95", "all", cocoMost
		switch i {
		case 1:
			ious = "0.50"
		case 2:
			ious = "0.75"
		case 6:
			most = 1
		case 7:
			most = 10
		}
		if i%6 > 2 {
			area = []string{"small", "medium", "large"}[i%6-3]
		}
		if i >= 6 {
			title, kind = "Average Recall", "(AR)"
		}
		fmt.Fprintf(&b, " %-18s %s @[ IoU=%-9s | area=%6s | maxDets=%3d ] = %0.3f\n", title, kind, ious, area, most, *v)
	}
	return b.String()
}

// COCOResult is an evaluation. Its own figures are means over the classes with objects that count.
type COCOResult struct {
	COCOFigures
	Classes []COCOClass // each with objects or detections, by ascending id
}

// COCOClass is the evaluation of one class.
type COCOClass struct {
	COCOFigures
	Class   int // id
	Objects int // that count
	// Precision at the recalls 0, 0.01, …, 1, for each of the ten IoU thresholds: the highest at this or a higher recall.
	// All are -1 when no object counts.
	Precision [10][101]float64
	// Scores are the lowest scores of the detections that reach the recall, where Precision is above 0.
	Scores [10][101]float64
}

// Curve returns precision against recall at one of the ten IoU thresholds: 0 for 0.5, 5 for 0.75, 9 for 0.95. It has the points
// of Precision, up to the highest recall that is reached.
func (c *COCOClass) Curve(threshold int) Curve {
	var curve Curve
	for i, precision := range c.Precision[threshold] {
		if precision > 0 {
			curve.Scores = append(curve.Scores, c.Scores[threshold][i])
			curve.Precision = append(curve.Precision, precision)
			curve.Recall = append(curve.Recall, cocoRecalls[i])
		}
	}
	return curve
}

// COCOOptions are settings of [COCO].
type COCOOptions struct {
	// Images are the ids of all images. When set, an object or a detection of another image is an error.
	Images []int
}

// cocoAreas are the sizes of objects in pixels: all, small, medium and large. Both bounds are inside.
var cocoAreas = [4][2]float64{{0, 1e10}, {0, 32 * 32}, {32 * 32, 96 * 96}, {96 * 96, 1e10}}

// cocoMost is the number of detections of a class in an image that count.
const cocoMost = 100

// cocoThresholds are numpy.linspace(0.5, 0.95, 10), with its rounding.
var cocoThresholds = func() (t [10]float64) {
	from, to := 0.5, 0.95
	step := (to - from) / 9
	for i := range t {
		t[i] = float64(float64(i)*step) + from
	}
	t[9] = to
	return t
}()

// cocoRecalls are numpy.linspace(0, 1, 101), with its rounding.
var cocoRecalls = func() (r [101]float64) {
	step := 0.01
	for i := range r {
		r[i] = float64(i) * step
	}
	r[100] = 1
	return r
}()

// COCO evaluates detections as pycocotools does, and gives its figures:
//
//   - In an image, the 100 detections of highest score of each class count. Each is matched, from the highest score on, with
//     the object of its class that it overlaps most and that no other has taken. Of equal overlaps the last object wins.
//   - Objects that are ignored are matched only when no other fits: crowds, difficult ones, and those of another size. So
//     is a detection of another size that matches nothing. Ignored detections are neither right nor wrong.
//   - Of equal scores the image with the lower id comes first, and within an image the order of the input counts.
//
// For proposals without classes, set every Class to 0. An error names a number that is not finite.
func COCO(objects []Object, detections []Detection, o COCOOptions) (*COCOResult, error) {
	if err := checkDetections(objects, detections, o.Images); err != nil {
		return nil, err
	}
	r := &COCOResult{}
	m := cocoMatcher{objects: objects, detections: detections}
	all := byClass(objects, detections)
	for len(all) > 0 {
		n := 1
		for n < len(all) && all[n].class == all[0].class {
			n++
		}
		m.reset()
		for i := range all[:n] {
			m.match(&all[i])
		}
		r.Classes = append(r.Classes, COCOClass{Class: all[0].class})
		m.accumulate(&r.Classes[len(r.Classes)-1])
		all = all[n:]
	}
	for i, mean := range r.list() {
		sum, n := 0.0, 0
		for c := range r.Classes {
			if v := *r.Classes[c].list()[i]; v > -1 {
				sum += v
				n++
			}
		}
		if *mean = -1; n > 0 {
			*mean = sum / float64(n)
		}
	}
	return r, nil
}

// accumulate turns the matches of a class into its figures.
func (m *cocoMatcher) accumulate(c *COCOClass) {
	found := m.found
	slices.SortStableFunc(found, func(a, b cocoFound) int { return cmp.Compare(b.score, a.score) })
	c.Objects = m.positives[0]
	for i := range c.Precision {
		for j := range c.Precision[i] {
			c.Precision[i][j], c.Scores[i][j] = -1, -1
		}
	}
	for _, v := range c.list() {
		*v = -1
	}
	precisions := []*float64{&c.AP, &c.APSmall, &c.APMedium, &c.APLarge}
	recalls := []*float64{&c.AR100, &c.ARSmall, &c.ARMedium, &c.ARLarge}
	for area := range cocoAreas {
		if m.positives[area] == 0 {
			continue
		}
		var precision, scores [10][101]float64
		for t := range cocoThresholds {
			m.precision(area, t, &precision[t], &scores[t])
		}
		*precisions[area] = meanOf(precision[:])
		*recalls[area] = m.recall(area, cocoMost)
		if area == 0 {
			c.Precision, c.Scores = precision, scores
			c.AP50, c.AP75 = meanOf(precision[:1]), meanOf(precision[5:6])
			c.AR1, c.AR10 = m.recall(0, 1), m.recall(0, 10)
		}
	}
}

// recall returns the mean over the thresholds of the share of objects that are found with at most n detections of an image.
func (m *cocoMatcher) recall(area int, n int32) float64 {
	var right [10]int
	for i := range m.found {
		if f := &m.found[i]; f.rank < n {
			for t := range right {
				right[t] += int(f.matched[area] &^ f.ignored[area] >> t & 1)
			}
		}
	}
	sum := 0.0
	for _, n := range right {
		sum += float64(n) / float64(m.positives[area])
	}
	return sum / 10
}

// precision fills in the precisions at the 101 recalls, for one threshold. The detections are sorted.
func (m *cocoMatcher) precision(area, threshold int, precision, scores *[101]float64) {
	const spacing = 0x1p-52 // pycocotools adds it to the denominator
	m.curve = m.curve[:0]
	right, wrong := 0, 0
	positives := float64(m.positives[area])
	for i := range m.found {
		f := &m.found[i]
		if f.ignored[area]>>threshold&1 == 0 {
			if f.matched[area]>>threshold&1 == 1 {
				right++
			} else {
				wrong++
			}
		}
		tp := float64(right)
		m.curve = append(m.curve, curvePoint{tp / positives, tp / (float64(wrong) + tp + spacing)})
	}
	envelope(m.curve)
	at := 0
	for i, recall := range cocoRecalls {
		for at < len(m.curve) && m.curve[at].recall < recall {
			at++
		}
		if at == len(m.curve) {
			return
		}
		precision[i], scores[i] = m.curve[at].precision, m.found[at].score
	}
}

// envelope raises each precision to the highest at this or a higher recall.
func envelope(curve []curvePoint) {
	for i := len(curve) - 2; i >= 0; i-- {
		curve[i].precision = max(curve[i].precision, curve[i+1].precision)
	}
}

// meanOf returns the mean over thresholds and recalls.
func meanOf(rows [][101]float64) float64 {
	sum := 0.0
	for i := range rows {
		for _, v := range rows[i] {
			sum += v
		}
	}
	return sum / float64(101*len(rows))
}
