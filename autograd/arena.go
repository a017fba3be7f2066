package autograd

import (
	"math/bits"

	"github.com/fovea-ml/fovea/simd"
)

// Arena keeps the memory of tapes for reuse. Buffers are pointer-free slices on the Go heap, in size classes at
// most an eighth apart. Once a loop has warmed up, the free lists meet every request and nothing is allocated.
// Where passes need less than before, the arena gives up what it no longer uses.
// An arena serves one tape at a time; [Arenas] lends them to many.
type Arena struct {
	free  [8 * 64][][]float32 // by size class
	bytes int                 // taken from the heap and not given back
	lent  int                 // bytes that the tape holds now
	most  int                 // the highest lent of the pass under way
	need  int                 // the highest most of recent passes: it decays
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

// An arena that holds more than spare times what recent passes needed at once gives up its free buffers. A pass counts
// less with each one that follows: by 1/decay.
const (
	spare = 3
	decay = 32
)

// settle ends a pass, whose buffers have all come back.
func (a *Arena) settle() {
	a.need = max(a.most, a.need-a.need/decay)
	a.most = a.lent
	if a.bytes > spare*a.need {
		a.Trim()
	}
}

// forget leaves n bytes that are lent to the garbage collector.
func (a *Arena) forget(n int) {
	a.bytes -= n
	a.lent -= n
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
			a.lend(4 * cap(b))
			return b[:n]
		}
	}
	a.bytes += 4 * size
	a.lend(4 * size)
	return simd.Floats(size)[:n]
}

func (a *Arena) lend(n int) {
	a.lent += n
	a.most = max(a.most, a.lent)
}

func (a *Arena) put(b []float32) {
	a.lent -= 4 * cap(b)
	class, _ := sizeClass(cap(b))
	a.free[class] = append(a.free[class], b)
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
