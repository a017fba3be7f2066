package index

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/fovea-ml/fovea/simd"
)

// Type is the type in which an index stores the components of vectors.
type Type uint8

// The types. The package comment has the size and recall of each.
const (
	Float32 Type = iota
	Float16
	Int8 // with a scale for each vector
)

var typeNames = [...]string{Float32: "float32", Float16: "float16", Int8: "int8"}

// String returns the name in the manifest: "float32", "float16" or "int8".
func (t Type) String() string { return nameOf(typeNames[:], int(t), "Type") }

// Metric is the measure of similarity. A higher score is closer.
type Metric uint8

// The metrics.
const (
	// Cosine is the cosine of the angle between two vectors. Vectors are divided by their length as they are added. A
	// vector of zeros stays one, and has the score 0 with every other.
	Cosine Metric = iota
	// InnerProduct is the sum of products, of vectors as they are.
	InnerProduct
)

var metricNames = [...]string{Cosine: "cosine", InnerProduct: "inner product"}

// String returns the name in the manifest: "cosine" or "inner product".
func (m Metric) String() string { return nameOf(metricNames[:], int(m), "Metric") }

func nameOf(names []string, i int, kind string) string {
	if i >= len(names) {
		return fmt.Sprintf("%s(%d)", kind, i)
	}
	return names[i]
}

// MaxDim is the largest number of components of a vector.
const MaxDim = 1 << 16

// Options describe a new index.
type Options struct {
	Dim    int    // components of a vector, 1 to MaxDim
	Type   Type   // default Float32
	Metric Metric // default Cosine
}

func (o Options) check() error {
	switch {
	case o.Dim < 1 || o.Dim > MaxDim:
		return fmt.Errorf("expected a dim of 1 to %d, found %d", MaxDim, o.Dim)
	case int(o.Type) >= len(typeNames):
		return fmt.Errorf("expected Float32, Float16 or Int8, found %s", o.Type)
	case int(o.Metric) >= len(metricNames):
		return fmt.Errorf("expected Cosine or InnerProduct, found %s", o.Metric)
	}
	return nil
}

// Errors that errors.Is finds in those of calls that open or change an index.
var (
	// ErrReadOnly is the error of Add, Delete and Compact after Open with ReadOnly.
	ErrReadOnly = errors.New("the index is open for reading only")
	// ErrClosed is the error of Add, Delete and Compact after Close.
	ErrClosed = errors.New("the index is closed")
	// ErrLocked is the error of Create, and of Open without ReadOnly.
	ErrLocked = errors.New("another process or Index has the folder open for writing")
)

// An Index is a set of vectors with ids. Any number of goroutines may use one. A search works on the vectors that the
// index held when it began, and waits for no one; calls that change the index wait for one another.
type Index struct {
	// Workers limits the cores of a search: all of them after New, Create and Open; nil is serial.
	Workers *simd.Workers

	options Options
	state   atomic.Pointer[state]

	mu     sync.Mutex // of those that change the index
	folder *folder    // nil in memory
	failed error      // why nothing may be changed any more
}

// A state holds the vectors of an index at one time. It never changes.
type state struct {
	segments []*segment
	live     int // vectors
}

func newState(segments []*segment) *state {
	s := &state{segments: segments}
	for _, g := range segments {
		s.live += g.live()
	}
	return s
}

// New returns an empty index in memory.
func New(o Options) (*Index, error) {
	if err := o.check(); err != nil {
		return nil, fmt.Errorf("index: %w", err)
	}
	return newIndex(o, nil, nil), nil
}

func newIndex(o Options, segments []*segment, f *folder) *Index {
	x := &Index{Workers: simd.NewWorkers(0), options: o, folder: f}
	x.state.Store(newState(segments))
	return x
}

// Options returns the options that the index was made with.
func (x *Index) Options() Options { return x.options }

// Len returns the number of vectors.
func (x *Index) Len() int { return x.state.Load().live }

// Has reports whether the index holds a vector of an id.
func (x *Index) Has(id int64) bool {
	_, _, ok := x.state.Load().find(id)
	return ok
}

// Vector returns the vector of an id as it is stored: divided by its length with Cosine, and rounded to the index's
// type. ok is false when there is none.
func (x *Index) Vector(id int64) (vector []float32, ok bool) {
	g, row, ok := x.state.Load().find(id)
	if !ok {
		return nil, false
	}
	return g.vector(row), true
}

// find returns the place of an id.
func (s *state) find(id int64) (*segment, int, bool) {
	for _, g := range s.segments {
		if row, ok := g.find(id); ok && !g.isDeleted(row) {
			return g, row, true
		}
	}
	return nil, 0, false
}
