package main

import (
	"cmp"
	"context"
	"math"
	"slices"

	"github.com/fovea-ml/fovea/metrics"
	"github.com/fovea-ml/fovea/vision/boxes"
)

// measure compares the detections in the test images with the truth, and with those of the baseline. The validation images
// choose the score above which detections are drawn and counted.
func (r *run) measure(ctx context.Context, o *outcome) error {
	held, found, err := r.evaluate(ctx, r.corpus.validation)
	if err != nil {
		return err
	}
	o.threshold = threshold(held)
	if err := r.drawFound(found, o.threshold); err != nil {
		return err
	}
	test := r.corpus.test
	o.objects = countObjects(test)
	if o.test, found, err = r.evaluate(ctx, test); err != nil {
		return err
	}
	classes := len(test.Classes())
	if o.confusion, err = metrics.DetectionConfusion(test.Truth(), found, classes, o.threshold, 0.5); err != nil {
		return err
	}
	o.confusion.Names = append(slices.Clone(test.Classes()), "background")
	guessed, err := guess(r.corpus.train, test)
	if err != nil {
		return err
	}
	o.baseline, err = metrics.COCO(test.Truth(), guessed, metrics.COCOOptions{})
	return err
}

// threshold returns the score that gives the classes their best F1, in the mean over the classes.
func threshold(c *metrics.COCOResult) float64 {
	sum, n := 0.0, 0
	for i := range c.Classes {
		if f1, score := c.Classes[i].Curve(0).BestF1(); f1 > 0 {
			sum, n = sum+score, n+1
		}
	}
	if n == 0 {
		return 0.5
	}
	return sum / float64(n)
}

// place is where and how large an object is, roughly: a class, a cell of a grid of the center, and the logarithms of
// the sides.
type place struct{ class, x, y, w, h int }

// guess returns the same boxes for each image: those where training has most objects. Objects of about the same place
// and size count together, and their mean is a box, whose score is their number per image. There are at most a hundred
// for a class. This baseline does not look at the image.
func guess(known, asked *boxes.Dataset) ([]metrics.Detection, error) {
	const cells, most = 8, 100
	type pile struct {
		place place
		n     int
		sum   [4]float64 // of the edges, as shares of the image
	}
	piles := map[place]*pile{}
	for i := range known.Len() {
		height, width, err := known.Size(i)
		if err != nil {
			return nil, err
		}
		for _, o := range known.Objects(i) {
			b := [4]float64{o.Box.X0 / float64(width), o.Box.Y0 / float64(height), o.Box.X1 / float64(width), o.Box.Y1 / float64(height)}
			at := func(center float64) int { return min(max(int(center*cells), 0), cells-1) }
			size := func(side float64) int { return int(math.Round(2 * math.Log2(side))) } // steps of √2
			p := place{o.Label, at((b[0] + b[2]) / 2), at((b[1] + b[3]) / 2), size(b[2] - b[0]), size(b[3] - b[1])}
			if o.Crowd {
				continue
			}
			if piles[p] == nil {
				piles[p] = &pile{place: p}
			}
			piles[p].n++
			for k, v := range b {
				piles[p].sum[k] += v
			}
		}
	}
	byClass := make([][]*pile, len(known.Classes()))
	for _, p := range piles {
		byClass[p.place.class] = append(byClass[p.place.class], p)
	}
	var found []metrics.Detection
	for class, list := range byClass {
		slices.SortFunc(list, func(a, b *pile) int {
			return cmp.Or(b.n-a.n, a.place.x-b.place.x, a.place.y-b.place.y, a.place.w-b.place.w, a.place.h-b.place.h)
		})
		for i := range asked.Len() {
			height, width, err := asked.Size(i)
			if err != nil {
				return nil, err
			}
			w, h := float64(width), float64(height)
			for _, p := range list[:min(most, len(list))] {
				n := float64(p.n)
				box := metrics.Corners(p.sum[0]/n*w, p.sum[1]/n*h, p.sum[2]/n*w, p.sum[3]/n*h)
				found = append(found, metrics.Detection{Image: i, Class: class, Box: box, Score: n / float64(known.Len())})
			}
		}
	}
	return found, nil
}
