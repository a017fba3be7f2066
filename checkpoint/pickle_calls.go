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
	r, err := m.resolve(module, name)
	return m.pushOr(r, err)
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
	return m.resolve(string(module[:min(len(module), maxName)]), string(name[:min(len(name), maxName)]))
}

// oldModules maps modules that were renamed to their newer names.
var oldModules = strings.NewReplacer("__builtin__", "builtins", "copy_reg", "copyreg", "numpy._core.", "numpy.core.")

const (
	maxName      = 256 // the longest name that is looked up
	maxNameShown = 100 // the longest name in an error
)

// resolve returns the value for a name.
func (m *pickleMachine) resolve(module, name string) (any, error) {
	module, name = module[:min(len(module), maxName)], name[:min(len(name), maxName)]
	if t := torchStorageNamed(module, name); t.torchType != nil {
		return t, m.allowed.spend(8)
	}
	if t := torchTypeNamed(name); module == "torch" && t != nil {
		return t, nil
	}
	if r, ok := m.names[[2]string{module, name}]; ok {
		return r, m.allowed.spend(8) // for the steps
	}
	full := oldModules.Replace(module + "." + name)
	if err := m.allowed.spend(200 + 2*len(full)); err != nil {
		return nil, err
	}
	call, known := pickleCalls[full]
	r := &reference{name: full, call: call}
	if !known {
		r.name = printable(full[:min(len(full), maxNameShown)])
		if m.script && strings.HasPrefix(full, "__torch__.") {
			r.call = callObject
		}
	}
	if m.names == nil {
		m.names = map[[2]string]*reference{}
	}
	m.names[[2]string{module, name}] = r
	return r, nil
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

// call makes a value from a class or function and its arguments.
func (m *pickleMachine) call(op byte) error {
	var f, args, keywords any
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
			keywords = items[2]
		}
	case 'o': // mark, function, arguments
		items, err := m.toMark()
		if err != nil {
			return err
		}
		if len(items) == 0 {
			return errPickleStack
		}
		f = items[0]
		if args, err = m.sequence(items[1:]); err != nil {
			return err
		}
	case 'i': // mark, arguments; the name follows
		items, err := m.toMark()
		if err != nil {
			return err
		}
		if args, err = m.sequence(items); err != nil {
			return err
		}
		if f, err = m.named(); err != nil {
			return err
		}
	}
	a, ok := args.(*sequence)
	if !ok {
		return fmt.Errorf("call of %s: expected a tuple of arguments, found %s", kindOf(f), kindOf(args))
	}
	switch f := f.(type) {
	case *opaque: // a class that a function made
		v, err := m.opaque(f.what, []any{f, keywords})
		if err == nil {
			err = m.absorb(v, a.items...)
		}
		return m.pushOr(v, err)
	case *reference:
		v, err := m.made(f, a.items, keywords)
		if err != nil && err != errAllowance {
			err = fmt.Errorf("call of %s: %w", f.name, err)
		}
		return m.pushOr(v, err)
	}
	return fmt.Errorf("expected a function to call, found %s", kindOf(f))
}

// made returns the value that a call makes. keywords is nil without keyword arguments.
func (m *pickleMachine) made(f *reference, args []any, keywords any) (any, error) {
	if f.call != nil && keywords == nil {
		return f.call(m, args)
	}
	if makesTensor(f.name) {
		return callOddTensor("a tensor made by "+f.name)(m, args)
	}
	o, err := m.opaque("a value of "+f.name, args)
	if err != nil {
		return nil, err
	}
	o.array = o.array || strings.HasPrefix(f.name, "numpy.") && strings.Contains(f.name, "reconstruct")
	return o, m.absorb(o, keywords)
}

// makesTensor reports whether PyTorch makes tensors by a function or class that is unknown here. Some of them take
// their data from plain bytes.
func makesTensor(name string) bool {
	return strings.HasPrefix(name, "torch") &&
		(strings.Contains(name, "_rebuild") || strings.Contains(name, "Tensor") || strings.Contains(name, "_load_from"))
}

// opaque returns a value that stands for one made of the parts.
func (m *pickleMachine) opaque(what string, parts []any) (*opaque, error) {
	if err := m.allowed.spend(64 + len(what)); err != nil {
		return nil, err
	}
	o := &opaque{what: what}
	return o, m.absorb(o, parts...)
}

