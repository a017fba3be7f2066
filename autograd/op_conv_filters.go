package autograd

import "github.com/fovea-ml/fovea/simd"

// A sliding with many filters has them packed, in lanes. Its products read pixels where planes have them, so that a
// task needs no panels of positions: tasks are rows of an image, at any width.

// slides reports whether the forward pass uses filters packed ahead of time.
func (g *convShape) slides() bool {
	if g.depthwise() || g.n*g.co*g.positions() == 0 {
		return false
	}
	if g.pointwise() {
		return g.list == nil && simd.FiltersPay(g.ci) && fillsLanes(g.co) && g.positions() >= fullRow
	}
	s := g.sliding()
	return s.slides()
}

// fullRow is the number of positions of a tile that use the processor well.
const fullRow = 4

// fillsLanes reports whether filters use the lanes of packed filters well: a filter less than a multiple of 16 wastes a
// lane.
func fillsLanes(filters int) bool {
	const lanes = 16
	return filters >= simd.FewRows && 8*filters >= 7*roundUp(filters, lanes)
}

// slides reports whether packed filters are faster than panels of positions. The choice depends on shapes alone.
func (s *sliding) slides() bool {
	if !fillsLanes(s.co) || s.x.out < fullRow {
		return false
	}
	p := slidingPlan{images: 1, strip: s.x.out, chunk: s.ci}
	return p.lay(s) <= 2*planesMost && p.sums <= sharedMost
}

// stripPlanes bounds the planes of a strip: 704 KiB, two thirds of a second-level cache of 1 MiB. Lower strips copy more
// rows twice.
const stripPlanes = 176 << 10

// planFilters chooses the tasks of a sliding with packed filters.
func (s *sliding) planFilters(threads int) slidingPlan {
	positions := s.y.out * s.x.out
	p := slidingPlan{images: 1, strip: positions, strips: 1, chunk: s.ci}
	problems := s.n * s.groups
	if problems < 2*threads && p.lay(s) <= 2*planesMost && p.sums <= sharedMost && s.co >= 32*threads {
		// One image after the other. Threads divide the filters.
		p.shared = threads > 1
		return p
	}
	if positions < stripMost/4 {
		// Weights are read once for a few images.
		p.images = ceilDiv(s.n, roundUp(ceilDiv(s.n*positions, stripMost/2), threads))
		for p.images > 1 && p.lay(s) > 2*planesMost {
			p.images--
		}
	}
	rows, most := s.y.out, stripPlanes
	if s.near() {
		most /= 2 // the pixels of the next strip are there too
	}
	if size := p.lay(s); size > most && p.images == 1 {
		rows = max(1, rows*most/size)
		p.strip = rows * s.x.out
	}
	for (p.lay(s) > most || p.sums > sharedMost) && rows > 1 && p.images == 1 {
		rows--
		p.strip = rows * s.x.out
	}
	p.strips = ceilDiv(s.y.out, rows)
	if tasks := ceilDiv(s.n, p.images) * s.groups; tasks*p.strips < 8*threads && tasks%threads != 0 {
		p.strips = min(s.y.out, roundUp(p.strips, threads))
	}
	p.strip = ceilDiv(s.y.out, p.strips) * s.x.out
	p.lay(s)
	return p
}

// near reports whether a product with packed filters fetches the pixels of the next task.
func (s *sliding) near() bool {
	return s.filters != nil && s.co*s.ci*len(s.y.taps)*len(s.x.taps) <= simd.NearWeights
}

// strip returns the first position of strip i and its number of positions.
func (s *sliding) strip(p *slidingPlan, i int) (a, n int) {
	positions := s.y.out * s.x.out
	if s.filters == nil {
		a = i * p.strip
		return a, min(p.strip, positions-a)
	}
	// Strips differ by a row at most, the longer ones first.
	low, high := s.y.out/p.strips, s.y.out%p.strips
	rows := low
	if i < high {
		rows++
	}
	return (i*low + min(i, high)) * s.x.out, rows * s.x.out
}

// packFilters packs the weights into scratch unless that was done ahead of time or does not pay. The scratch must be
// recycled.
func (s *sliding) packFilters(t *Tape) []float32 {
	const reads = 256 // positions that pay for packing
	if s.filters != nil || s.n*s.y.out*s.x.out < reads || !s.slides() {
		return nil
	}
	k := s.ci * len(s.y.taps) * len(s.x.taps)
	size := simd.PackedLen(k, s.co)
	memory := t.scratch(s.groups * size)
	s.filters = make([]*simd.Packed, s.groups)
	for g := range s.filters {
		s.filters[g] = simd.Pack(t.workers, k, s.co, simd.Matrix{Data: s.weight(g), Stride: k, Trans: true}, simd.PackOptions{Filters: true, Memory: memory[g*size:][:size]})
	}
	return memory
}
