package checkpoint

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// A pickleMachine runs a pickle: a program for a small stack machine, which in Python may call any function. This machine
// runs no function. It knows how containers are built, and the names of tensors and plain data (pickle_calls.go). Any
// other name is an error that quotes it.
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
	marks []int // the stack's length at each open mark
	memo  []any

	spent  int        // bytes that the values take, approximately
	script bool       // the file is an archive of TorchScript
	stray  *reference // the first unknown name

	// storage turns the identity of an object outside the pickle into a value. PyTorch keeps data there.
	storage func(id []any) (any, error)
}

type (
	// A sequence is a list, a tuple or a set.
	sequence struct{ items []any }

	// A dict keeps its entries in their order. A dict with attributes is an object whose state becomes its entries.
	dict struct {
		entries    []dictEntry
		attributes bool
	}
	dictEntry struct{ key, value any }

	// A reference is the name of a function or class. Its call is nil when the pickle must not call it.
	reference struct {
		name    string
		call    func(m *pickleMachine, args []any) (any, error)
		unknown bool
	}

	// A long is an integer beyond int64, in little-endian bytes.
	long []byte

	// An opaque is a harmless value that is not used here. Errors call it what.
	opaque struct{ what string }
)

const (
	// maxPickle is the longest pickle: a file without its data.
	maxPickle = maxHeader

	// Memory that values may take: a fixed part, ample for the pickles of real models, and a multiple of the bytes
	// read so far. A file of any size thus costs a small multiple of its size.
	pickleRoom     = 16 << 20
	pickleRoomRate = 16
)

var (
	errPickleShort  = errors.New("the pickle is cut short")
	errPickleMemory = errors.New("the pickle asks for more memory than its length allows")
	errPickleStack  = errors.New("the pickle takes more values from its stack than it holds")
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
			v, err := m.pop()
			if err == nil && m.stray != nil {
				err = m.stray.refused("refers to")
			}
			return v, err
		}
		if err == nil {
			err = m.step(op)
		}
		if err == nil {
			err = m.afford()
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
		m.marks = append(m.marks, len(m.stack))
		m.spent += 8
		return nil
	case '0': // POP
		if n := len(m.marks); n > 0 && m.marks[n-1] == len(m.stack) {
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
		return m.pushSized(string(b), 16+len(b))
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
		return m.pushOr(m.sequence(items), err)
	case 0x85, 0x86, 0x87: // TUPLE1, TUPLE2, TUPLE3
		items, err := m.popN(int(op - 0x84))
		return m.pushOr(m.sequence(items), err)
	case ']', 0x8f: // EMPTY_LIST, EMPTY_SET
		return m.push(m.sequence(nil))
	case 'l', 0x91: // LIST, FROZENSET
		items, err := m.toMark()
		return m.pushOr(m.sequence(items), err)
	case 'a': // APPEND
		items, err := m.popN(1)
		return m.extend(items, err)
	case 'e', 0x90: // APPENDS, ADDITEMS
		items, err := m.toMark()
		return m.extend(items, err)
	case '}': // EMPTY_DICT
		return m.push(m.newDict(false))
	case 'd': // DICT
		items, err := m.toMark()
		if err != nil {
			return err
		}
		d := m.newDict(false)
		if err := m.setItems(d, items); err != nil {
			return err
		}
		return m.push(d)
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
	m.spent += 16
	m.stack = append(m.stack, v)
	return nil
}

// afford returns an error when the values take more memory than they may.
func (m *pickleMachine) afford() error {
	if m.spent > pickleRoom+pickleRoomRate*m.pos {
		return errPickleMemory
	}
	return nil
}

// pushSized pushes a value that takes size bytes beyond its place on the stack.
func (m *pickleMachine) pushSized(v any, size int) error {
	m.spent += size
	return m.push(v)
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
		return m.marks[n-1]
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
	m.spent -= 8
	return items, nil
}

// shrink cuts the stack. Values that are cut off no longer count.
func (m *pickleMachine) shrink(n int) {
	m.spent -= 16 * (len(m.stack) - n)
	m.stack = m.stack[:n]
}
