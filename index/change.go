package index

import (
	"bytes"
	"cmp"
	"fmt"
	"math"
	"math/bits"
	"slices"

	"github.com/fovea-ml/fovea/checkpoint"
)

// Add stores vectors under ids. A vector replaces one of the same id. When Add returns, an index in a folder has them
// on the disk: all of them, or after an error or a crash none.
//
// A call writes a few files and waits for the disk, some milliseconds, so hundreds or thousands of vectors in a call
// are faster than one. Add keeps neither slice. It returns an error when the lengths differ, an id comes twice, a
// vector has another number of components than the index, or a component is not finite.
func (x *Index) Add(ids []int64, vectors [][]float32) error {
	batch, err := x.batch(ids, vectors)
	if err != nil {
		return fmt.Errorf("index: add: %w", err)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if len(ids) == 0 && x.failed == nil {
		return nil
	}
	if _, err := x.change(batch, batch.ids, false); err != nil {
		return fmt.Errorf("index: add: %w", err)
	}
	return nil
}

// batch returns vectors in the type of the index, in the order of their ids.
func (x *Index) batch(ids []int64, vectors [][]float32) (*rows, error) {
	if len(ids) != len(vectors) {
		return nil, fmt.Errorf("expected as many vectors as ids, found %d and %d", len(vectors), len(ids))
	}
	if len(ids) > maxRows {
		return nil, fmt.Errorf("expected at most %d vectors, found %d", maxRows, len(ids))
	}
	for i, v := range vectors { // before memory is taken for as many of the right length
		if len(v) != x.options.Dim {
			return nil, fmt.Errorf("vector %d: expected %d components, found %d", i, x.options.Dim, len(v))
		}
	}
	order := make([]int, len(ids))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(ids[a], ids[b]) })
	r := newRows(x.options, len(ids))
	v := make([]float32, x.options.Dim)
	for row, i := range order {
		r.ids[row] = ids[i]
		if row > 0 && r.ids[row-1] == ids[i] {
			return nil, fmt.Errorf("id %d is given twice", ids[i])
		}
		if err := x.options.prepare(v, vectors[i]); err != nil {
			return nil, fmt.Errorf("vector %d: %w", i, err)
		}
		if err := r.set(row, v); err != nil {
			return nil, fmt.Errorf("vector %d: %w", i, err)
		}
	}
	return r, nil
}

// prepare copies a vector to dst after checking it, divided by its length with Cosine.
func (o Options) prepare(dst, v []float32) error {
	if len(v) != o.Dim {
		return fmt.Errorf("expected %d components, found %d", o.Dim, len(v))
	}
	squares := 0.0
	for i, c := range v {
		if d := float64(c); math.IsNaN(d) || math.IsInf(d, 0) {
			return fmt.Errorf("component %d is %g", i, c)
		}
		squares += float64(c) * float64(c)
	}
	copy(dst, v)
	if o.Metric == Cosine && squares > 0 {
		length := math.Sqrt(squares)
		for i, c := range v {
			dst[i] = float32(float64(c) / length)
		}
	}
	return nil
}

// Delete removes the vectors of ids, and returns how many there were. Other ids are no error. The removal is on the
// disk when Delete returns. The space of deleted vectors is used again when their segment is written anew, at the
// latest when half of it is deleted.
func (x *Index) Delete(ids ...int64) (removed int, err error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	ids = slices.Clone(ids)
	slices.Sort(ids)
	removed, err = x.change(nil, slices.Compact(ids), false)
	if err != nil {
		return 0, fmt.Errorf("index: delete: %w", err)
	}
	return removed, nil
}

// Compact writes all vectors into one segment, without those that were deleted. Searches go on meanwhile. It needs
// space on the disk for a second copy.
func (x *Index) Compact() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if _, err := x.change(nil, nil, true); err != nil {
		return fmt.Errorf("index: compact: %w", err)
	}
	return nil
}

// Close lets others open the folder for writing. Searches still work afterwards. Add, Delete and Compact return
// ErrClosed. An index in memory needs no Close.
func (x *Index) Close() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.failed == nil {
		x.failed = ErrClosed
	}
	if x.folder == nil {
		return nil
	}
	return x.folder.unlock()
}

