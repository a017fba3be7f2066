package metrics

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
)

// Mistake says what is wrong with a detection or an object.
type Mistake uint8

// The mistakes of TIDE. An IoU of the threshold is enough for a detection to be right; below the background's it is
// background.
const (
	Right      Mistake = iota // a detection of an object
	Ignored                   // a detection of a crowd or a difficult object; or one beyond the first 100 of an image
	WrongClass                // it lies on an object of another class
	WrongPlace                // the class is right, and the IoU is between both limits
	WrongBoth                 // it lies near an object, with another class
	Duplicate                 // a better detection has the object
	Background                // there is no object
	Missed                    // an object that no detection could find if one mistake was corrected
)

var mistakeNames = [8]string{"right", "ignored", "wrong class", "wrong place", "wrong class and place", "duplicate", "background", "missed"}

// String returns the mistake in words.
func (m Mistake) String() string {
	if int(m) < len(mistakeNames) {
		return mistakeNames[m]
	}
	return fmt.Sprintf("Mistake(%d)", uint8(m))
}

// DetectionErrors says what a detector loses by each mistake, as TIDE (Bolya et al., arXiv 2008.08115) computes it.
type DetectionErrors struct {
	AP float64 // average precision at the threshold, the mean over classes; from 0 to 1
	// Count is the number of each [Mistake], and Loss the average precision that correcting it alone would gain. A mistake of
	// an ignored detection counts too, as in TIDE.
	Count [8]int
	Loss  [8]float64
	// FalsePositiveLoss is the AP lost to wrong detections: the gain if each had the score 0. FalseNegativeLoss is the AP lost to
	// objects that are not found: the gain if each was left out.
	FalsePositiveLoss, FalseNegativeLoss float64

	Detections []Mistake // of each detection
	Objects    []Mistake // of each object: Right when it is found or could be, Missed, or Ignored
}

// tideMost is the number of detections in an image that count, of all classes.
const tideMost = 100

// FindErrors explains the mistakes of a detector. A detection is right from the IoU threshold on, usually 0.5. One that
// overlaps no object by more than background, usually 0.1, is background.
//
// Average precision is computed as COCO's, at one threshold, with TIDE's differences: 100 detections of an image count, over
// all classes; the first of equal overlaps wins; and a class with detections and without objects counts as 0. Of equal scores
// the image with the lower id comes first, then the order of the input counts. After a correction, detections with a
// mistake come before others of the same score. A loss below 0 is set to 0.
//
// A number that is not finite is an error. FindErrors panics unless 0 ≤ background ≤ iou ≤ 1.
func FindErrors(objects []Object, detections []Detection, iou, background float64) (*DetectionErrors, error) {
	if !(background >= 0 && background <= iou && iou <= 1) {
		panic(fmt.Sprintf("metrics: FindErrors: expected limits with 0 ≤ background ≤ iou ≤ 1, found %v and %v", background, iou))
	}
	if err := checkDetections(objects, detections, nil); err != nil {
		return nil, err
	}
	t := tide{objects: objects, detections: detections, iou: iou, background: background, positives: map[int]int{},
		r: &DetectionErrors{Detections: make([]Mistake, len(detections)), Objects: make([]Mistake, len(objects))}}
	for i, o := range objects {
		if o.ignored() {
			t.r.Objects[i] = Ignored
		} else {
			t.positives[o.Class]++
		}
	}
	for i := range t.r.Detections {
		t.r.Detections[i] = Ignored
	}
	for _, g := range byImage(objects, detections) {
		t.image(g)
	}
	return t.finish(), nil
}

// tide finds mistakes.
type tide struct {
	objects         []Object
	detections      []Detection
	iou, background float64
	positives       map[int]int // by class
	base            []scored    // the detections that count, image by image
	mistakes        []mistaken
	r               *DetectionErrors
}

// scored is a point of a precision-recall curve.
type scored struct {
	class int
	score float64
	right bool
}

// mistaken is a mistake of a detection or a missed object.
type mistaken struct {
	kind      Mistake
	detection int32
	object    int32 // the object that the corrected detection would find, or that is missed; -1 for none
	ignored   bool  // the detection does not count as long as it is not corrected
}

// image finds the mistakes in an image.
func (t *tide) image(g group) {
	ranked(g.detections, t.detections)
	best := g.detections[:min(len(g.detections), tideMost)]
	var objects, regions []int32
	for _, o := range g.objects {
		if t.objects[o].ignored() {
			regions = append(regions, o)
		} else {
			objects = append(objects, o)
		}
	}
	overlaps := make([]float64, len(objects)) // of one detection
	taken := make([]bool, len(objects))
	finds := make([]int, len(best)) // the place in objects, -1 for none
	for i, d := range best {
		finds[i] = -1
		for j, o := range objects {
			overlaps[j] = 0
			if t.objects[o].Class == t.detections[d].Class && !taken[j] {
				overlaps[j] = overlap(t.detections[d].Box, &t.objects[o], 0)
			}
		}
		if j := largest(overlaps); j >= 0 && overlaps[j] > 0 && overlaps[j] >= t.iou {
			finds[i], taken[j] = j, true
		}
	}
	rescue := make([]int32, len(objects)) // the first detection that could find the object after a correction
	for j := range rescue {
		rescue[j] = -1
	}
	for i, d := range best {
		found := &t.detections[d]
		if finds[i] >= 0 {
			t.r.Detections[d] = Right
			t.base = append(t.base, scored{found.Class, found.Score, true})
			continue
		}
		ignored := slices.ContainsFunc(regions, func(o int32) bool {
			region := t.objects[o]
			region.Crowd = true // so that the share of the detection counts
			return region.Class == found.Class && overlap(found.Box, &region, 0) > t.iou
		})
		if !ignored {
			t.base = append(t.base, scored{found.Class, found.Score, false})
		}
		m := mistaken{detection: d, object: -1, ignored: ignored}
		var at int
		m.kind, at = t.explain(found, objects, taken)
		if (m.kind == WrongClass || m.kind == WrongPlace) && !taken[at] {
			if rescue[at] < 0 {
				rescue[at] = d
			}
			if rescue[at] == d {
				m.object = objects[at]
			}
		}
		if t.mistakes = append(t.mistakes, m); !ignored {
			t.r.Detections[d] = m.kind
		}
	}
	for j, o := range objects {
		if !taken[j] && rescue[j] < 0 {
			t.mistakes = append(t.mistakes, mistaken{kind: Missed, detection: -1, object: o})
			t.r.Objects[o] = Missed
		}
	}
}