// absorb keeps those of the parts of an opaque value in which there may be tensors.
func (m *pickleMachine) absorb(o *opaque, parts ...any) error {
	if err := m.allowed.spend(len(parts)); err != nil {
		return err
	}
	for _, p := range parts {
		switch p := p.(type) {
		case *sequence:
			if len(p.items) == 0 && p == emptyTuple {
				continue
			}
		case *opaque:
			o.array = o.array || p.array
			if len(p.parts) == 0 {
				continue
			}
		case *dict, *torchTensor, *torchStorage:
		default:
			continue
		}
		var err error
		if o.parts, err = grown(m.allowed, o.parts, 1); err != nil {
			return err
		}
		o.parts = append(o.parts, p)
	}
	return nil
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
		more := []dictEntry{{"state", state}}
		if s, ok := state.(*dict); ok {
			more = s.entries
		}
		if v.entries, err = grown(m.allowed, v.entries, len(more)); err != nil {
			return err
		}
		v.entries = append(v.entries, more...)
		return nil
	case *numpyType:
		s, ok := state.(*sequence)
		if !ok || len(s.items) < 2 {
			return fmt.Errorf("state of a numpy type: expected a tuple, found %s", kindOf(state))
		}
		v.bigEndian = s.items[1] == any(">")
		return nil
	case *opaque:
		return m.absorb(v, state)
	case *torchTensor, *reference:
		return nil
	}
	return fmt.Errorf("expected an object to set the state of, found %s", kindOf(v))
}

// pickleCalls are the names whose calls have a meaning here, besides the types of storages and elements. The call of any
// other name makes an opaque value.
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
	"argparse.Namespace":                 callObject,
	"types.SimpleNamespace":              callObject,
	"copyreg._reconstructor":             callReconstructor,
	"_codecs.encode":                     callEncode,
	"pathlib.Path":                       callPath,
	"pathlib.PosixPath":                  callPath,
	"pathlib.PurePosixPath":              callPath,
	"pathlib.WindowsPath":                callPath,
	"pathlib._local.PosixPath":           callPath,
	"pathlib._local.PurePosixPath":       callPath,
	"pathlib._local.WindowsPath":         callPath,
	"pathlib._local.PureWindowsPath":     callPath,
	"pathlib.PureWindowsPath":            callPath,
	"numpy.dtype":                        callNumpyType,
	"numpy.core.multiarray.scalar":       callNumpyScalar,
	"numpy.core.numeric._frombuffer":     callArray,
	"numpy.core.multiarray._reconstruct": callArray,

	"torch.Size":                                   callSequence,
	"torch.device":                                 callDevice,
	"torch.torch_version.TorchVersion":             callString,
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

	"torch.jit._pickle.build_intlist":    callSequence,
	"torch.jit._pickle.build_doublelist": callSequence,
	"torch.jit._pickle.build_boollist":   callSequence,
	"torch.jit._pickle.build_tensorlist": callSequence,
	"torch.jit._pickle.restore_type_tag": callInner,
}

// callDict makes a dictionary: empty, from another, or from a list of pairs.
func callDict(m *pickleMachine, args []any) (any, error) {
	d, err := m.newDict(false)
	if len(args) == 0 || err != nil {
		return d, err
	}
	switch from := args[0].(type) {
	case *dict:
		if d.entries, err = grown(m.allowed, d.entries, len(from.entries)); err != nil {
			return nil, err
		}
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
	return d, nil
}

func callDefaultDict(m *pickleMachine, args []any) (any, error) { return m.newDict(false) }

func callObject(m *pickleMachine, args []any) (any, error) { return m.newDict(true) }

// callSequence makes a list, tuple or set from the items of another.
func callSequence(m *pickleMachine, args []any) (any, error) {
	if len(args) == 0 {
		return m.sequence(nil)
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
		return m.opaque(what, nil)
	}
}

// callArray makes a numpy array, whose numbers follow as its state.
func callArray(m *pickleMachine, _ []any) (any, error) {
	o, err := m.opaque("a numpy array", nil)
	if err == nil {
		o.array = true
	}
	return o, err
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
		switch class := args[0].(type) {
		case *reference:
			if class.call != nil {
				return class.call(m, nil)
			}
			return m.made(class, args[1:], nil)
		case *opaque:
			return m.opaque(class.what, args)
		}
	}
	return nil, errors.New("expected a class")
}

// callEncode makes bytes, which protocol 2 writes as the string of the same code points.
func callEncode(m *pickleMachine, args []any) (any, error) {
	if len(args) == 2 && (args[1] == any("latin1") || args[1] == any("latin-1")) {
		if s, ok := args[0].(string); ok {
			n := utf8.RuneCountInString(s)
			if err := m.allowed.spend(24 + n); err != nil {
				return nil, err
			}
			b := make([]byte, 0, n)
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
	if err := m.allowed.spend(size); err != nil {
		return nil, err
	}
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
			return &numpyType{code: code}, m.allowed.spend(32)
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
	b, ok2 := args[1].([]byte)
	if !ok || !ok2 || len(b) > 8 {
		return m.opaque("a numpy scalar", args)
	}
	if err := m.allowed.spend(8); err != nil {
		return nil, err
	}
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
	return m.opaque("a numpy scalar", nil)
}
