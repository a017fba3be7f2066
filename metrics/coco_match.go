package metrics

// cocoMatcher matches the detections of one class, image by image.
type cocoMatcher struct {
	objects    []Object
	detections []Detection
	found      []cocoFound
	positives  [4]int // objects that count, by area

	// Of one image:
	overlaps []float64 // [detections, objects]
	order    []int32   // objects that count first, then those that are ignored
	skip     []bool    // by place in order: the object is ignored
	crowd    []bool    // by place in order
	taken    []bool    // by place in order
	curve    []curvePoint
}

// cocoFound is a detection after matching. Bit t of a mask belongs to threshold t.
type cocoFound struct {
	score            float64
	rank             int32     // among the detections of the class in the image, from 0
	matched, ignored [4]uint16 // by area
}

// curvePoint is a point of a precision-recall curve.
type curvePoint struct{ recall, precision float64 }

// reset begins another class.
func (m *cocoMatcher) reset() {
	m.found, m.positives = m.found[:0], [4]int{}
}

// match matches the detections of an image with its objects, for all areas and thresholds.
func (m *cocoMatcher) match(g *group) {
	ranked(g.detections, m.detections)
	best := g.detections[:min(len(g.detections), cocoMost)]
	first := len(m.found)
	m.overlaps = m.overlaps[:0]
	for rank, d := range best {
		m.found = append(m.found, cocoFound{score: m.detections[d].Score, rank: int32(rank)})
		for _, o := range g.objects {
			m.overlaps = append(m.overlaps, overlap(m.detections[d].Box, &m.objects[o], 0))
		}
	}
	for area, bounds := range cocoAreas {
		m.sort(g.objects, area, bounds)
		for t, threshold := range cocoThresholds {
			m.assign(m.found[first:], len(g.objects), area, t, min(threshold, 1-1e-10))
		}
		for i, d := range best {
			if size := m.detections[d].Box.Area(); size < bounds[0] || size > bounds[1] {
				f := &m.found[first+i]
				f.ignored[area] |= ^f.matched[area]
			}
		}
	}
}

// sort fills order and skip for an area.
func (m *cocoMatcher) sort(objects []int32, area int, bounds [2]float64) {
	m.order, m.skip, m.crowd = m.order[:0], m.skip[:0], m.crowd[:0]
	for _, ignored := range []bool{false, true} {
		for place, o := range objects {
			object := &m.objects[o]
			size := object.size()
			if (object.ignored() || size < bounds[0] || size > bounds[1]) == ignored {
				m.order, m.skip, m.crowd = append(m.order, int32(place)), append(m.skip, ignored), append(m.crowd, object.Crowd)
			}
		}
		if !ignored {
			m.positives[area] += len(m.order)
		}
	}
	if len(m.taken) < len(objects) {
		m.taken = make([]bool, len(objects))
	}
}

// assign matches for one area and threshold.
func (m *cocoMatcher) assign(found []cocoFound, objects, area, t int, threshold float64) {
	clear(m.taken[:objects])
	for i := range found {
		overlaps := m.overlaps[i*objects : (i+1)*objects]
		least, at := threshold, -1
		for place, o := range m.order {
			if at >= 0 && !m.skip[at] && m.skip[place] {
				break // an object that counts is never given up for one that is ignored
			}
			if m.taken[place] && !m.crowd[place] || overlaps[o] < least {
				continue
			}
			least, at = overlaps[o], place
		}
		if at < 0 {
			continue
		}
		m.taken[at] = true
		found[i].matched[area] |= 1 << t
		if m.skip[at] {
			found[i].ignored[area] |= 1 << t
		}
	}
}
