package checkpoint

import (
	"errors"
	"fmt"
	"math"
	"strings"
)

// PyTorch pickles a tensor as its place in a storage: where it starts, its shape and its strides, in elements. The
// storage is a run of bytes that tensors may share. It lies outside the pickle, which names it by a key. Reference:
// torch/_utils.py and torch/serialization.py of PyTorch.

// A torchType is an element type. Its size is known even where this package cannot read it.
type torchType struct {
	name  string
	dtype DType
	size  int
}

// torchTypes are the types with the names of their storages. Newer types have none: their storages are of bytes.
var torchTypes = [...]struct {
	torchType
	storage string
}{
	{torchType{"bool", Bool, 1}, "BoolStorage"},
	{torchType{"uint8", U8, 1}, "ByteStorage"},
	{torchType{"int8", I8, 1}, "CharStorage"},
	{torchType{"int16", I16, 2}, "ShortStorage"},
	{torchType{"int32", I32, 4}, "IntStorage"},
	{torchType{"int64", I64, 8}, "LongStorage"},
	{torchType{"float16", F16, 2}, "HalfStorage"},
	{torchType{"bfloat16", BF16, 2}, "BFloat16Storage"},
	{torchType{"float32", F32, 4}, "FloatStorage"},
	{torchType{"float64", F64, 8}, "DoubleStorage"},
	{torchType{"complex64", C64, 8}, "ComplexFloatStorage"},
	{torchType{"complex128", Invalid, 16}, "ComplexDoubleStorage"},
	{torchType{"qint8", Invalid, 1}, "QInt8Storage"},
	{torchType{"quint8", Invalid, 1}, "QUInt8Storage"},
	{torchType{"qint32", Invalid, 4}, "QInt32Storage"},
	{torchType{"quint4x2", Invalid, 1}, "QUInt4x2Storage"},
	{torchType{"quint2x4", Invalid, 1}, "QUInt2x4Storage"},
	{torchType{"uint16", U16, 2}, ""},
	{torchType{"uint32", U32, 4}, ""},
	{torchType{"uint64", U64, 8}, ""},
	{torchType{"float8_e4m3fn", F8E4M3, 1}, ""},
	{torchType{"float8_e5m2", F8E5M2, 1}, ""},
	{torchType{"float8_e8m0fnu", F8E8M0, 1}, ""},
	{torchType{"float8_e4m3fnuz", Invalid, 1}, ""},
	{torchType{"float8_e5m2fnuz", Invalid, 1}, ""},
	{torchType{"complex32", Invalid, 4}, ""},
}

// torchTypeNamed returns the element type that a pickle calls torch.name, or nil.
func torchTypeNamed(name string) *torchType {
	for i := range torchTypes {
		if torchTypes[i].name == name {
			return &torchTypes[i].torchType
		}
	}
	return nil
}

// torchStorageType is the class of a storage in a pickle.
type torchStorageType struct{ *torchType }

var torchUntyped = torchStorageType{&torchType{"untyped", Invalid, 1}}

// torchStorageNamed returns the class of a storage, with a nil type when the name is not one of a storage.
func torchStorageNamed(module, name string) torchStorageType {
	if module == "torch.storage" && (name == "UntypedStorage" || name == "_UntypedStorage") {
		return torchUntyped
	}
	if (module == "torch" || module == "torch.cuda") && strings.HasSuffix(name, "Storage") {
		for i := range torchTypes {
			if torchTypes[i].storage == name {
				return torchStorageType{&torchTypes[i].torchType}
			}
		}
	}
	return torchStorageType{}
}

// A torchStorage is a run of elements in a file.
type torchStorage struct {
	key   string
	typ   torchStorageType
	count int64 // elements, according to the pickle

	src        *source
	begin, end int
	err        error        // why the data is missing
	fetch      func() error // gets the data on first use; nil when it is present
}

// A torchStorageSet holds the storages that a pickle names, by key and in order.
type torchStorageSet struct {
	allowed *allowance
	byKey   map[string]*torchStorage
	order   []*torchStorage
}

var errNoStorage = errors.New("its storage is not in the file")

