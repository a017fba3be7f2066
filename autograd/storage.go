package autograd

import (
	"sync"
	"sync/atomic"

	"github.com/fovea-ml/fovea/simd"
)

// DType is the type in which a Parameter's values are stored.
type DType uint8

// Float32 is the only storage type so far. Layers never see the type: a narrower one is added here and
// widened where an operation asks for values or panels. Weights of inference are asked for panels alone.
const Float32 DType = 0

func (d DType) String() string {
	if d == Float32 {
		return "float32"
	}
	return "unknown"
}

// storage is where the values of a Parameter live.
type storage struct {
	dtype   DType
	values  []float32
	mapped  bool // values belong to a mapped file or to the caller: copied before the first write
	version atomic.Uint64

	// Packed GEMM operands derived from values, for inference only. A reader finds them without a
	// lock; the lock keeps two readers from packing the same weight twice.
	packing sync.Mutex
	packs   [2]atomic.Pointer[pack]
}

// pack is a packed operand and what it was derived from.
type pack struct {
	version uint64
	level   simd.Level
	panels  *simd.Packed
}

// write gives f the values to change, copying a mapped storage first, then raises the version and
// drops what was derived from the old values.
func (s *storage) write(f func(values []float32)) {
	if s.mapped {
		s.values = append(make([]float32, 0, len(s.values)), s.values...)
		s.mapped = false
	}
	f(s.values)
	s.touch()
}

func (s *storage) touch() {
	s.version.Add(1)
	for i := range s.packs {
		s.packs[i].Store(nil)
	}
}

// panels returns the values, seen as a row-major [rows, cols] matrix (or its transpose), packed as the
// right-hand operand of a GEMM.
func (s *storage) panels(w *simd.Workers, rows, cols int, trans bool) *simd.Packed {
	slot := &s.packs[0]
	k, n := rows, cols
	if trans {
		slot = &s.packs[1]
		k, n = cols, rows
	}
	fresh := func() *simd.Packed {
		p := slot.Load()
		if p == nil || p.version != s.version.Load() || p.level != simd.Current() {
			return nil
		}
		return p.panels
	}
	if p := fresh(); p != nil {
		return p
	}
	s.packing.Lock()
	defer s.packing.Unlock()
	if p := fresh(); p != nil {
		return p
	}
	p := &pack{version: s.version.Load(), level: simd.Current()}
	p.panels = simd.Pack(w, k, n, simd.Matrix{Data: s.values, Stride: cols, Trans: trans})
	slot.Store(p)
	return p.panels
}
