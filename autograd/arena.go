package autograd

import (
	"math/bits"
	"sync"

	"github.com/fovea-ml/fovea/simd"
)

// Arena keeps the memory of tapes for reuse. Buffers are pointer-free slices on the Go heap, in size classes at
// most an eighth apart. Once a loop has warmed up, the free lists meet every request and nothing is allocated.
// An arena serves one tape at a time; [Arenas] lends them to many.
type Arena struct {
	free  [8 * 64][][]float32 // by size class
	bytes int                 // taken from the heap and not given back
}

// NewArena returns an empty arena.
func NewArena() *Arena { return &Arena{} }

// Bytes returns how much memory the arena holds, lent or free.
func (a *Arena) Bytes() int { return a.bytes }

// Trim gives the free buffers back to the garbage collector.
func (a *Arena) Trim() {
	for c := range a.free {
		for _, b := range a.free[c] {
			a.bytes -= 4 * cap(b)
		}
		a.free[c] = nil
	}
}

// smallest is the least size of a buffer. Smaller classes would be many and save little.
const smallest = 256

// sizeClass returns the class of n elements and the size of its buffers: n rounded up to the next eighth between
// two powers of two.
func sizeClass(n int) (class, size int) {
	if n < smallest {
		n = smallest
	}
	shift := bits.Len(uint(n)) - 4 // keeps the top four bits
	top := (n + 1<<shift - 1) >> shift
	if top == 16 {
		top, shift = 8, shift+1
	}
	return shift*8 + top - 8, top << shift
}

// searchClasses is how many larger classes are searched before memory is taken from the heap. It is better to
// lend a buffer of up to twice the size than to leave it idle. Passes of changing lengths then hold about twice
// the memory of the longest one. Passes of one length hold no more than with fewer classes.
const searchClasses = 8

func (a *Arena) get(n int) []float32 {
	class, size := sizeClass(n)
	for c := class; c <= class+searchClasses && c < len(a.free); c++ {
		if k := len(a.free[c]); k > 0 {
			b := a.free[c][k-1]
			a.free[c] = a.free[c][:k-1]
			return b[:n]
		}
	}
	a.bytes += 4 * size
	return simd.Floats(size)[:n]
}

func (a *Arena) put(b []float32) {
	class, _ := sizeClass(cap(b))
	a.free[class] = append(a.free[class], b)
}

// Arenas is a bounded free list of arenas, for models that serve many goroutines. The zero value is
// ready and keeps none; Keep bounds how many idle arenas are kept.
type Arenas struct {
	// Keep is the number of idle arenas kept. More are left to the garbage collector.
	Keep int

	mu   sync.Mutex
	idle []*Arena
}

// Get returns an idle arena or a new one.
func (l *Arenas) Get() *Arena {
	l.mu.Lock()
	defer l.mu.Unlock()
	if k := len(l.idle); k > 0 {
		a := l.idle[k-1]
		l.idle = l.idle[:k-1]
		return a
	}
	return NewArena()
}

// Put takes an arena back.
func (l *Arenas) Put(a *Arena) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.idle) < l.Keep {
		l.idle = append(l.idle, a)
	}
}

// buffer is memory lent to a tape, counted because reshaped Tensors and gradients share it.
type buffer struct {
	data     []float32
	refs     int
	borrowed bool // the caller's or a parameter's memory: never written, never recycled
	use      *use // what Tape.Use took the values from

	planes *planeList // instead of data
}

// use is a parameter in the state in which Tape.Use found it.
type use struct {
	param   *Parameter
	version uint64
}
