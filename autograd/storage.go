package autograd

import (
	"math"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/fovea-ml/fovea/simd"
)

// DType is the type in which a Parameter's values are stored. Layers never see it: half-precision values and integers
// are widened where an operation uses them.
type DType = simd.Format

// The storage types.
const (
	Float32  = simd.FormatF32
	Float16  = simd.FormatF16  // IEEE 754 binary16
	BFloat16 = simd.FormatBF16 // the upper half of a float32
	Int8     = simd.FormatInt8 // integers of 8 bits, with a scale for each row: see Parameter.MapInt8
)

// storage is where the values of a Parameter live, or of several that share them.
type storage struct {
	form    atomic.Pointer[form]
	version atomic.Uint64
	shared  atomic.Bool // by several Parameters, now or before: it is not written to

	// The lock keeps two readers from joining parts or packing a weight twice. The results are found without it.
	lock sync.Mutex

	// Packed GEMM operands derived from the values, for inference only: of each kind, one for each arithmetic.
	packs [packKinds][simd.Int8 + 1]atomic.Pointer[pack]
}

// The kinds of packed operands.
const (
	packMatrix     = iota // [rows, cols]
	packTransposed        // its transpose
	packFilters           // the filters of a convolution
	packWinograd          // the same, transformed
	packKinds
)

// form is one way in which a storage holds its values; it is replaced by another, never changed.
type form struct {
	dtype  DType
	values []float32   // all of them, when they are float32 and in one piece
	floats [][]float32 // or in several
	halves [][]uint16  // or in half precision
	codes  [][]int8    // or as integers, to be multiplied by the scale of their row
	scales []float32   // of the rows
	width  int         // of a row
	starts []int       // of floats, halves or codes: the index of each part's first value
	mapped bool        // they belong to a mapped file or to the caller: copied before the first write

	release, hold func() // as in Parameter.Map
}

// newStorage returns a storage that owns values.
func newStorage(values []float32) *storage {
	s := &storage{}
	s.own(values)
	return s
}