// named returns the storage that a pickle identifies as
// ("storage", type, key, location, number of elements).
func (s *torchStorageSet) named(id []any) (any, error) {
	if len(id) > 1 && id[0] == any("module") {
		return id[1], nil // the class of a module, with its source
	}
	if len(id) < 5 || id[0] != any("storage") {
		return nil, errors.New(`the identity of a storage does not start with "storage", or is short`)
	}
	typ, ok := id[1].(torchStorageType)
	key, ok2 := id[2].(string)
	count, ok3 := id[4].(int64)
	if !ok || !ok2 || !ok3 {
		return nil, fmt.Errorf("expected type, key and length of a storage, found %s, %s and %s", kindOf(id[1]), kindOf(id[2]), kindOf(id[4]))
	}
	if len(id) > 5 && id[5] != nil {
		return nil, fmt.Errorf("storage %q is a view of another, as PyTorch before 0.4 wrote them", key)
	}
	if count < 0 || count > math.MaxInt64/int64(typ.size) {
		return nil, fmt.Errorf("storage %q has %d elements", key, count)
	}
	if old, ok := s.byKey[key]; ok {
		if old.typ != typ || old.count != count {
			return nil, fmt.Errorf("storage %q is %d of %s, and %d of %s", key, old.count, old.typ.name, count, typ.name)
		}
		return old, nil
	}
	if s.byKey == nil {
		s.byKey = map[string]*torchStorage{}
	}
	if err := s.allowed.spend(160); err != nil {
		return nil, err
	}
	st := &torchStorage{key: key, typ: typ, count: count, err: errNoStorage}
	s.byKey[key] = st
	s.order = append(s.order, st)
	return st, nil
}

// bytes returns the length of the data.
func (s *torchStorage) bytes() int64 { return s.count * int64(s.typ.size) }

// A torchTensor is a tensor as the pickle describes it. It is checked when it is used.
type torchTensor struct {
	storage        *torchStorage
	typ            *torchType
	offset         int64
	shape, strides *sequence
	odd            string // the kind, if it is one that cannot be read
}

// callRebuildTensor takes storage, offset, shape and strides. requires_grad and hooks follow and are ignored. The seventh
// argument may say that the numbers are conjugated or negated as they are read.
func callRebuildTensor(m *pickleMachine, args []any) (any, error) {
	if len(args) < 4 {
		return nil, fmt.Errorf("expected storage, offset, shape and strides, found %d arguments", len(args))
	}
	storage, ok := args[0].(*torchStorage)
	offset, ok2 := args[1].(int64)
	shape, ok3 := args[2].(*sequence)
	strides, ok4 := args[3].(*sequence)
	if !ok || !ok2 || !ok3 || !ok4 {
		return nil, fmt.Errorf("expected storage, offset, shape and strides, found %s, %s, %s and %s",
			kindOf(args[0]), kindOf(args[1]), kindOf(args[2]), kindOf(args[3]))
	}
	t := &torchTensor{storage: storage, typ: storage.typ.torchType, offset: offset, shape: shape, strides: strides}
	if len(args) > 6 {
		if flags, ok := args[6].(*dict); ok {
			if err := m.allowed.spend(2 * len(flags.entries)); err != nil { // the steps of two searches
				return nil, err
			}
			for _, flag := range []string{"conj", "neg"} {
				if v, _ := flags.get(flag); v == any(true) {
					t.odd = "a tensor that is conjugated or negated as it is read"
				}
			}
		}
	}
	return t, m.allowed.spend(64)
}

// callRebuildTensor3 takes the element type as its seventh argument, because the storage is of bytes.
func callRebuildTensor3(m *pickleMachine, args []any) (any, error) {
	if len(args) < 7 || len(args) > 16 {
		return nil, fmt.Errorf("expected seven arguments, found %d", len(args))
	}
	typ, ok := args[6].(*torchType)
	if !ok {
		return nil, fmt.Errorf("expected the type of the elements, found %s", kindOf(args[6]))
	}
	rest := append(append([]any(nil), args[:6]...), args[7:]...)
	v, err := callRebuildTensor(m, rest)
	if t, ok := v.(*torchTensor); ok {
		t.typ = typ
	}
	return v, err
}

// callRebuildFromType calls its first argument with the third; the second is the class of the result. It only calls
// functions that make tensors, so that calls cannot nest. The result of any other is a tensor that cannot be read.
func callRebuildFromType(m *pickleMachine, args []any) (any, error) {
	if len(args) < 3 {
		return nil, fmt.Errorf("expected a function, a class and arguments, found %d", len(args))
	}
	f, ok := args[0].(*reference)
	inner, ok2 := args[2].(*sequence)
	if !ok || !ok2 {
		return callOddTensor("a tensor made by "+kindOf(args[0]))(m, nil)
	}
	switch f.name {
	case "torch._utils._rebuild_tensor", "torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_tensor_v3":
		return f.call(m, inner.items)
	}
	return callOddTensor("a tensor made by "+f.name)(m, nil)
}

