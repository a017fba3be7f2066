package nn

import (
	"cmp"
	"slices"

	"github.com/fovea-ml/fovea/autograd"
)

// PatchDropout drops the share p of the tokens of each sequence of x, [n, length, width], at random, on a training tape
// (FLIP: Li et al., arXiv 2212.00794; PatchDropout in open_clip/transformer.py). The first tokens of a sequence, such as a
// class token, stay: first is their number. The result is [n, first+kept, width] in the order of x, where kept is
// int((length-first)·(1-p)) and at least 1. Positions must be in the tokens already. Rotary ones are those of places, the
// place of each token that stays in its sequence: see [AttentionInput].Positions.
//
// Elsewhere, or with p = 0, it returns x and no places. The tape's random numbers decide which tokens are dropped, so that a second run
// of a segment drops the same. It panics with an autograd.ShapeError for other shapes, or without a token that may be
// dropped, and with an autograd.UseError when p is not in [0, 1).
func PatchDropout(x *autograd.Tensor, first int, p float64) (y *autograd.Tensor, places []int) {
	const name = "patch dropout"
	t := x.Tape()
	switch s := x.Shape(); {
	case !(p >= 0 && p < 1):
		panic(&autograd.UseError{Op: name, Reason: "expected a share of at least 0 and below 1"})
	case p == 0 || !t.Training():
		return x, nil
	case len(s) != 3 || first < 0 || first >= s[1]:
		panic(&autograd.ShapeError{Op: name, Shapes: [][]int{s, {first}}, Reason: "expected tokens [n, length, width] and fewer first tokens than the length"})
	}
	n, length, width := x.Dim(0), x.Dim(1), x.Dim(2)
	patches := length - first
	kept := max(1, int(float64(patches)*(1-p)))
	noise := t.Uniform(n, patches).Floats(nil)
	rows := make([]int, 0, n*(first+kept))
	order := make([]int, patches)
	for i := range n {
		own := noise[i*patches : (i+1)*patches]
		for k := range order {
			order[k] = k
		}
		slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(own[a], own[b]) })
		slices.Sort(order[:kept])
		for k := range first {
			places = append(places, k)
		}
		for _, k := range order[:kept] {
			places = append(places, first+k)
		}
		for _, k := range places[len(rows):] {
			rows = append(rows, i*length+k)
		}
	}
	return autograd.Reshape(autograd.GatherRows(autograd.Reshape(x, n*length, width), rows), n, first+kept, width), places
}
