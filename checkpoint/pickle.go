package checkpoint

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// A pickleMachine runs a pickle: a program for a small stack machine, which in Python may call any function. This machine
// runs no function. It knows how containers are built, and the names of tensors and plain data (pickle_calls.go). The
// value that any other function or class would make is an opaque: it says where it comes from and does nothing.
//
// Values are nil, bool, int64, float64, string, []byte, long, and pointers to the types below. Containers are shared
// by reference, as in Python. So a short pickle can describe a graph with endlessly many paths, or a container that
// holds itself: code that walks a value must bound the walk.
//
// The opcodes are those of protocols 0 to 5, listed in
// https://github.com/python/cpython/blob/main/Lib/pickletools.py.
type pickleMachine struct {
	b     []byte
	pos   int
	stack []any
	marks []int32 // the stack's length at each open mark
	memo  []any

	allowed *allowance
	script  bool                     // the file is an archive of TorchScript
	names   map[[2]string]*reference // by module and name

	// storage turns the identity of an object outside the pickle into a value. PyTorch keeps data there.
	storage func(id []any) (any, error)
}

type (
	// A sequence is a list, a tuple or a set.
	sequence struct {
		items []any
		holds held
	}

	// A dict keeps its entries in their order. A dict with attributes is an object whose state becomes its entries.
	dict struct {
		entries    []dictEntry
		attributes bool
		holds      held
	}
	dictEntry struct{ key, value any }

	// A reference is the name of a function or class. Its call is nil when the pickle must not call it.
	reference struct {
		name string
		call func(m *pickleMachine, args []any) (any, error)
	}

	// A long is an integer beyond int64, in little-endian bytes.
	long []byte

	// An opaque stands for a value that is not used here, because only Python knows how to make it. Errors call it what.
	opaque struct {
		what  string
		parts []any // what it is made of, as far as tensors may be in it
		array bool  // it holds numbers of a numpy array
		holds held
	}
)

const (
	// maxPickle is the longest pickle: a file without its data.
	maxPickle = maxHeader
)

var (
	errPickleShort = errors.New("the pickle is cut short")
	errPickleStack = errors.New("the pickle takes more values from its stack than it holds")
)

// unpickle runs the program to its end and returns the value on top of the stack.
func (m *pickleMachine) unpickle() (any, error) {
	if len(m.b) > maxPickle {
		m.b = m.b[:maxPickle]
	}
	for {
		at := m.pos
		op, err := m.byte()
		if err == nil && op == '.' {
			return m.pop()
		}
		if err == nil {
			err = m.step(op)
		}
		if err != nil {
			return nil, fmt.Errorf("%w (at byte %d of the pickle)", err, at)
		}
	}
}

// step runs one opcode.
func (m *pickleMachine) step(op byte) error {
	switch op {
	case '(': // MARK
		return m.mark()
	case '0': // POP
		if n := len(m.marks); n > 0 && int(m.marks[n-1]) == len(m.stack) {
			m.marks = m.marks[:n-1]
			return nil
		}
		_, err := m.pop()
		return err
	case '1': // POP_MARK
		_, err := m.toMark()
		return err
	case '2': // DUP
		v, err := m.top()
		return m.pushOr(v, err)

	case 'N': // NONE
		return m.push(nil)
	case 0x88: // NEWTRUE
		return m.push(true)
	case 0x89: // NEWFALSE
		return m.push(false)
	case 'K', 'M', 'J': // BININT1, BININT2, BININT
		return m.fixedInt(op)
	case 0x8a, 0x8b: // LONG1, LONG4
		return m.long(op)
	case 'G': // BINFLOAT
		b, err := m.take(8)
		if err != nil {
			return err
		}
		return m.pushSized(math.Float64frombits(binary.BigEndian.Uint64(b)), 8)
	case 'X', 0x8c, 0x8d, 'T', 'U': // BINUNICODE, SHORT_BINUNICODE, BINUNICODE8, BINSTRING, SHORT_BINSTRING
		b, err := m.counted(op)
		if err != nil {
			return err
		}
		return m.pushString(b)
	case 'B', 'C', 0x8e, 0x96: // BINBYTES, SHORT_BINBYTES, BINBYTES8, BYTEARRAY8
		b, err := m.counted(op)
		if err != nil {
			return err
		}
		return m.pushSized(b, 24)
	case 'I', 'L', 'F', 'S', 'V', 'P': // INT, LONG, FLOAT, STRING, UNICODE, PERSID
		return m.text(op)

	case ')': // EMPTY_TUPLE
		return m.push(emptyTuple)
	case 't': // TUPLE
		items, err := m.toMark()
		return m.pushSequence(items, err)
	case 0x85, 0x86, 0x87: // TUPLE1, TUPLE2, TUPLE3
		items, err := m.popN(int(op - 0x84))
		return m.pushSequence(items, err)
	case ']', 0x8f: // EMPTY_LIST, EMPTY_SET
		return m.pushSequence(nil, nil)
	case 'l', 0x91: // LIST, FROZENSET
		items, err := m.toMark()
		return m.pushSequence(items, err)
	case 'a': // APPEND
		items, err := m.popN(1)
		return m.extend(items, err)
	case 'e', 0x90: // APPENDS, ADDITEMS
		items, err := m.toMark()
		return m.extend(items, err)
	case '}': // EMPTY_DICT
		d, err := m.newDict(false)
		return m.pushOr(d, err)
	case 'd': // DICT
		items, err := m.toMark()
		if err != nil {
			return err
		}
		d, err := m.newDict(false)
		if err == nil {
			err = m.setItems(d, items)
		}
		return m.pushOr(d, err)
	case 's', 'u': // SETITEM, SETITEMS
		return m.set(op)

	case 'p', 'q', 'r', 0x94: // PUT, BINPUT, LONG_BINPUT, MEMOIZE
		return m.put(op)
	case 'g', 'h', 'j': // GET, BINGET, LONG_BINGET
		return m.get(op)

	case 'c', 0x93: // GLOBAL, STACK_GLOBAL
		return m.global(op)
	case 'R', 0x81, 0x92, 'o', 'i': // REDUCE, NEWOBJ, NEWOBJ_EX, OBJ, INST
		return m.call(op)
	case 'b': // BUILD
		return m.build()
	case 'Q': // BINPERSID
		v, err := m.pop()
		if err != nil {
			return err
		}
		id, ok := v.(*sequence)
		if !ok {
			return fmt.Errorf("expected a tuple for the identity of a storage, found %s", kindOf(v))
		}
		v, err = m.storage(id.items)
		return m.pushOr(v, err)

	case 0x80: // PROTO
		v, err := m.byte()
		if err == nil && v > 5 {
			err = fmt.Errorf("expected a pickle of protocol 0 to 5, found %d", v)
		}
		return err
	case 0x95: // FRAME
		b, err := m.take(8)
		if err == nil && binary.LittleEndian.Uint64(b) > uint64(len(m.b)-m.pos) {
			err = errPickleShort
		}
		return err
	}
	// The others are for the extension registry and out-of-band buffers, which need more than a file.
	return fmt.Errorf("unknown opcode %#02x", op)
}

