package autograd

import (
	"slices"

	"github.com/fovea-ml/fovea/simd"
)

// With many boxes, [RoiAlign] works on channels side by side: the taps of a box then are few operations on long rows,
// instead of many short ones for each channel. Channels are brought side by side and back by blocks. Each value is computed
// by the same operations in the same order as one channel at a time, so that it has the same bits.

// roiBlock is the number of channels in a block. A box's rows of a block fit into the first-level cache, and a batch has
// enough blocks for several threads.
const roiBlock = 64

// roiChannels are images [n, c, h, w] whose channels lie side by side in blocks: [n, c/roiBlock, h·w, roiBlock], the last
// block smaller.
type roiChannels struct {
	n, c, h, w int
	ys, cs     *roiTaps
	spans      []roiSpan
	slots      []int32 // of each tap along a row: its place among the columns that the box reads
	firstSpan  []int   // by box
	most       int     // columns of a box
}

// roiSpan is a run of columns that a box reads: from column at of the image, and from column slot of the box's row.
type roiSpan struct{ at, slot, n int }

// pays reports whether the boxes have more work than bringing channels side by side.
func (r *roiChannels) pays(rois, bins int) bool {
	return r.c >= roiBlock/2 && 32*rois*bins >= r.n*r.h*r.w
}

// align completes [RoiAlign]: it stores the bins in y.
func (r *roiChannels) align(f *frame, x Operand, y *Tensor, rois []Roi, images [][]int) *Tensor {
	r.plan(len(rois))
	bins, xv := r.ys.bins*r.cs.bins, f.values(x)
	cost := 8 * roiBlock * bins
	side := f.scratch(len(xv))
	r.gather(f.Tape, side, xv)
	f.eachRange(len(rois)*r.blocks(), cost, r.scratch(bins), func(buf []float32, lo, hi int) {
		for i := lo; i < hi; i++ {
			k := i / r.blocks()
			r.forward(y.data, side, buf, rois[k].Image, k, i%r.blocks())
		}
	})
	f.recycle(side)
	return f.done(y, func(b *back) {
		if !b.wants(x) {
			return
		}
		dx := b.sum(x)
		side := b.scratch(len(dx))
		r.gather(b.Tape, side, dx)
		// A task owns a block of channels of an image and adds boxes in their order.
		b.eachRange(r.n*r.blocks(), 1+cost*len(rois)/max(1, r.n), r.scratch(bins), func(buf []float32, lo, hi int) {
			for i := lo; i < hi; i++ {
				for _, k := range images[i/r.blocks()] {
					r.backward(side, b.dy, buf, i/r.blocks(), k, i%r.blocks())
				}
			}
		})
		r.spread(b.Tape, dx, side)
		b.recycle(side)
	})
}

// plan lists the columns that each box reads.
func (r *roiChannels) plan(rois int) {
	bins := r.cs.bins
	r.slots, r.firstSpan = make([]int32, len(r.cs.index)), make([]int, 1, rois+1)
	var columns []int32
	for k := range rois {
		a, b := r.cs.first[k*bins], r.cs.first[(k+1)*bins]
		columns = append(columns[:0], r.cs.index[a:b]...)
		slices.Sort(columns)
		columns = slices.Compact(columns)
		for i, at := range columns {
			if i == 0 || at != columns[i-1]+1 {
				r.spans = append(r.spans, roiSpan{at: int(at), slot: i})
			}
			r.spans[len(r.spans)-1].n++
		}
		for j := a; j < b; j++ {
			slot, _ := slices.BinarySearch(columns, r.cs.index[j])
			r.slots[j] = int32(slot)
		}
		r.firstSpan = append(r.firstSpan, len(r.spans))
		r.most = max(r.most, len(columns))
	}
}

func (r *roiChannels) blocks() int { return (r.c + roiBlock - 1) / roiBlock }

// block returns the first element of block b of image i, in either layout, and its number of channels.
func (r *roiChannels) block(i, b int) (at, channels int) {
	return (i*r.c + b*roiBlock) * r.h * r.w, min(roiBlock, r.c-b*roiBlock)
}