// explain returns the mistake of a detection that is not right, and the place of the object that it is about.
func (t *tide) explain(d *Detection, objects []int32, taken []bool) (Mistake, int) {
	if len(objects) == 0 {
		return Background, -1
	}
	same, other, used, nearest := make([]float64, len(objects)), make([]float64, len(objects)), make([]float64, len(objects)), 0.0
	for j, o := range objects {
		v := overlap(d.Box, &t.objects[o], 0)
		nearest = max(nearest, v)
		switch {
		case t.objects[o].Class != d.Class:
			other[j] = v
		case taken[j]:
			same[j], used[j] = v, v
		default:
			same[j] = v
		}
	}
	if j := largest(same); t.background <= same[j] && same[j] <= t.iou {
		return WrongPlace, j
	}
	if j := largest(other); other[j] >= t.iou {
		return WrongClass, j
	}
	if used[largest(used)] >= t.iou {
		return Duplicate, -1
	}
	if nearest <= t.background {
		return Background, -1
	}
	return WrongBoth, -1
}

// largest returns the place of the first of the largest values, -1 for none.
func largest(v []float64) int {
	best := -1
	for i := range v {
		if best < 0 || v[i] > v[best] {
			best = i
		}
	}
	return best
}

// finish computes what each mistake costs.
func (t *tide) finish() *DetectionErrors {
	r := t.r
	r.AP = meanAP(t.base, t.positives)
	for kind := WrongClass; kind <= Missed; kind++ {
		points, positives := t.corrected(func(m *mistaken) bool { return m.kind == kind })
		r.Loss[kind] = max(0, meanAP(points, positives)-r.AP)
	}
	for _, m := range t.mistakes {
		r.Count[m.kind]++
	}
	for _, m := range r.Detections {
		if m == Right || m == Ignored {
			r.Count[m]++
		}
	}
	points, positives := t.corrected(func(*mistaken) bool { return false })
	for i := range points {
		if points[i].score = 0; points[i].right {
			points[i].score = 1
		}
	}
	r.FalsePositiveLoss = meanAP(points, positives) - r.AP
	points, positives = t.corrected(func(*mistaken) bool { return false })
	clear(positives)
	for _, p := range points {
		if p.right {
			positives[p.class]++
		}
	}
	r.FalseNegativeLoss = meanAP(points, positives) - r.AP
	return r
}

// corrected returns the points after correcting some mistakes, and the objects of each class.
func (t *tide) corrected(correct func(m *mistaken) bool) (points []scored, positives map[int]int) {
	positives = map[int]int{}
	for class, n := range t.positives {
		positives[class] = n
	}
	for i := range t.mistakes {
		m := &t.mistakes[i]
		switch {
		case !correct(m):
			if m.detection >= 0 && !m.ignored {
				d := &t.detections[m.detection]
				points = append(points, scored{d.Class, d.Score, false})
			}
		case m.kind == Missed:
			positives[t.objects[m.object].Class]--
		case m.object >= 0:
			points = append(points, scored{t.objects[m.object].Class, t.detections[m.detection].Score, true})
		}
	}
	for _, p := range t.base {
		if p.right {
			points = append(points, p)
		}
	}
	return points, positives
}

// meanAP returns the mean over the classes with points or objects, 0 when there are none.
func meanAP(points []scored, positives map[int]int) float64 {
	classes := map[int][]scored{}
	for class, n := range positives {
		if n > 0 {
			classes[class] = nil
		}
	}
	for _, p := range points {
		classes[p.class] = append(classes[p.class], p)
	}
	sum := 0.0
	for _, class := range slices.Sorted(maps.Keys(classes)) { // one order of the sum
		sum += averagePrecision(classes[class], positives[class])
	}
	return sum / float64(max(1, len(classes)))
}

// averagePrecision returns the mean precision at the recalls 0, 0.01, …, 1, and 0 without objects.
func averagePrecision(points []scored, positives int) float64 {
	if positives == 0 {
		return 0
	}
	slices.SortStableFunc(points, func(a, b scored) int { return cmp.Compare(b.score, a.score) })
	curve := make([]curvePoint, len(points))
	right := 0
	for i, p := range points {
		if p.right {
			right++
		}
		curve[i] = curvePoint{float64(right) / float64(positives), float64(right) / float64(i+1)}
	}
	sum := 0.0
	envelope(curve)
	for i := range 101 {
		for len(curve) > 0 && curve[0].recall < float64(i)/100 {
			curve = curve[1:]
		}
		if len(curve) == 0 {
			break
		}
		sum += curve[0].precision
	}
	return sum / 101
}
