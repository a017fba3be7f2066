package normalize

import "fmt"

// A Scratch is memory for the strings of one text. Strings that were made with it, and what was cut from them, are
// valid until Reset. It serves one goroutine at a time. The zero value is ready.
type Scratch struct {
	bytes  arena[byte]
	starts arena[uint32]
	froms  arena[alignment]
	editor Editor
	form   formWriter
	spent  int // bytes of strings since Bound
	most   int // 0: no bound
}

// Bound bounds the bytes of all strings that are made from now on, also after Reset. Normalizers of a hostile file can
// make each other's text grow without end. An edit beyond the bound panics, which [Recover] turns into an error.
func (sc *Scratch) Bound(n int) { sc.spent, sc.most = 0, n }

// Room returns a bound for texts of n bytes together, which no pipeline of a model comes near.
func Room(n int) int { return 1<<20 + 256*n }

// tooLong is the panic value of an edit beyond the bound.
type tooLong int

// Recover is deferred around the use of a bounded Scratch.
func Recover(err *error) {
	switch v := recover().(type) {
	case nil:
	case tooLong:
		*err = fmt.Errorf("text: expected normalizers and pre-tokenizers that write at most %d bytes for it, found more", int(v))
	default:
		panic(v)
	}
}

// check panics where n more bytes go beyond the bound.
func (sc *Scratch) check(n int) {
	if sc.most > 0 && n > sc.most-sc.spent {
		panic(tooLong(sc.most))
	}
}

// Reset makes the memory free again.
func (sc *Scratch) Reset() {
	sc.bytes.reset()
	sc.starts.reset()
	sc.froms.reset()
	sc.editor = Editor{}
}

// An arena hands out slices of one large slice.
type arena[T any] struct {
	memory []T
	used   int
}

// largest is the number of elements up to which an arena grows beyond what is asked for, and keeps its memory.
const largest = 1 << 22

// reset makes the memory free again, and gives much of it back.
func (a *arena[T]) reset() {
	if a.used = 0; len(a.memory) > largest {
		a.memory = nil
	}
}

// reserve returns an empty slice with room for n elements. A later reserve returns the same memory unless keep was
// called.
func (a *arena[T]) reserve(n int) []T {
	if n > len(a.memory)-a.used {
		// Strings hold the old memory for as long as they need it.
		a.memory, a.used = make([]T, max(n, min(2*len(a.memory), largest))), 0
	}
	return a.memory[a.used : a.used : a.used+n]
}

// keep keeps what was written into the slice that the last reserve returned.
func (a *arena[T]) keep(s []T) { a.used += len(s) }
