package autograd

import (
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/fovea-ml/fovea/simd"
)

// DType is the type in which a Parameter's values are stored. Layers never see it: half-precision values are
// widened, exactly, where an operation uses them.
type DType = simd.Format

// The storage types.
const (
	Float32  = simd.FormatF32
	Float16  = simd.FormatF16  // IEEE 754 binary16
	BFloat16 = simd.FormatBF16 // the upper half of a float32
)

// storage is where the values of a Parameter live.
type storage struct {
	form    atomic.Pointer[form]
	version atomic.Uint64

	// The lock keeps two readers from joining parts or packing a weight twice. The results are found without it.
	lock sync.Mutex

	// Packed GEMM operands derived from the values, for inference only.
	packs [4]atomic.Pointer[pack]
}

// form is one way in which a storage holds its values; it is replaced by another, never changed.
type form struct {
	dtype  DType
	values []float32   // all of them, when they are float32 and in one piece
	floats [][]float32 // or in several
	halves [][]uint16  // or in half precision
	starts []int       // of floats or halves: the index of each part's first value
	mapped bool        // they belong to a mapped file or to the caller: copied before the first write

	release, hold func() // as in Parameter.Map
}

// own makes values the storage's own.
func (s *storage) own(values []float32) { s.form.Store(&form{values: values}) }

// mapTo makes the storage read the values of a new form.
func (s *storage) mapTo(f *form) {
	f.mapped = true
	at := 0
	start := func(n int) {
		f.starts = append(f.starts, at)
		at += n
	}
	for _, p := range f.halves {
		start(len(p))
	}
	if len(f.floats) == 1 {
		f.values, f.floats = f.floats[0], nil
	}
	for _, p := range f.floats {
		start(len(p))
	}
	s.form.Store(f)
	s.touch()
}

// read writes the values from index at on to dst, widened.
func (f *form) read(dst []float32, at int) {
	if f.starts == nil {
		copy(dst, f.values[at:])
		return
	}
	i, _ := slices.BinarySearch(f.starts, at+1)
	i-- // the last part that starts at or before
	for len(dst) > 0 {
		from, n := at-f.starts[i], 0
		switch f.dtype {
		case Float16:
			n = min(len(dst), len(f.halves[i])-from)
			simd.F16ToF32(dst[:n], f.halves[i][from:])
		case BFloat16:
			n = min(len(dst), len(f.halves[i])-from)
			simd.BF16ToF32(dst[:n], f.halves[i][from:])
		default:
			n = copy(dst, f.floats[i][from:])
		}
		dst, at, i = dst[n:], at+n, i+1
	}
}

// whole returns the n values when they are float32, joined first when they lie in parts; ok is false when
// they are in half precision.
func (s *storage) whole(n int) (values []float32, ok bool) {
	f := s.form.Load()
	if f.dtype != Float32 {
		return nil, false
	}
	if f.floats == nil {
		return f.values, true
	}
	s.lock.Lock()
	defer s.lock.Unlock()
	if f = s.form.Load(); f.floats != nil {
		joined := make([]float32, n)
		f.read(joined, 0)
		f.drop()
		s.own(joined)
	}
	return s.form.Load().values, true
}

// drop tells the owner of mapped values that they are not needed soon.
func (f *form) drop() {
	if f.release != nil {
		f.release()
	}
	runtime.KeepAlive(f) // a mapping may end with the last reference to these functions
}

// write makes the n values the storage's own, lets f change them, raises the version, and drops what was derived
// from the old values.
func (s *storage) write(n int, f func(values []float32)) {
	if old := s.form.Load(); old.mapped || old.values == nil {
		values := make([]float32, n)
		old.read(values, 0)
		old.drop()
		s.own(values)
	}
	f(s.form.Load().values)
	s.touch()
}

func (s *storage) touch() {
	s.version.Add(1)
	for i := range s.packs {
		s.packs[i].Store(nil)
	}
}

// pack is a packed operand, one for each group of a convolution, or the filters of one in Winograd's form, and the version
// and instruction set that it was made for.
type pack struct {
	version  uint64
	level    simd.Level
	panels   []*simd.Packed
	winograd []float32
}

// panels returns the values packed as the right-hand operand of a GEMM, in the type they are stored in. They are
// seen as a row-major [rows, cols] matrix, or its transpose. Mapped values are then given back: they and their
// packed form do not both stay in memory.
func (s *storage) panels(w *simd.Workers, rows, cols int, trans bool) *simd.Packed {
	slot := &s.packs[0]
	k, n := rows, cols
	if trans {
		slot = &s.packs[1]
		k, n = cols, rows
	}
	return s.packed(slot, 1, func(f *form, p *pack) {
		if f.starts == nil {
			p.panels = []*simd.Packed{simd.Pack(w, k, n, simd.Matrix{Data: f.values, Stride: cols, Trans: trans}, simd.PackOptions{})}
			return
		}
		p.panels = []*simd.Packed{simd.PackRows(w, k, n, trans, func(dst []float32, i, j int) { f.read(dst, i*cols+j) }, simd.PackOptions{Format: f.dtype})}
	}).panels[0]
}

// filters is panels for the weight [groups·co, taps] of a convolution: it returns the filters of each group. A weight
// that is used with several numbers of groups is packed again at each change.
func (s *storage) filters(w *simd.Workers, groups, co, taps int) []*simd.Packed {
	return s.packed(&s.packs[2], groups, func(f *form, p *pack) {
		p.panels = make([]*simd.Packed, groups)
		for g := range p.panels {
			from := g * co * taps
			if f.starts == nil {
				p.panels[g] = simd.Pack(w, taps, co, simd.Matrix{Data: f.values[from:], Stride: taps, Trans: true}, simd.PackOptions{Filters: true})
			} else {
				p.panels[g] = simd.PackRows(w, taps, co, true, func(dst []float32, i, j int) { f.read(dst, from+i*taps+j) }, simd.PackOptions{Filters: true, Format: f.dtype})
			}
		}
	}).panels
}

// winograd returns the weight [out, in, 3, 3] of a convolution, transformed. It is float32, whatever the type of the
// values: transformed numbers have more digits.
func (s *storage) winograd(w *simd.Workers, g *simd.WinogradShape) []float32 {
	return s.packed(&s.packs[3], 0, func(f *form, p *pack) {
		p.winograd = simd.Floats(g.Weights())
		w.For(g.Out, func(i int) {
			row := make([]float32, 9*g.In)
			f.read(row, i*len(row))
			simd.WinogradWeights(p.winograd, row, i, i+1, g)
		})
	}).winograd
}

// packed returns what is in a slot, an operand for each group. make makes it anew when the values, the instruction set or
// the number of groups changed.
func (s *storage) packed(slot *atomic.Pointer[pack], groups int, make func(f *form, p *pack)) *pack {
	fresh := func() *pack {
		p := slot.Load()
		if p == nil || p.version != s.version.Load() || p.level != simd.Current() || len(p.panels) != groups {
			return nil
		}
		return p
	}
	if p := fresh(); p != nil {
		return p
	}
	s.lock.Lock()
	defer s.lock.Unlock()
	if p := fresh(); p != nil {
		return p
	}
	f := s.form.Load()
	p := &pack{version: s.version.Load(), level: simd.Current()}
	make(f, p)
	slot.Store(p)
	f.drop()
	return p
}
