package checkpoint

import (
	"errors"
	"runtime"
	"unsafe"
)

// An allowance is the memory, in bytes, that the description of a file's tensors may still take: the entries of an
// archive, the values of a pickle, headers and indexes, names, and the lists that are made of them. It is spent before
// memory is taken, and for steps that take none, so that it bounds the time too. Nothing is paid back.
//
// The collector may let the heap grow to twice what is in use. Where a description is long, it is therefore called on the
// way. With the file itself in memory, opening it then takes at most 64 MB and four times the file. Real files come
// nowhere near: a tensor takes about 1.5 KB.
type allowance struct {
	left    int
	pending int // spent since the collector was called
	step    int // after which it is called again
}

const (
	allowedRoom = 40 << 20
	allowedRate = 2             // times the size of the file
	allowedMost = 8 * maxPickle // of a larger file
)

var errAllowance = errors.New("the description of the tensors asks for more memory than the file's length allows")

// allowanceFor returns the allowance of a file of the given size.
func allowanceFor(size int) *allowance {
	size = min(size, allowedMost)
	return &allowance{left: allowedRoom + allowedRate*size, step: allowedRoom/5 + size/4}
}

// spend takes n bytes off the allowance.
func (a *allowance) spend(n int) error {
	if n > a.left {
		return errAllowance
	}
	a.left -= n
	if a.pending += n; a.pending > a.step {
		a.pending = 0
		runtime.GC()
	}
	return nil
}

// grown returns s with room for more elements, and spends what the room takes.
func grown[T any](a *allowance, s []T, more int) ([]T, error) {
	need := len(s) + more
	if need <= cap(s) {
		return s, nil
	}
	room := need
	if cap(s) > 0 {
		room = max(need, cap(s)+cap(s)/2, 4)
	}
	size := int(unsafe.Sizeof(*new(T)))
	if size*room > a.left { // the old array and the new one exist at the same time
		return nil, errAllowance
	}
	if err := a.spend(size * (room - cap(s))); err != nil {
		return nil, err
	}
	larger := make([]T, len(s), room)
	copy(larger, s)
	return larger, nil
}
