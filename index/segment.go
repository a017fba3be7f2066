package index

import (
	"iter"
	"math"
	"math/bits"
	"slices"

	"github.com/fovea-ml/fovea/checkpoint"
)

// A segment is rows, of which some are deleted. It never changes: a deletion makes another segment of the same rows.
type segment struct {
	*rows
	deleted []uint64 // a bit for each row; nil when none is deleted
	gone    int      // rows that are deleted

	file, deletedFile string // names in the folder; "" in memory, and when none is deleted
}

// live returns the number of rows that are not deleted.
func (g *segment) live() int { return len(g.ids) - g.gone }

func (g *segment) isDeleted(row int) bool {
	return g.deleted != nil && g.deleted[row/64]>>(row%64)&1 != 0
}

// without returns the segment with more rows deleted. They were not before, and come once each.
func (g *segment) without(more []int) *segment {
	d := &segment{rows: g.rows, file: g.file, gone: g.gone + len(more), deleted: slices.Clone(g.deleted)}
	if d.deleted == nil {
		d.deleted = make([]uint64, (len(g.ids)+63)/64)
	}
	for _, row := range more {
		d.deleted[row/64] |= 1 << (row % 64)
	}
	return d
}

// deletedRows returns the rows that are deleted, ascending.
func (g *segment) deletedRows() []int64 {
	list := make([]int64, 0, g.gone)
	for i, word := range g.deleted {
		for ; word != 0; word &= word - 1 {
			list = append(list, int64(64*i+bits.TrailingZeros64(word)))
		}
	}
	return list
}

// A run is consecutive rows of a segment.
type run struct {
	*segment
	from, to int
}

// merged returns the rows of segments that are not deleted, in the order of their ids, as runs.
func merged(segments []*segment) (runs []run, n int) {
	heads := make([]run, 0, len(segments))
	for _, g := range segments {
		if h := (run{g, 0, 0}); h.skip() {
			heads = append(heads, h)
		}
	}
	for len(heads) > 0 {
		first, limit := 0, int64(math.MaxInt64) // limit is the second smallest id
		for i, h := range heads {
			id := h.ids[h.from]
			if least := heads[first].ids[heads[first].from]; id < least {
				first, limit = i, least
			} else if i != first {
				limit = min(limit, id)
			}
		}
		h := &heads[first]
		h.to = h.from + 1
		for h.to < len(h.ids) && h.ids[h.to] < limit && !h.isDeleted(h.to) {
			h.to++
		}
		runs, n = append(runs, *h), n+h.to-h.from
		h.from = h.to
		if !h.skip() {
			heads = slices.Delete(heads, first, first+1)
		}
	}
	return runs, n
}

// skip moves from to the next row that is not deleted, and reports whether there is one.
func (r *run) skip() bool {
	for r.from < len(r.ids) && r.isDeleted(r.from) {
		r.from++
	}
	return r.from < len(r.ids)
}

// entries returns the tensors of n rows, given as runs.
func entries(o Options, runs []run, n int) []checkpoint.Entry {
	pieces := func(bytes func(r run) []byte) iter.Seq[[]byte] {
		return func(yield func([]byte) bool) {
			for _, r := range runs {
				if !yield(bytes(r)) {
					return
				}
			}
		}
	}
	list := []checkpoint.Entry{
		{Name: idsTensor, Shape: []int{n}, DType: checkpoint.I64, Raw: pieces(func(r run) []byte { return bytesOf(r.ids[r.from:r.to]) })},
		{Name: vectorsTensor, Shape: []int{n, o.Dim}, DType: dtypes[o.Type], Raw: pieces(func(r run) []byte {
			at, end := r.from*o.Dim, r.to*o.Dim
			switch o.Type {
			case Float32:
				return bytesOf(r.floats[at:end])
			case Float16:
				return bytesOf(r.halves[at:end])
			}
			return bytesOf(r.codes[at:end])
		})},
	}
	if o.Type == Int8 {
		list = append(list, checkpoint.Entry{Name: scalesTensor, Shape: []int{n}, DType: checkpoint.F32,
			Raw: pieces(func(r run) []byte { return bytesOf(r.scales[r.from:r.to]) })})
	}
	return list
}
