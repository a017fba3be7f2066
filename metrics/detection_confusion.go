package metrics

import (
	"cmp"
	"fmt"
	"slices"
)

// DetectionConfusion counts how detections name objects. The result has one class more than the given number: its last one is
// the background. An object without a detection is predicted as background, and a detection without an object has the label
// background. Ids of classes are from 0 to classes-1.
//
// Only detections with at least the score minScore count, and overlaps with at least the given IoU. Classes play no part in
// the matching: of all pairs in an image, the one of the largest overlap is taken, and both leave; then the next. Of equal
// overlaps the detection of the higher score comes first, then the first in the input. Difficult objects and crowds do not
// count, and neither do detections of them that no other object takes, however many there are.
//
// A class that is not in the range and a number that is not finite are errors.
func DetectionConfusion(objects []Object, detections []Detection, classes int, minScore, iou float64) (*Confusion, error) {
	if err := checkDetections(objects, detections, nil); err != nil {
		return nil, err
	}
	for i, o := range objects {
		if o.Class < 0 || o.Class >= classes {
			return nil, fmt.Errorf("metrics: object %d: class %d, expected 0 to %d", i, o.Class, classes-1)
		}
	}
	var sure []Detection
	for i, d := range detections {
		if d.Class < 0 || d.Class >= classes {
			return nil, fmt.Errorf("metrics: detection %d: class %d, expected 0 to %d", i, d.Class, classes-1)
		}
		if d.Score >= minScore {
			sure = append(sure, d)
		}
	}
	c := NewConfusion(classes + 1)
	for _, g := range byImage(objects, sure) {
		c.addImage(g, objects, sure, iou)
	}
	return c, nil
}

// pair is an object and a detection that overlap, by position.
type pair struct {
	object, detection int32
	overlap           float64
}

// addImage counts the objects and detections of an image.
func (c *Confusion) addImage(g group, objects []Object, detections []Detection, iou float64) {
	background := c.Classes() - 1
	ranked(g.detections, detections)
	var pairs []pair
	for _, d := range g.detections {
		for _, o := range g.objects {
			if v := overlap(detections[d].Box, &objects[o], 0); v > 0 && v >= iou {
				pairs = append(pairs, pair{o, d, v})
			}
		}
	}
	slices.SortStableFunc(pairs, func(a, b pair) int {
		if x, y := objects[a.object].ignored(), objects[b.object].ignored(); x != y { // those that count come first
			if x {
				return 1
			}
			return -1
		}
		return cmp.Compare(b.overlap, a.overlap)
	})
	found, named := map[int32]bool{}, map[int32]bool{}
	for _, p := range pairs {
		o := &objects[p.object]
		if found[p.object] && !o.ignored() || named[p.detection] {
			continue
		}
		found[p.object], named[p.detection] = true, true
		if !o.ignored() {
			c.Add(o.Class, detections[p.detection].Class)
		}
	}
	for _, o := range g.objects {
		if !found[o] && !objects[o].ignored() {
			c.Add(objects[o].Class, background)
		}
	}
	for _, d := range g.detections {
		if !named[d] {
			c.Add(background, detections[d].Class)
		}
	}
}
