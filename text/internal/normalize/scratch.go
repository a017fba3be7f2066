package normalize

// A Scratch is memory for the strings of one text. Strings that were made with it, and what was cut from them, are valid until
// Reset. It serves one goroutine at a time. The zero value is ready.
type Scratch struct {
	bytes  arena[byte]
	starts arena[uint32]
	froms  arena[alignment]
	editor Editor
	form   formWriter
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

// reserve returns an empty slice with room for n elements. A later reserve returns the same memory unless keep was called.
func (a *arena[T]) reserve(n int) []T {
	if n > len(a.memory)-a.used {
		// Strings hold the old memory for as long as they need it.
		a.memory, a.used = make([]T, max(n, min(2*len(a.memory), largest))), 0
	}
	return a.memory[a.used : a.used : a.used+n]
}

// keep keeps what was written into the slice that the last reserve returned.
func (a *arena[T]) keep(s []T) { a.used += len(s) }