// callOddTensor makes a tensor of a kind that cannot be read.
func callOddTensor(what string) func(*pickleMachine, []any) (any, error) {
	return func(m *pickleMachine, _ []any) (any, error) {
		return &torchTensor{odd: what}, m.allowed.spend(96 + len(what))
	}
}

// expandRoom is the size up to which a tensor whose elements share memory may exceed its file.
const expandRoom = 1 << 20

// tensor checks everything that the pickle says about the tensor, and returns it in place.
func (t *torchTensor) tensor(name string) (Tensor, error) {
	if t.odd != "" {
		return Tensor{}, fmt.Errorf("is %s, which cannot be read: save it as an ordinary, dense one", t.odd)
	}
	s := t.storage
	if s.fetch != nil {
		s.err, s.fetch = s.fetch(), nil
	}
	if s.err != nil {
		return Tensor{}, fmt.Errorf("%w (storage %q)", s.err, s.key)
	}
	if t.typ.dtype == Invalid {
		return Tensor{}, fmt.Errorf("is of type torch.%s, which cannot be read", t.typ.name)
	}
	if s.typ != torchUntyped && s.typ.torchType != t.typ {
		return Tensor{}, fmt.Errorf("is of type torch.%s in a storage of torch.%s", t.typ.name, s.typ.name)
	}
	shape, err := t.sizes(t.shape)
	if err != nil {
		return Tensor{}, fmt.Errorf("shape: %w", err)
	}
	strides, err := t.sizes(t.strides)
	if err != nil {
		return Tensor{}, fmt.Errorf("strides: %w", err)
	}
	if len(shape) != len(strides) {
		return Tensor{}, fmt.Errorf("has %d dimensions and %d strides", len(shape), len(strides))
	}
	size := t.typ.size
	count, dense, empty := 1, true, false
	for i := len(shape) - 1; i >= 0; i-- {
		d := shape[i]
		if d == 0 {
			empty = true
			continue
		}
		dense = dense && (d == 1 || strides[i] == count)
		if count > math.MaxInt/size/d {
			return Tensor{}, fmt.Errorf("shape %v overflows", shape)
		}
		count *= d
	}
	// No stride is negative, so that the last element lies farthest.
	room := (s.end - s.begin) / size
	if t.offset < 0 || t.offset > int64(room) {
		return Tensor{}, fmt.Errorf("expected to start within the %d elements of storage %q, found offset %d", room, s.key, t.offset)
	}
	begin := s.begin + int(t.offset)*size
	if empty {
		return Tensor{Name: name, DType: t.typ.dtype, Shape: shape, src: s.src, begin: begin, end: begin}, nil
	}
	last := int(t.offset)
	for i, d := range shape {
		if d == 1 || strides[i] == 0 {
			continue
		}
		if d-1 > (room-1-last)/strides[i] {
			last = room
			break
		}
		last += (d - 1) * strides[i]
	}
	if last >= room {
		return Tensor{}, fmt.Errorf("shape %v with strides %v from element %d goes past the %d elements of storage %q",
			shape, strides, t.offset, room, s.key)
	}
	if dense {
		return Tensor{Name: name, DType: t.typ.dtype, Shape: shape, src: s.src, begin: begin, end: begin + count*size}, nil
	}
	// Elements may share memory: a few bytes can hold a large tensor, but none larger than the file.
	if allowed := max(len(s.src.data), expandRoom); count > room && count*size > allowed {
		return Tensor{}, fmt.Errorf("shape %v takes %d bytes out of the %d of storage %q: more than the file has",
			shape, count*size, room*size, s.key)
	}
	src := &source{name: s.src.name, strided: &strided{base: s.src, begin: begin, size: size, shape: shape, strides: strides}}
	return Tensor{Name: name, DType: t.typ.dtype, Shape: shape, src: src, end: count * size}, nil
}

// sizes returns a shape or strides as integers.
func (t *torchTensor) sizes(s *sequence) ([]int, error) {
	if len(s.items) > maxRank {
		return nil, fmt.Errorf("more than %d dimensions", maxRank)
	}
	sizes := make([]int, len(s.items))
	for i, v := range s.items {
		n, ok := v.(int64)
		if !ok {
			return nil, fmt.Errorf("expected integers, found %s", kindOf(v))
		}
		if n < 0 || n > math.MaxInt {
			return nil, fmt.Errorf("expected non-negative sizes, found %d", n)
		}
		sizes[i] = int(n)
	}
	return sizes, nil
}
