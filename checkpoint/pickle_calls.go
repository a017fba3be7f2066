package checkpoint

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"unicode"
	"unicode/utf8"
)

// global pushes a reference to a name.
func (m *pickleMachine) global(op byte) error {
	if op == 'c' {
		r, err := m.named()
		return m.pushOr(r, err)
	}
	items, err := m.popN(2)
	if err != nil {
		return err
	}
	module, ok := items[0].(string)
	name, ok2 := items[1].(string)
	if !ok || !ok2 {
		return fmt.Errorf("expected the name of a function or class, found %s and %s", kindOf(items[0]), kindOf(items[1]))
	}
	return m.push(m.resolve(module, name))
}

// named reads a module and a name, each on a line.
func (m *pickleMachine) named() (any, error) {
	module, err := m.line()
	if err != nil {
		return nil, err
	}
	name, err := m.line()
	if err != nil {
		return nil, err
	}
	return m.resolve(string(module), string(name)), nil
}

// oldModules maps modules that were renamed to their newer names.
var oldModules = strings.NewReplacer("__builtin__", "builtins", "copy_reg", "copyreg", "numpy._core.", "numpy.core.")

const (
	maxName      = 256 // the longest name that is looked up
	maxNameShown = 100 // the longest name in an error
)

// resolve returns the value for a name.
func (m *pickleMachine) resolve(module, name string) any {
	m.spent += 80
	if len(module)+len(name) > maxName { // the steps below would copy it again and again
		module, name = module[:min(len(module), maxName)], name[:min(len(name), maxName)]
		return m.unknown(module + "." + name)
	}
	if t := torchStorageNamed(module, name); t.torchType != nil {
		return t
	}
	if t := torchTypeNamed(name); module == "torch" && t != nil {
		return t
	}
	full := oldModules.Replace(module + "." + name)
	if call, ok := pickleCalls[full]; ok {
		return &reference{name: full, call: call}
	}
	if m.script && strings.HasPrefix(full, "__torch__.") {
		return &reference{name: printable(full), call: callObject}
	}
	return m.unknown(full)
}

// unknown returns the value for an unknown name.
func (m *pickleMachine) unknown(name string) *reference {
	r := &reference{name: printable(name[:min(len(name), maxNameShown)]), unknown: true}
	if m.stray == nil {
		m.stray = r
	}
	return r
}

// printable returns an untrusted name without the codes that move a terminal's cursor.
func printable(name string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) || r == utf8.RuneError {
			return '?'
		}
		return r
	}, name)
}

// refused returns the error about an unknown name; does says how the pickle uses it.
func (r *reference) refused(does string) error {
	return fmt.Errorf("the pickle %s %s, which is neither a tensor nor plain data: "+
		"a file of weights, such as torch.save of a model's state_dict(), does not need it", does, r.name)
}

// call makes a value from a class or function and its arguments.
func (m *pickleMachine) call(op byte) error {
	var f, args any
	switch op {
	case 'R', 0x81: // function, tuple
		items, err := m.popN(2)
		if err != nil {
			return err
		}
		f, args = items[0], items[1]
	case 0x92: // function, tuple, keywords
		items, err := m.popN(3)
		if err != nil {
			return err
		}
		f, args = items[0], items[1]
		if k, ok := items[2].(*dict); !ok || len(k.entries) > 0 {
			return fmt.Errorf("call of %s has keywords", kindOf(f))
		}
	case 'o': // mark, function, arguments
		items, err := m.toMark()
		if err != nil {
			return err
		}
		if len(items) == 0 {
			return errPickleStack
		}
		f, args = items[0], m.sequence(items[1:])
	case 'i': // mark, arguments; the name follows
		items, err := m.toMark()
		if err != nil {
			return err
		}
		args = m.sequence(items)
		if f, err = m.named(); err != nil {
			return err
		}
	}
	r, ok := f.(*reference)
	if !ok {
		return fmt.Errorf("expected a function to call, found %s", kindOf(f))
	}
	if r.unknown {
		return r.refused("calls")
	}
	a, ok := args.(*sequence)
	if !ok {
		return fmt.Errorf("call of %s: expected a tuple of arguments, found %s", r.name, kindOf(args))
	}
	if r.call == nil {
		return fmt.Errorf("the pickle calls %s, which it may only name", r.name)
	}
	v, err := r.call(m, a.items)
	if err != nil {
		return fmt.Errorf("call of %s: %w", r.name, err)
	}
	return m.push(v)
}