// gather brings the channels of x side by side; spread brings them back.
func (r *roiChannels) gather(t *Tape, dst, x []float32) {
	t.each(r.n*r.blocks(), roiBlock*r.h*r.w, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			at, channels := r.block(i/r.blocks(), i%r.blocks())
			transpose(dst[at:], channels, x[at:], r.h*r.w, channels, r.h*r.w)
		}
	})
}

func (r *roiChannels) spread(t *Tape, dst, x []float32) {
	t.each(r.n*r.blocks(), roiBlock*r.h*r.w, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			at, channels := r.block(i/r.blocks(), i%r.blocks())
			transpose(dst[at:], r.h*r.w, x[at:], channels, r.h*r.w, channels)
		}
	})
}

// scratch returns the elements that forward and backward need: the row of a box, its bins, and one bin.
func (r *roiChannels) scratch(bins int) int { return roiBlock * (r.most + bins + 1) }

func (r *roiChannels) carve(buf []float32, bins, channels int) (row, out, one []float32) {
	return buf[:r.most*channels], buf[roiBlock*r.most:][:bins*channels], buf[roiBlock*(r.most+bins):][:channels]
}

// forward stores the bins of box k of image i, for the channels of block b, in y.
func (r *roiChannels) forward(y, x, buf []float32, i, k, b int) {
	at, channels := r.block(i, b)
	x = x[at:][:r.h*r.w*channels]
	high, wide := r.ys.bins, r.cs.bins
	row, out, one := r.carve(buf, high*wide, channels)
	spans := r.spans[r.firstSpan[k]:r.firstSpan[k+1]]
	for p := range high {
		r.down(row, x, spans, k*high+p, channels)
		for q := range wide {
			bin := out[(p*wide+q)*channels:][:channels]
			clear(bin)
			for j := r.cs.first[k*wide+q]; j < r.cs.first[k*wide+q+1]; j++ {
				simd.Scale(one, row[int(r.slots[j])*channels:], r.cs.weights[j])
				simd.Add(bin, bin, one)
			}
		}
	}
	transpose(y[(k*r.c+b*roiBlock)*high*wide:], high*wide, out, channels, high*wide, channels)
}

// down stores the sum over rows of a bin, for the columns that its box reads.
func (r *roiChannels) down(row, x []float32, spans []roiSpan, bin, channels int) {
	a, b := r.ys.first[bin], r.ys.first[bin+1]
	if a == b {
		clear(row)
		return
	}
	for _, s := range spans {
		dst := row[s.slot*channels:][:s.n*channels]
		for j := a; j < b; j++ {
			src := x[(int(r.ys.index[j])*r.w+s.at)*channels:]
			if j == a {
				simd.Scale(dst, src, r.ys.weights[j])
			} else {
				simd.Axpy(dst, r.ys.weights[j], src[:len(dst)])
			}
		}
	}
}

// backward adds the gradients of the bins of box k of image i, for the channels of block b, to dx.
func (r *roiChannels) backward(dx, dy, buf []float32, i, k, b int) {
	at, channels := r.block(i, b)
	dx = dx[at:][:r.h*r.w*channels]
	high, wide := r.ys.bins, r.cs.bins
	row, out, one := r.carve(buf, high*wide, channels)
	transpose(out, channels, dy[(k*r.c+b*roiBlock)*high*wide:], high*wide, channels, high*wide)
	for p := range high {
		clear(row)
		for q := range wide {
			for j := r.cs.first[k*wide+q]; j < r.cs.first[k*wide+q+1]; j++ {
				to := row[int(r.slots[j])*channels:][:channels]
				simd.Scale(one, out[(p*wide+q)*channels:], r.cs.weights[j])
				simd.Add(to, to, one)
			}
		}
		for j := r.ys.first[k*high+p]; j < r.ys.first[k*high+p+1]; j++ {
			for _, s := range r.spans[r.firstSpan[k]:r.firstSpan[k+1]] {
				src := row[s.slot*channels:][:s.n*channels]
				simd.Axpy(dx[(int(r.ys.index[j])*r.w+s.at)*channels:][:len(src)], r.ys.weights[j], src)
			}
		}
	}
}
