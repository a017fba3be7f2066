package train

// candidate is a pair to merge, and the words where it was found.
type candidate struct {
	count uint64
	pair  uint64
	words []uint32
}

// before is the order of the merges: the most frequent pair first, of equally frequent ones that with the lowest ids.
func (c *candidate) before(d *candidate) bool {
	return c.count > d.count || c.count == d.count && c.pair < d.pair
}

// queue is a heap of candidates.
type queue []candidate

func (q *queue) push(c candidate) {
	h := append(*q, c)
	i := len(h) - 1
	for i > 0 {
		up := (i - 1) / 2
		if !c.before(&h[up]) {
			break
		}
		h[i] = h[up]
		i = up
	}
	h[i] = c
	*q = h
}

func (q *queue) pop() candidate {
	h := *q
	top, c := h[0], h[len(h)-1]
	h[len(h)-1] = candidate{} // free its words
	h = h[:len(h)-1]
	*q = h
	i := 0
	for {
		child := 2*i + 1
		if child >= len(h) {
			break
		}
		if child+1 < len(h) && h[child+1].before(&h[child]) {
			child++
		}
		if !h[child].before(&c) {
			break
		}
		h[i] = h[child]
		i = child
	}
	if len(h) > 0 {
		h[i] = c
	}
	return top
}
