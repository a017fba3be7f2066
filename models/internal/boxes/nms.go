package boxes

import (
	"fmt"
	"math"
	"math/bits"
	"slices"
)

// NMS returns the positions of the boxes that greedy non-maximum suppression keeps, by descending score
// (torchvision.ops.nms). A box is dropped when its IoU with a box that was kept is greater than the threshold. It panics
// unless there is one score for each box.
func NMS(boxes []Box, scores []float32, threshold float64) []int {
	return suppress(boxes, scores, nil, threshold)
}

// NMSByClass is [NMS] among the boxes of each class (torchvision.ops.batched_nms). The result is sorted by score over all
// classes. It panics unless there is one score and one class for each box.
func NMSByClass(boxes []Box, scores []float32, classes []int, threshold float64) []int {
	if len(classes) != len(boxes) {
		panic(fmt.Sprintf("boxes: %d boxes and %d classes", len(boxes), len(classes)))
	}
	return suppress(boxes, scores, classes, threshold)
}

func suppress(boxes []Box, scores []float32, classes []int, threshold float64) []int {
	if len(scores) != len(boxes) {
		panic(fmt.Sprintf("boxes: %d boxes and %d scores", len(boxes), len(scores)))
	}
	order := make([]int, len(boxes))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int { return descending(scores[i], scores[j]) })
	return newKept(boxes, classes, threshold).filter(order)
}

// descending orders scores: the higher first, and NaN before all, as torch.sort.
func descending(a, b float32) int {
	switch {
	case a > b || a != a && b == b:
		return -1
	case a < b || a == a && b != b:
		return 1
	}
	return 0
}

// kept holds the boxes that were kept, so that those like a given box are found: of a similar size, and near. Boxes whose
// widths and heights lie between the same powers of two are a level, divided into cells of the larger size. Each box is in
// the list of the cell with its upper left corner. Cells are hashed; boxes that share a list by chance are compared in
// vain.
type kept struct {
	boxes     []Box
	classes   []int
	threshold float64
	levels    []level
	all       []int32 // for a negative threshold alone
	heads     []int32 // of the lists: the number of a box, from 1
	next      []int32 // by box
	pairs     int     // that were compared, for tests
}

// level holds boxes with sides of at least half of, and less than w and h.
type level struct {
	w, h  float64
	boxes []int32
}

func newKept(boxes []Box, classes []int, threshold float64) *kept {
	return &kept{boxes: boxes, classes: classes, threshold: threshold,
		heads: make([]int32, 1<<bits.Len(uint(2*len(boxes)))), next: make([]int32, len(boxes))}
}

// filter keeps boxes in the given order and returns those that no earlier one drops, in the same memory.
func (k *kept) filter(order []int) []int {
	to := order[:0]
	for _, i := range order {
		if !k.suppresses(i) {
			to = append(to, i)
			k.add(i)
		}
	}
	return to
}

// suppresses reports whether a box that was kept drops box i.
func (k *kept) suppresses(i int) bool {
	b := k.boxes[i]
	if k.threshold < 0 { // boxes that do not overlap drop each other
		return k.any(i, k.all)
	}
	if !b.Valid() {
		return false
	}
	// An IoU above t takes an intersection wider than t times either width. So the ratio of the widths is above t, and
	// the left edges are closer than 1 - t times the larger width; heights alike. Rounding is allowed for.
	t, slack := 0.999*k.threshold, 1+1e-6-0.999*k.threshold
	w, h := float64(b.X1-b.X0), float64(b.Y1-b.Y0)
	for n := range k.levels {
		l := &k.levels[n]
		if l.w < t*w || 2*w < t*l.w || l.h < t*h || 2*h < t*l.h {
			continue
		}
		dx, dy := slack*max(w, l.w), slack*max(h, l.h)
		x, y := math.Floor((float64(b.X0)-dx)/l.w), math.Floor((float64(b.Y0)-dy)/l.h)
		wide, high := math.Floor((float64(b.X0)+dx)/l.w)-x+1, math.Floor((float64(b.Y0)+dy)/l.h)-y+1
		if wide*high >= float64(len(l.boxes)) {
			if k.any(i, l.boxes) {
				return true
			}
			continue
		}
		for r := range int64(high) {
			for c := range int64(wide) {
				for j := *k.head(n, int64(x)+c, int64(y)+r); j != 0; j = k.next[j-1] {
					if k.drops(int(j-1), i) {
						return true
					}
				}
			}
		}
	}
	return false
}

// add keeps box i. Boxes that can drop no other are left out.
func (k *kept) add(i int) {
	b := k.boxes[i]
	if k.threshold < 0 {
		k.all = append(k.all, int32(i))
		return
	}
	if !b.Valid() {
		return
	}
	n := k.level(b)
	l := &k.levels[n]
	l.boxes = append(l.boxes, int32(i))
	head := k.head(n, int64(math.Floor(float64(b.X0)/l.w)), int64(math.Floor(float64(b.Y0)/l.h)))
	k.next[i], *head = *head, int32(i+1)
}

// level returns the number of a box's level.
func (k *kept) level(b Box) int {
	_, ew := math.Frexp(float64(b.X1 - b.X0))
	_, eh := math.Frexp(float64(b.Y1 - b.Y0))
	w, h := math.Ldexp(1, ew), math.Ldexp(1, eh)
	for n, l := range k.levels {
		if l.w == w && l.h == h {
			return n
		}
	}
	k.levels = append(k.levels, level{w: w, h: h})
	return len(k.levels) - 1
}

// head returns the list of a cell.
func (k *kept) head(level int, x, y int64) *int32 {
	const odd = 0x9e3779b97f4a7c15 // 2⁶⁴ over the golden ratio: the upper bits of a product with it depend on all bits
	h := ((uint64(level)*odd+uint64(x))*odd + uint64(y)) * odd
	return &k.heads[h>>(65-bits.Len(uint(len(k.heads))))]
}

// any reports whether one of the boxes drops box i.
func (k *kept) any(i int, boxes []int32) bool {
	for _, j := range boxes {
		if k.drops(int(j), i) {
			return true
		}
	}
	return false
}

// drops reports whether box j, which was kept, drops box i. IoU is computed in float32 and compared in float64, as in
// torchvision.
func (k *kept) drops(j, i int) bool {
	k.pairs++
	if k.classes != nil && k.classes[i] != k.classes[j] {
		return false
	}
	return float64(k.boxes[j].IoU(k.boxes[i])) > k.threshold
}
