package boxes

import (
	"cmp"
	"fmt"
	"slices"
)

// Found is what one model found in an image, or one model in one version of the image.
type Found struct {
	Boxes   []Box
	Scores  []float32
	Classes []int
}

// FuseOptions are settings of [Fuse].
type FuseOptions struct {
	Weights  []float64 // of each model; nil means 1
	Overlap  *float64  // boxes belong together above this IoU; nil means 0.55
	MinScore float32   // boxes with a lower score are left out
	Highest  bool      // the score of a group is its highest, over the largest weight, instead of the mean
}

// Fuse merges what several models found by weighted boxes fusion (Solovyev et al., arXiv 1910.13302), as ZFTurbo's ensemble_boxes
// computes it. Boxes of a class are taken by descending weighted score. Each joins the group whose fused box it overlaps most,
// or begins one. A fused box is the mean of its group's boxes, weighted by score. Its score is the mean score, times the number
// of boxes, at most that of the models, over the sum of the weights: what few models found counts less.
//
// Groups are sorted by descending score. Of equal scores, the earlier model and the earlier box come first; of equal overlaps,
// the earlier group. Boxes that are not [Box.Valid], or whose weighted score is not above 0, are left out. Coordinates may be in any unit, and are not clipped. It
// panics when lengths do not fit.
func Fuse(models []Found, o FuseOptions) Found {
	overlap := 0.55
	if o.Overlap != nil {
		overlap = *o.Overlap
	}
	if o.Weights != nil && len(o.Weights) != len(models) {
		panic(fmt.Sprintf("boxes: Fuse: %d weights of %d models", len(o.Weights), len(models)))
	}
	weight := func(model int) float64 {
		if o.Weights == nil {
			return 1
		}
		return o.Weights[model]
	}
	var all []candidate
	sum, largest := 0.0, 0.0
	for n, m := range models {
		if len(m.Scores) != len(m.Boxes) || len(m.Classes) != len(m.Boxes) {
			panic(fmt.Sprintf("boxes: Fuse: model %d: %d boxes, %d scores and %d classes", n, len(m.Boxes), len(m.Scores), len(m.Classes)))
		}
		sum, largest = sum+weight(n), max(largest, weight(n))
		for i, b := range m.Boxes {
			if s := float64(m.Scores[i]) * weight(n); m.Scores[i] >= o.MinScore && s > 0 && b.Valid() {
				all = append(all, candidate{b, s, m.Classes[i]})
			}
		}
	}
	slices.SortStableFunc(all, func(a, b candidate) int { return cmp.Compare(b.score, a.score) })
	var groups []fused
	byClass := map[int][]int{}
	for _, c := range all {
		best, most := -1, overlap
		for _, g := range byClass[c.class] {
			if v := groups[g].iou(c.box); v > most {
				best, most = g, v
			}
		}
		if best < 0 {
			best = len(groups)
			byClass[c.class] = append(byClass[c.class], best)
			groups = append(groups, fused{class: c.class})
		}
		groups[best].add(c)
	}
	for i := range groups {
		g := &groups[i]
		if o.Highest {
			g.score = g.highest / largest
		} else {
			g.score = g.total / float64(g.n) * float64(min(len(models), g.n)) / sum
		}
	}
	slices.SortStableFunc(groups, func(a, b fused) int { return cmp.Compare(b.score, a.score) })
	var out Found
	for _, g := range groups {
		b := g.mean()
		out.Boxes = append(out.Boxes, Box{X0: float32(b[0]), Y0: float32(b[1]), X1: float32(b[2]), Y1: float32(b[3])})
		out.Scores, out.Classes = append(out.Scores, float32(g.score)), append(out.Classes, g.class)
	}
	return out
}

// candidate is a box with its weighted score.
type candidate struct {
	box   Box
	score float64
	class int
}

// fused is a group of boxes.
type fused struct {
	class          int
	n              int
	edges          [4]float64 // sums of the boxes' edges, each times the score
	total, highest float64    // of the scores
	score          float64
}

// add adds a box to the group.
func (g *fused) add(c candidate) {
	for j, v := range [4]float32{c.box.X0, c.box.Y0, c.box.X1, c.box.Y1} {
		g.edges[j] += float64(c.score * float64(v))
	}
	g.n++
	g.total += c.score
	g.highest = max(g.highest, c.score)
}

// mean returns the edges of the fused box.
func (g *fused) mean() (b [4]float64) {
	for j := range b {
		b[j] = g.edges[j] / g.total
	}
	return b
}

// iou returns the IoU of the fused box with another.
func (g *fused) iou(c Box) float64 {
	b := g.mean()
	x0, y0, x1, y1 := float64(c.X0), float64(c.Y0), float64(c.X1), float64(c.Y1)
	inter := float64(max(0, min(b[2], x1)-max(b[0], x0)) * max(0, min(b[3], y1)-max(b[1], y0)))
	return inter / (float64((b[2]-b[0])*(b[3]-b[1])) + float64((x1-x0)*(y1-y0)) - inter)
}