// build sets the state of the object below the top of the stack.
func (m *pickleMachine) build() error {
	state, err := m.pop()
	if err != nil {
		return err
	}
	v, err := m.top()
	if err != nil {
		return err
	}
	switch v := v.(type) {
	case *dict:
		if !v.attributes {
			return nil // PyTorch attaches the versions of its modules to a state_dict
		}
		s, ok := state.(*dict)
		if !ok {
			v.entries = append(v.entries, dictEntry{"state", state})
			m.spent += 32
			return nil
		}
		m.spent += 32 * len(s.entries)
		v.entries = append(v.entries, s.entries...)
		return nil
	case *numpyType:
		s, ok := state.(*sequence)
		if !ok || len(s.items) < 2 {
			return fmt.Errorf("state of a numpy type: expected a tuple, found %s", kindOf(state))
		}
		v.bigEndian = s.items[1] == any(">")
		return nil
	case *opaque, *torchTensor:
		return nil
	case *reference:
		if v.unknown {
			return v.refused("sets the state of")
		}
	}
	return fmt.Errorf("expected an object to set the state of, found %s", kindOf(v))
}

// pickleCalls are all names that a pickle may refer to, besides the types of storages and elements. The pickle must not
// call a nil function.
var pickleCalls = map[string]func(m *pickleMachine, args []any) (any, error){
	"collections.OrderedDict":            callDict,
	"collections.defaultdict":            callDefaultDict,
	"collections.Counter":                callDict,
	"builtins.dict":                      callDict,
	"builtins.list":                      callSequence,
	"builtins.tuple":                     callSequence,
	"builtins.set":                       callSequence,
	"builtins.frozenset":                 callSequence,
	"builtins.bytes":                     callOpaque("bytes"),
	"builtins.bytearray":                 callOpaque("a bytearray"),
	"builtins.complex":                   callOpaque("a complex number"),
	"builtins.int":                       nil,
	"builtins.long":                      nil, // the name of int in files for Python 2
	"builtins.unicode":                   nil,
	"builtins.float":                     nil,
	"builtins.bool":                      nil,
	"builtins.str":                       nil,
	"builtins.object":                    nil,
	"argparse.Namespace":                 callObject,
	"types.SimpleNamespace":              callObject,
	"copyreg._reconstructor":             callReconstructor,
	"_codecs.encode":                     callEncode,
	"pathlib.Path":                       callPath,
	"pathlib.PosixPath":                  callPath,
	"pathlib.PurePosixPath":              callPath,
	"pathlib.WindowsPath":                callPath,
	"pathlib.PureWindowsPath":            callPath,
	"numpy.dtype":                        callNumpyType,
	"numpy.ndarray":                      nil,
	"numpy.core.multiarray.scalar":       callNumpyScalar,
	"numpy.core.numeric._frombuffer":     callOpaque("a numpy array"),
	"numpy.core.multiarray._reconstruct": callOpaque("a numpy array"),

	"torch.Size":                                   callSequence,
	"torch.device":                                 callDevice,
	"torch.torch_version.TorchVersion":             callString,
	"torch.Tensor":                                 nil,
	"torch.nn.parameter.Parameter":                 callInner,
	"torch.nn.parameter.Buffer":                    callInner,
	"torch._utils._rebuild_tensor":                 callRebuildTensor,
	"torch._utils._rebuild_tensor_v2":              callRebuildTensor,
	"torch._utils._rebuild_tensor_v3":              callRebuildTensor3,
	"torch._utils._rebuild_parameter":              callInner,
	"torch._utils._rebuild_parameter_with_state":   callInner,
	"torch._tensor._rebuild_from_type":             callRebuildFromType,
	"torch._tensor._rebuild_from_type_v2":          callRebuildFromType,
	"torch._utils._rebuild_qtensor":                callOddTensor("a quantized tensor"),
	"torch._utils._rebuild_sparse_tensor":          callOddTensor("a sparse tensor"),
	"torch._utils._rebuild_sparse_csr_tensor":      callOddTensor("a sparse tensor"),
	"torch._utils._rebuild_nested_tensor":          callOddTensor("a nested tensor"),
	"torch._utils._rebuild_meta_tensor_no_storage": callOddTensor("a tensor without data"),
	"torch.serialization._get_layout":              callString,
	"torch.per_tensor_affine":                      nil,
	"torch.per_channel_affine":                     nil,
	"torch.per_tensor_symmetric":                   nil,
	"torch.per_channel_symmetric":                  nil,
	"torch.per_channel_affine_float_qparams":       nil,

	"torch.jit._pickle.build_intlist":    callSequence,
	"torch.jit._pickle.build_doublelist": callSequence,
	"torch.jit._pickle.build_boollist":   callSequence,
	"torch.jit._pickle.build_tensorlist": callSequence,
	"torch.jit._pickle.restore_type_tag": callInner,
}

