package autograd

import (
	"time"
	"unsafe"
)

// In inference, images [n, c, h, w] that were joined, cut or regrouped by channels keep their planes where they are: a
// Tensor then has a list of planes instead of one run of memory. Operations that declare it begin with beginPlanes and
// read the list. For every other operation begin joins the planes, once, and Profile counts that copy as
// "join planes".

// planeList says where the planes of a Tensor are. It belongs to a buffer, which counts the buffers of the planes.
type planeList struct {
	parts  []planePart // all in use
	planes []planeAt   // one for each channel of each image

	source *Tensor // while the list grows: the operand that planes come from
	known  []int32 // by part of source: its place in parts, or -1
}

// planePart is memory that holds planes.
type planePart struct {
	data []float32
	from *buffer
}

// planeAt is a plane: element at of a part, and those that follow. It holds no pointers, so that long lists cost the
// garbage collector nothing.
type planeAt struct{ part, at int32 }

// Sizes of planes that a list is for: larger than the cost of an entry, and small enough for its numbers.
const (
	fewestValues = 64
	mostValues   = 1<<31 - 1
)

// planar reports whether images of a shape that are joined from operands, cut from one or regrouped keep their planes
// apart.
func (f *frame) planar(shape []int, ins ...Operand) bool {
	if f.opts.Gradients || len(shape) != 4 || shape[0]*shape[1] == 0 || shape[2]*shape[3] < fewestValues {
		return false
	}
	for _, in := range ins {
		if x, _ := in.operand(); x == nil || x.buf.use != nil || x.Len() > mostValues {
			return false
		}
	}
	return true
}

// newPlanes returns an empty list.
func (t *Tape) newPlanes() *planeList {
	if n := len(t.lists); n > 0 {
		l := t.lists[n-1]
		t.lists = t.lists[:n-1]
		return l
	}
	return new(planeList)
}

// of makes take take planes of x.
func (l *planeList) of(x *Tensor) {
	l.source, l.known = x, l.known[:0]
	n := 1
	if x.planes != nil {
		n = len(x.planes.parts)
	}
	for range n {
		l.known = append(l.known, -1)
	}
}

// take appends channels from, from + step, … below to of image i.
func (l *planeList) take(i, from, to, step int) {
	x := l.source
	size := x.shape[2] * x.shape[3]
	for j := i*x.shape[1] + from; j < i*x.shape[1]+to; j += step {
		p := planeAt{at: int32(j * size)}
		if x.planes != nil {
			p = x.planes.planes[j]
		}
		if l.known[p.part] < 0 {
			l.known[p.part] = l.place(p.part)
		}
		p.part = l.known[p.part]
		l.planes = append(l.planes, p)
	}
}

// place returns the place in the list of a part of source.
func (l *planeList) place(part int32) int32 {
	p := planePart{l.source.data, l.source.buf}
	if l.source.planes != nil {
		p = l.source.planes.parts[part]
	}
	for i, q := range l.parts {
		if q.from == p.from && unsafe.SliceData(q.data) == unsafe.SliceData(p.data) {
			return int32(i)
		}
	}
	p.from.refs++
	l.parts = append(l.parts, p)
	return int32(len(l.parts) - 1)
}

// plane returns plane i of the given number of values.
func (l *planeList) plane(i, size int) []float32 {
	p := l.planes[i]
	return l.parts[p.part].data[p.at:][:size]
}

// fromPlanes makes a result with a list of planes.
func (f *frame) fromPlanes(l *planeList, shape ...int) *Tensor {
	l.source = nil
	y := &Tensor{tape: f.Tape, gen: f.gen, shape: cloneShape(shape), buf: &buffer{refs: 1, planes: l}, planes: l}
	f.live = append(f.live, y)
	return y
}

// dropPlanes gives up what a list refers to.
func (t *Tape) dropPlanes(l *planeList) {
	for _, p := range l.parts {
		t.release(p.from)
	}
	clear(l.parts)
	l.parts, l.planes = l.parts[:0], l.planes[:0]
	t.lists = append(t.lists, l)
}

// joinPlanes joins the planes of every operand before the operation begins.
func (f *frame) joinPlanes() { f.joinPlanesBut(nil) }

// joinPlanesBut is joinPlanes for operands whose list is another one.
func (f *frame) joinPlanesBut(l *planeList) {
	for _, in := range f.ins {
		if x, _ := in.operand(); x != nil && (l == nil || x.planes != l) {
			f.start = f.start.Add(x.joinPlanes())
		}
	}
}

// alone reports whether no other operand is x or has its planes. Only then an operation may read them where they are: it wants the
// other operands in one piece.
func (f *frame) alone(x *Tensor) bool {
	n := 0
	for _, in := range f.ins {
		if o, _ := in.operand(); o == x || o != nil && o.planes != nil && o.planes == x.planes {
			n++
		}
	}
	return n == 1
}

// joinPlanes copies planes that lie apart to one run of memory, which x has from then on. It returns how long that
// took.
func (x *Tensor) joinPlanes() time.Duration {
	if x.planes == nil {
		return 0
	}
	start := time.Now()
	t, l, size := x.tape, x.planes, x.shape[2]*x.shape[3]
	b := t.newBuffer(len(l.planes) * size)
	t.each(len(l.planes), size, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			copy(b.data[i*size:], l.plane(i, size))
		}
	})
	t.release(x.buf)
	x.buf, x.data, x.planes = b, b.data, nil
	d := time.Since(start)
	if p := t.opts.Profile; p != nil {
		p.add("join planes", d, 4*len(b.data), 0)
	}
	return d
}