const (
	// maxRows is the largest number of rows of a segment.
	maxRows = math.MaxInt32

	// mergeAt is the number of segments of about one size that become one.
	mergeAt = 8

	// mergeBytes is the size of vectors from which on segments are left as they are.
	mergeBytes = 1 << 28
)

// change removes the vectors of ids, which ascend, then adds a batch, and makes the result the state. all asks for one
// segment. Called with mu held.
func (x *Index) change(batch *rows, ids []int64, all bool) (removed int, err error) {
	if x.failed != nil {
		return 0, x.failed
	}
	old := x.state.Load().segments
	segments := slices.Clone(old)
	for i, g := range segments {
		if found := g.rowsOf(ids); len(found) > 0 {
			segments[i] = g.without(found)
			removed += len(found)
		}
	}
	if batch == nil && removed == 0 && !all {
		return 0, nil
	}
	stay, join := x.divide(segments, batch, all)
	if all && len(join) == 1 && join[0].gone == 0 {
		return 0, nil
	}
	next, err := x.write(stay, join)
	if err != nil {
		return 0, err
	}
	x.state.Store(newState(next))
	if x.folder != nil {
		x.folder.removeOthers(next)
	}
	return removed, nil
}

// rowsOf returns the rows of ids, which ascend, that are not deleted.
func (g *segment) rowsOf(ids []int64) (found []int) {
	if n := len(g.ids); n > 0 {
		first, _ := slices.BinarySearch(ids, g.ids[0])
		for _, id := range ids[first:] {
			if id > g.ids[n-1] {
				break
			}
			if row, ok := g.find(id); ok && !g.isDeleted(row) {
				found = append(found, row)
			}
		}
	}
	return found
}

// divide chooses the segments that become one with the batch. They are:
//
//   - those with half of their rows deleted
//   - those of at most the batch's order of magnitude, when there are many; then those of the sum's, and so on
//
// A vector is thus written again a few times in all, and the number of segments grows with the logarithm of that of
// vectors.
func (x *Index) divide(segments []*segment, batch *rows, all bool) (stay, join []*segment) {
	n := 0
	take := func(g *segment) {
		join, n = append(join, g), n+g.live()
	}
	if batch != nil {
		take(&segment{rows: batch})
	}
	for _, g := range segments {
		if all || 2*g.gone >= len(g.ids) {
			take(g)
		} else {
			stay = append(stay, g)
		}
	}
	for batch != nil {
		var small []int
		sum := n
		for i, g := range stay {
			if magnitude(g.live()) <= magnitude(n) && g.live()*x.options.rowSize() < mergeBytes {
				small = append(small, i)
				sum += g.live()
			}
		}
		if len(small) < mergeAt-1 || sum > maxRows {
			break
		}
		for _, i := range slices.Backward(small) {
			take(stay[i])
			stay = slices.Delete(stay, i, i+1)
		}
	}
	return stay, join
}

// magnitude is the logarithm of n to the base 8.
func magnitude(n int) int { return bits.Len(uint(n)) / 3 }

// write joins segments and returns all of them. In a folder, it writes the files of what changed, and then the
// manifest.
func (x *Index) write(stay, join []*segment) ([]*segment, error) {
	next := slices.Clone(stay)
	runs, n := merged(join)
	if n > maxRows {
		return nil, fmt.Errorf("expected at most %d vectors in a segment, found %d", maxRows, n)
	}
	if x.folder != nil {
		return x.folder.write(x.options, next, runs, n, &x.failed)
	}
	if n > 0 {
		var b bytes.Buffer
		if err := checkpoint.Encode(&b, entries(x.options, runs, n), checkpoint.WriteOptions{}); err != nil {
			return nil, err
		}
		f, err := checkpoint.Parse("memory", b.Bytes(), checkpoint.OpenOptions{})
		if err != nil {
			return nil, err
		}
		r, err := readRows(f, x.options, n)
		if err != nil {
			return nil, err
		}
		next = append(next, &segment{rows: r})
	}
	return next, nil
}