// callDict makes a dictionary: empty, from another, or from a list of pairs.
func callDict(m *pickleMachine, args []any) (any, error) {
	d := m.newDict(false)
	if len(args) == 0 {
		return d, nil
	}
	switch from := args[0].(type) {
	case *dict:
		m.spent += 32 * len(from.entries)
		d.entries = append(d.entries, from.entries...)
	case *sequence:
		for _, pair := range from.items {
			p, ok := pair.(*sequence)
			if !ok || len(p.items) != 2 {
				return nil, fmt.Errorf("expected pairs, found %s", kindOf(pair))
			}
			if err := m.setItems(d, p.items); err != nil {
				return nil, err
			}
		}
	default:
		return nil, fmt.Errorf("expected a dictionary or pairs, found %s", kindOf(from))
	}
	return d, m.afford()
}

func callDefaultDict(m *pickleMachine, args []any) (any, error) { return m.newDict(false), nil }

func callObject(m *pickleMachine, args []any) (any, error) { return m.newDict(true), nil }

// callSequence makes a list, tuple or set from the items of another.
func callSequence(m *pickleMachine, args []any) (any, error) {
	if len(args) == 0 {
		return m.sequence(nil), nil
	}
	s, ok := args[0].(*sequence)
	if !ok || len(args) > 1 {
		return nil, fmt.Errorf("expected one list, found %s", kindOf(args[0]))
	}
	return s, nil
}

// callInner returns its first argument. The others only describe it.
func callInner(m *pickleMachine, args []any) (any, error) {
	if len(args) == 0 {
		return nil, errors.New("expected an argument")
	}
	return args[0], nil
}

func callOpaque(what string) func(*pickleMachine, []any) (any, error) {
	return func(m *pickleMachine, _ []any) (any, error) {
		m.spent += 16
		return &opaque{what}, nil
	}
}

// callString makes a string from a string of another class.
func callString(m *pickleMachine, args []any) (any, error) {
	if len(args) == 1 {
		if s, ok := args[0].(string); ok {
			return s, nil
		}
	}
	return nil, errors.New("expected a string")
}

