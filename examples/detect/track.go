package main

import (
	"cmp"
	"slices"

	"github.com/fovea-ml/fovea/models/detect"
)

// tracker follows objects from frame to frame. An object keeps its number while a box of the same class overlaps its last one.
type tracker struct {
	last   int // number given
	tracks []track
}

type track struct {
	id    int
	class int
	box   detect.Box
	lost  int // frames since it was seen
}

const (
	trackOverlap  = 0.3 // the least IoU of the boxes of one object in two frames
	trackPatience = 10  // frames after which an object that is not seen is forgotten
)

// update returns the numbers of the objects in a frame. Pairs of a track and an object are made by descending overlap.
func (t *tracker) update(found detect.Detections) []int {
	type pair struct {
		track, object int
		overlap       float32
	}
	var pairs []pair
	for i, k := range t.tracks {
		for j, d := range found {
			if o := k.box.IoU(d.Box); k.class == d.Class && o >= trackOverlap {
				pairs = append(pairs, pair{i, j, o})
			}
		}
	}
	slices.SortStableFunc(pairs, func(a, b pair) int { return cmp.Compare(b.overlap, a.overlap) })
	ids := make([]int, len(found))
	seen := make([]bool, len(t.tracks))
	for _, p := range pairs {
		if ids[p.object] == 0 && !seen[p.track] {
			k := &t.tracks[p.track]
			ids[p.object], seen[p.track] = k.id, true
			k.box, k.lost = found[p.object].Box, 0
		}
	}
	for i := range seen {
		if !seen[i] {
			t.tracks[i].lost++
		}
	}
	t.tracks = slices.DeleteFunc(t.tracks, func(k track) bool { return k.lost > trackPatience })
	for j, d := range found {
		if ids[j] == 0 {
			t.last++
			ids[j] = t.last
			t.tracks = append(t.tracks, track{id: t.last, class: d.Class, box: d.Box})
		}
	}
	return ids
}