// emptyTuple serves every ')': extend appends to no tuple that came from there.
var emptyTuple = &sequence{}

// byte returns the next byte of the program.
func (m *pickleMachine) byte() (byte, error) {
	if m.pos >= len(m.b) {
		return 0, errPickleShort
	}
	m.pos++
	return m.b[m.pos-1], nil
}

// take returns the next n bytes of the program without a copy.
func (m *pickleMachine) take(n int) ([]byte, error) {
	if n < 0 || n > len(m.b)-m.pos {
		return nil, errPickleShort
	}
	m.pos += n
	return m.b[m.pos-n : m.pos : m.pos], nil
}

// push puts a value on the stack.
func (m *pickleMachine) push(v any) error {
	var err error
	if len(m.stack) == cap(m.stack) {
		if m.stack, err = grown(m.allowed, m.stack, 1); err != nil {
			return err
		}
	}
	m.stack = append(m.stack, v)
	return nil
}

// mark opens a mark.
func (m *pickleMachine) mark() error {
	var err error
	if m.marks, err = grown(m.allowed, m.marks, 1); err != nil {
		return err
	}
	m.marks = append(m.marks, int32(len(m.stack)))
	return nil
}

// pushSized pushes a value that takes size bytes beyond its place on the stack.
func (m *pickleMachine) pushSized(v any, size int) error {
	if err := m.allowed.spend(size); err != nil {
		return err
	}
	return m.push(v)
}

// pushString pushes a copy of bytes as a string.
func (m *pickleMachine) pushString(b []byte) error {
	if err := m.allowed.spend(24 + len(b)); err != nil {
		return err
	}
	return m.push(string(b))
}

func (m *pickleMachine) pushOr(v any, err error) error {
	if err != nil {
		return err
	}
	return m.push(v)
}

// floor is the length that the stack must keep: the values below an open mark.
func (m *pickleMachine) floor() int {
	if n := len(m.marks); n > 0 {
		return int(m.marks[n-1])
	}
	return 0
}

func (m *pickleMachine) top() (any, error) {
	if len(m.stack) <= m.floor() {
		return nil, errPickleStack
	}
	return m.stack[len(m.stack)-1], nil
}

func (m *pickleMachine) pop() (any, error) {
	v, err := m.top()
	if err == nil {
		m.shrink(len(m.stack) - 1)
	}
	return v, err
}

// popN removes and returns the last n values. They are valid until the next push.
func (m *pickleMachine) popN(n int) ([]any, error) {
	at := len(m.stack) - n
	if at < m.floor() {
		return nil, errPickleStack
	}
	items := m.stack[at:]
	m.shrink(at)
	return items, nil
}

// toMark removes the last mark and the values above it, and returns these. They are valid until the next push.
func (m *pickleMachine) toMark() ([]any, error) {
	if len(m.marks) == 0 {
		return nil, errPickleStack
	}
	items := m.stack[m.floor():]
	m.shrink(m.floor())
	m.marks = m.marks[:len(m.marks)-1]
	return items, nil
}

// shrink cuts the stack.
func (m *pickleMachine) shrink(n int) { m.stack = m.stack[:n] }