// callReconstructor makes an object of protocol 0 and 1. The first argument is its class.
func callReconstructor(m *pickleMachine, args []any) (any, error) {
	if len(args) == 3 {
		if class, ok := args[0].(*reference); ok && class.call != nil {
			return class.call(m, nil)
		} else if ok {
			return nil, class.refused("makes a")
		}
	}
	return nil, errors.New("expected a class")
}

// callEncode makes bytes, which protocol 2 writes as the string of the same code points.
func callEncode(m *pickleMachine, args []any) (any, error) {
	if len(args) == 2 && (args[1] == any("latin1") || args[1] == any("latin-1")) {
		if s, ok := args[0].(string); ok {
			b := make([]byte, 0, utf8.RuneCountInString(s))
			m.spent += 24 + cap(b)
			for _, r := range s {
				if r > 0xff {
					return nil, fmt.Errorf("character %U is not a byte", r)
				}
				b = append(b, byte(r))
			}
			return b, nil
		}
	}
	return nil, errors.New("expected a string and latin1")
}

// callPath joins the parts of a path, which is metadata only.
func callPath(m *pickleMachine, args []any) (any, error) {
	parts := make([]string, len(args))
	size := 16
	for i, a := range args {
		s, ok := a.(string)
		if !ok {
			return nil, fmt.Errorf("expected a string, found %s", kindOf(a))
		}
		parts[i] = s
		size += 17 + len(s)
		if size > maxPathShown {
			return nil, errors.New("the path is too long")
		}
	}
	m.spent += size
	return strings.TrimPrefix(strings.Join(parts, "/"), "/"), nil
}

// maxPathShown bounds the length of a path, because a pickle may name its parts again and again.
const maxPathShown = 1 << 16

// callDevice makes the name of a device, such as cuda:0.
func callDevice(m *pickleMachine, args []any) (any, error) {
	if len(args) == 0 || len(args) > 2 {
		return nil, fmt.Errorf("expected one or two arguments, found %d", len(args))
	}
	s, ok := args[0].(string)
	if !ok {
		return nil, fmt.Errorf("expected a string, found %s", kindOf(args[0]))
	}
	return s, nil
}

// A numpyType is a numpy.dtype of numbers.
type numpyType struct {
	code      string // such as f8
	bigEndian bool
}

func callNumpyType(m *pickleMachine, args []any) (any, error) {
	if len(args) > 0 {
		if code, ok := args[0].(string); ok {
			m.spent += 32
			return &numpyType{code: code}, nil
		}
	}
	return nil, errors.New("expected the code of a type")
}

// callNumpyScalar makes a plain number from one of numpy's.
func callNumpyScalar(m *pickleMachine, args []any) (any, error) {
	if len(args) != 2 {
		return nil, fmt.Errorf("expected a type and bytes, found %d arguments", len(args))
	}
	t, ok := args[0].(*numpyType)
	if !ok {
		return nil, fmt.Errorf("expected a numpy type, found %s", kindOf(args[0]))
	}
	b, ok := args[1].([]byte)
	if !ok || len(b) > 8 {
		return &opaque{"a numpy scalar"}, nil
	}
	m.spent += 8
	var bits uint64
	for i := range b {
		at := i
		if t.bigEndian {
			at = len(b) - 1 - i
		}
		bits |= uint64(b[at]) << (8 * i)
	}
	if len(t.code) == 2 && int(t.code[1]-'0') == len(b) && len(b) > 0 {
		shift := 64 - 8*len(b)
		switch t.code[0] {
		case 'b':
			return bits != 0, nil
		case 'i':
			return int64(bits<<shift) >> shift, nil
		case 'u':
			if bits <= math.MaxInt64 {
				return int64(bits), nil
			}
		case 'f':
			switch len(b) {
			case 2:
				return float64(fromF16(uint16(bits))), nil
			case 4:
				return float64(math.Float32frombits(uint32(bits))), nil
			case 8:
				return math.Float64frombits(bits), nil
			}
		}
	}
	return &opaque{"a numpy scalar"}, nil
}