// unshared returns a storage that may be written to: s, or another of the same values.
func (s *storage) unshared() *storage {
	if !s.shared.Load() {
		return s
	}
	f := *s.form.Load()
	f.mapped = true // copied before the first write
	c := &storage{}
	c.form.Store(&f)
	c.version.Store(s.version.Load())
	return c
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
	for _, p := range f.codes {
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
	i := f.part(at)
	for len(dst) > 0 {
		from, n := at-f.starts[i], 0
		switch f.dtype {
		case Int8: // to the end of the row at most
			row := at / f.width
			n = min(len(dst), len(f.codes[i])-from, (row+1)*f.width-at)
			simd.Int8ToF32(dst[:n], f.codes[i][from:], f.scales[row])
			if from+n < len(f.codes[i]) {
				i-- // the part goes on
			}
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

// part returns the last part that starts at an index or before.
func (f *form) part(at int) int {
	i, _ := slices.BinarySearch(f.starts, at+1)
	return i - 1
}

// readCodes writes the integers from index at on to dst.
func (f *form) readCodes(dst []int8, at int) {
	for i := f.part(at); len(dst) > 0; i++ {
		n := copy(dst, f.codes[i][at-f.starts[i]:])
		dst, at = dst[n:], at+n
	}
}

// equal reports whether two forms hold the same n values in the same type. Their pages then need not stay in memory.
func (f *form) equal(g *form, n int) bool {
	if f.dtype != g.dtype || !slices.Equal(f.scales, g.scales) {
		return false
	}
	defer f.drop()
	defer g.drop()
	const chunk = 1 << 14
	a, b := make([]float32, min(n, chunk)), make([]float32, min(n, chunk))
	for at := 0; at < n; at += chunk {
		a, b := a[:min(chunk, n-at)], b[:min(chunk, n-at)]
		f.read(a, at)
		g.read(b, at)
		for i, v := range a {
			if math.Float32bits(v) != math.Float32bits(b[i]) {
				return false
			}
		}
	}
	return true
}

// whole returns the n values when they are float32, joined first when they lie in parts; ok is false when
// they are not float32.
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
		for j := range s.packs[i] {
			s.packs[i][j].Store(nil)
		}
	}
}

// pack is a packed operand, one for each group of a convolution, or the filters of one in Winograd's form, and the version
// and instruction set that it was made for.
type pack struct {
	version  uint64
	level    simd.Level
	groups   int
	panels   []*simd.Packed
	winograd []float32
	pixels   []*simd.PixelFilters
}

// panels returns the values packed as the right-hand operand of a product in an arithmetic. Where it is Strict, they keep
// the type they are stored in; integers become float32. They are seen as a row-major [rows, cols] matrix, or its transpose. Mapped values are then
// given back: they and their packed form do not both stay in memory.
func (s *storage) panels(w *simd.Workers, math simd.Math, rows, cols int, trans bool) *simd.Packed {
	slot := &s.packs[packMatrix][math]
	k, n := rows, cols
	if trans {
		slot = &s.packs[packTransposed][math]
		k, n = cols, rows
	}
	return s.packed(slot, 1, func(f *form, p *pack) {
		p.panels = []*simd.Packed{f.pack(w, 0, k, n, cols, trans, simd.PackOptions{Math: math})}
	}).panels[0]
}

// filters is panels for the weight [groups·co, taps] of a convolution: it returns the filters of each group. A weight
// that is used with several numbers of groups is packed again at each change.
func (s *storage) filters(w *simd.Workers, groups, co, taps int) []*simd.Packed {
	return s.packed(&s.packs[packFilters][simd.Strict], groups, func(f *form, p *pack) {
		p.panels = make([]*simd.Packed, groups)
		for g := range p.panels {
			p.panels[g] = f.pack(w, g*co*taps, taps, co, taps, true, simd.PackOptions{Filters: true})
		}
	}).panels
}

// winograd returns the weight [out, in, 3, 3] of a convolution, transformed. It is float32, whatever the type of the
// values: transformed numbers have more digits.
func (s *storage) winograd(w *simd.Workers, g *simd.WinogradShape) []float32 {
	return s.packed(&s.packs[packWinograd][simd.Strict], 0, func(f *form, p *pack) {
		p.winograd = simd.Floats(g.Weights())
		w.For(g.Out, func(i int) {
			row := make([]float32, 9*g.In)
			f.read(row, i*len(row))
			simd.WinogradWeights(p.winograd, row, i, i+1, g)
		})
	}).winograd
}

// pixels is filters in another arithmetic than Strict, for a weight [groups·co, ci, taps].
func (s *storage) pixels(w *simd.Workers, math simd.Math, groups, co, ci, taps int) []*simd.PixelFilters {
	return s.packed(&s.packs[packFilters][math], groups, func(f *form, p *pack) {
		values := f.values
		if f.starts != nil {
			values = make([]float32, groups*co*ci*taps)
			f.read(values, 0)
		}
		p.pixels = make([]*simd.PixelFilters, groups)
		for g := range p.pixels {
			p.pixels[g] = math.PackPixels(w, co, ci, taps, values[g*co*ci*taps:], nil)
		}
	}).pixels
}

// pack packs the k×n matrix that begins at an index and whose stored rows are cols long.
func (f *form) pack(w *simd.Workers, from, k, n, cols int, trans bool, o simd.PackOptions) *simd.Packed {
	switch {
	case f.starts == nil:
		return simd.Pack(w, k, n, simd.Matrix{Data: f.values[from:], Stride: cols, Trans: trans}, o)
	case f.dtype == Int8 && o.Math == simd.Int8 && trans && cols == f.width:
		return simd.PackInt8(w, k, n, func(dst []int8, j, i int) { f.readCodes(dst, from+j*cols+i) }, f.scales[from/cols:])
	case f.dtype != Int8:
		o.Format = f.dtype
	}
	return simd.PackRows(w, k, n, trans, func(dst []float32, i, j int) { f.read(dst, from+i*cols+j) }, o)
}

// packed returns what is in a slot, an operand for each group. make makes it anew when the values, the instruction set or
// the number of groups changed.
func (s *storage) packed(slot *atomic.Pointer[pack], groups int, make func(f *form, p *pack)) *pack {
	fresh := func() *pack {
		p := slot.Load()
		if p == nil || p.version != s.version.Load() || p.level != simd.Current() || p.groups != groups {
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
	p := &pack{version: s.version.Load(), level: simd.Current(), groups: groups}
	make(f, p)
	slot.Store(p)
	f.drop()
	return p
}
