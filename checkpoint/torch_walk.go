package checkpoint

import (
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A file of torch.save may be a dictionary of tensors, or hold one under some key, beside the state of an optimizer
// and numbers of the training. The name of a tensor consists of the keys that lead to it, joined by dots.

// wrappers are the keys under which files keep the weights of a model. The first that is present counts. Averaged weights
// come first, as in load_state_dict of timm/models/_helpers.py.
var wrappers = [...]string{"state_dict_ema", "model_ema", "ema",
	"state_dict", "model_state_dict", "model_state", "model", "module", "net", "network", "weights", "params"}

// torchContents are the weights in a value of a pickle.
type torchContents struct {
	tensors  []Tensor
	metadata map[string]string
	root     []string   // the keys that lead to the weights
	roots    [][]string // everywhere where weights may be, root included; nil without a root
	arrays   bool       // of NumPy
}

// torchWalk turns a value of a pickle into tensors and metadata.
type torchWalk struct {
	file string
	torchContents
	allowed *allowance
}

// torchTensors returns the tensors and the metadata in the value, under root or where the weights are found.
func torchTensors(file string, value any, root []string, allowed *allowance) (*torchContents, error) {
	w := &torchWalk{file: file, allowed: allowed}
	w.metadata = map[string]string{}
	inner, err := w.find(value, root)
	if err != nil {
		return nil, err
	}
	switch inner := inner.(type) {
	case *dict, *sequence, *torchTensor:
	case *opaque:
		return nil, formatErrorf(file, "", "expected a dictionary of tensors, found %s, which only Python can make: "+
			"save the state_dict() of the model instead", inner.what)
	default:
		return nil, formatErrorf(file, "", "expected a dictionary of tensors, found %s", kindOf(inner))
	}
	// Metadata beside the weights comes from the outside in, so that the values nearest to the weights stay.
	beside := value
	for _, key := range w.root {
		d, ok := beside.(*dict)
		if !ok {
			break
		}
		for _, e := range d.entries {
			k, ok := keyText(e.key)
			if !ok || k == key {
				continue
			}
			holds, err := w.holdsTensor(e.value)
			if err == nil && !holds {
				err = w.describe(k, e.value, 0)
			}
			if err != nil {
				return nil, err
			}
		}
		beside, _ = d.get(key)
	}
	if err := w.visit("", inner, 0); err != nil {
		return nil, err
	}
	if len(w.root) > 0 {
		w.listRoots(value)
	}
	if err := sortByName(file, w.tensors); err != nil {
		return nil, err
	}
	return &w.torchContents, nil
}

// find follows the given keys, or else the wrappers, to the value that holds the weights. It sets root.
func (w *torchWalk) find(v any, given []string) (inner any, err error) {
	for _, key := range given {
		d, ok := v.(*dict)
		if !ok {
			return nil, formatErrorf(w.file, "", "expected a dictionary with the key %q of the wanted root, found %s", key, kindOf(v))
		}
		if v, ok = d.get(key); !ok {
			return nil, formatErrorf(w.file, "", "expected the key %q of the wanted root, found %s", key, d.keys())
		}
	}
	if len(given) > 0 {
		w.root = slices.Clone(given)
		if _, ok := v.(*dict); !ok {
			return nil, formatErrorf(w.file, "", "expected a dictionary under the wanted root %q, found %s", given, kindOf(v))
		}
		return v, nil
	}
	for len(w.root) < maxDepth {
		key, below, err := w.wrapped(v)
		if err != nil || below == nil {
			return v, err
		}
		v, w.root = below, append(w.root, key)
	}
	return nil, formatErrorf(w.file, "", "nested more than %d deep", maxDepth)
}

// wrapped returns the dictionary of weights that a value holds under a wrapper, nil when there is none.
func (w *torchWalk) wrapped(v any) (key string, below *dict, err error) {
	d, ok := v.(*dict)
	if !ok || d.attributes {
		return "", nil, nil
	}
	if err := w.spend(len(d.entries)); err != nil { // the steps
		return "", nil, err
	}
	var found [len(wrappers)]*dict
	for _, e := range d.entries {
		if k, ok := e.key.(string); ok {
			if i := slices.Index(wrappers[:], k); i >= 0 {
				found[i], _ = e.value.(*dict)
			}
		}
	}
	for i, below := range found {
		if below == nil {
			continue
		}
		if holds, err := w.holdsTensor(below); holds || err != nil {
			return wrappers[i], below, err
		}
	}
	return "", nil, nil
}

// Lists of roots are for people and bounded: files have one or two.
const maxRoots = 32

// listRoots collects the places in a value where weights may be: on the way to the root, each dictionary beside it
// that, below its own wrappers, has a tensor among its first entries. The optimizer's state lies deeper.
func (w *torchWalk) listRoots(v any) {
	for at, taken := range w.root {
		d, ok := v.(*dict)
		if !ok {
			return
		}
		for _, e := range d.entries {
			key, ok := keyText(e.key)
			if !ok || len(w.roots) == maxRoots {
				continue
			}
			if key == taken {
				if at == len(w.root)-1 {
					w.roots = append(w.roots, w.root)
				}
				continue
			}
			root := append(slices.Clone(w.root[:at]), key)
			inner := e.value
			for range 4 {
				key, below, err := w.wrapped(inner)
				if err != nil {
					return
				}
				if below == nil {
					break
				}
				root, inner = append(root, key), below
			}
			below, ok := inner.(*dict)
			if ok && slices.ContainsFunc(below.entries[:min(len(below.entries), 64)], func(e dictEntry) bool { return isTensor(e.value) }) {
				w.roots = append(w.roots, root)
			}
		}
		v, _ = d.get(taken)
	}
}

func isTensor(v any) bool {
	_, ok := v.(*torchTensor)
	return ok
}

// keys lists the first keys of a dictionary, for an error.
func (d *dict) keys() string {
	var keys []string
	for _, e := range d.entries {
		if k, ok := keyText(e.key); ok && len(keys) < 20 {
			keys = append(keys, strconv.Quote(strings.ToValidUTF8(k[:min(len(k), maxName)], "?")))
		}
	}
	if len(keys) < len(d.entries) {
		keys = append(keys, "…")
	}
	if len(keys) == 0 {
		return "no keys"
	}
	return strings.Join(keys, ", ")
}

// keyText returns a key in the form it has in a name.
func keyText(key any) (string, bool) {
	switch k := key.(type) {
	case string:
		return k, true
	case int64:
		return strconv.FormatInt(k, 10), true
	}
	return "", false
}

// A held says whether a tensor is in a container.
type held uint8

const (
	heldUnknown held = iota
	heldNone         // or not known yet, while the container is searched
	heldTensor
)

// heldBy returns the place of a container's answer, nil for any other value.
func heldBy(v any) *held {
	switch v := v.(type) {
	case *dict:
		return &v.holds
	case *sequence:
		return &v.holds
	case *opaque:
		return &v.holds
	}
	return nil
}

// part returns a value in a container.
func part(v any, i int) (inner any, ok bool) {
	switch v := v.(type) {
	case *dict:
		if i < len(v.entries) {
			return v.entries[i].value, true
		}
	case *sequence:
		if i < len(v.items) {
			return v.items[i], true
		}
	case *opaque:
		if i < len(v.parts) {
			return v.parts[i], true
		}
	}
	return nil, false
}

// holdsTensor reports whether a tensor, or the data of one, is in v. It searches each container once, however often it
// is reached.
func (w *torchWalk) holdsTensor(v any) (bool, error) {
	answer := heldBy(v)
	if answer == nil {
		return isData(v), nil
	}
	type frame struct {
		v    any
		next int
	}
	var path []frame
	if *answer == heldUnknown {
		*answer, path = heldNone, []frame{{v: v}}
	}
	for len(path) > 0 {
		f := &path[len(path)-1]
		inner, ok := part(f.v, f.next)
		if !ok {
			path = path[:len(path)-1]
			continue
		}
		f.next++
		holds := heldBy(inner)
		found := holds == nil && isData(inner) || holds != nil && *holds == heldTensor
		if holds != nil && *holds == heldUnknown { // else it was searched, or is on the path and holds itself
			*holds = heldNone
			var err error
			if path, err = grown(w.allowed, path, 1); err != nil {
				return false, formatErrorf(w.file, "", "%w", err)
			}
			path = append(path, frame{v: inner})
		}
		for i := len(path) - 1; found && i >= 0 && *heldBy(path[i].v) != heldTensor; i-- {
			*heldBy(path[i].v) = heldTensor
		}
	}
	return *answer == heldTensor, nil
}

// isData reports whether v is a tensor or its data.
func isData(v any) bool {
	switch v.(type) {
	case *torchTensor, *torchStorage:
		return true
	}
	return false
}

// spend counts the memory of a name or text, or steps.
func (w *torchWalk) spend(n int) error {
	if err := w.allowed.spend(n); err != nil {
		return formatErrorf(w.file, "", "%w", err)
	}
	return nil
}

// visit collects, under name, the tensors in v, and the plain values as metadata.
func (w *torchWalk) visit(name string, v any, depth int) error {
	if depth > maxDepth {
		return formatErrorf(w.file, w.shown(name), "nested more than %d deep", maxDepth)
	}
	switch v := v.(type) {
	case *torchTensor:
		if name == "" {
			name = "tensor"
		}
		if !utf8.ValidString(name) {
			return formatErrorf(w.file, w.shown(name), "name is not valid UTF-8")
		}
		if err := w.spend(32 + 16*len(v.shapeItems())); err != nil {
			return err
		}
		t, err := v.tensor(name)
		if err != nil {
			return formatErrorf(w.file, w.shown(name), "%w", err)
		}
		if t.src.strided != nil {
			if err := w.spend(256); err != nil {
				return err
			}
		}
		if w.tensors, err = grown(w.allowed, w.tensors, 1); err != nil {
			return formatErrorf(w.file, "", "%w", err)
		}
		w.tensors = append(w.tensors, t)
	case *dict:
		if err := w.spend(len(v.entries)); err != nil { // the steps
			return err
		}
		for _, e := range v.entries {
			key, ok := keyText(e.key)
			internal := v.attributes && (key == "training" || strings.HasPrefix(key, "_")) // of TorchScript modules
			if !ok || internal {
				holds, err := w.holdsTensor(e.value)
				if err != nil {
					return err
				}
				if !holds {
					continue
				}
			}
			if !ok {
				return formatErrorf(w.file, w.shown(name), "expected strings or integers as keys of tensors, found %s", kindOf(e.key))
			}
			if err := w.child(name, key, e.value, depth); err != nil {
				return err
			}
		}
	case *sequence:
		if holds, err := w.holdsTensor(v); err != nil || !holds {
			return err
		}
		for i, item := range v.items {
			if err := w.child(name, strconv.Itoa(i), item, depth); err != nil {
				return err
			}
		}
	case *opaque:
		holds, err := w.holdsTensor(v)
		if err != nil || !holds && !v.array {
			return err // a plain value of Python, such as a date
		}
		return formatErrorf(w.file, w.shown(name), "expected a tensor, found %s, which only Python can make", v.what)
	case *torchStorage:
		return formatErrorf(w.file, w.shown(name), "expected a tensor, found a storage without one")
	default:
		return w.describe(name, v, depth)
	}
	return nil
}

func (w *torchWalk) child(name, key string, v any, depth int) error {
	if name != "" {
		key = name + "." + key
	}
	if err := w.spend(16 + len(key)); err != nil {
		return err
	}
	return w.visit(key, v, depth+1)
}

// shown is a name, shortened for an error.
func (w *torchWalk) shown(name string) string {
	return strings.ToValidUTF8(name[:min(len(name), maxName)], "?")
}

// describe adds a plain value to the metadata, and the values in a dictionary or object under names joined by dots. It
// leaves out lists, and everything else that is neither text nor number.
func (w *torchWalk) describe(name string, v any, depth int) error {
	var text string
	switch v := v.(type) {
	case string:
		text = v
	case bool:
		text = strconv.FormatBool(v)
	case int64:
		text = strconv.FormatInt(v, 10)
	case float64:
		text = strconv.FormatFloat(v, 'g', -1, 64)
	case *dict:
		if depth == maxDepth {
			return nil
		}
		if err := w.spend(len(v.entries)); err != nil { // the steps
			return err
		}
		for _, e := range v.entries {
			key, ok := keyText(e.key)
			if !ok {
				continue
			}
			key = name + "." + key
			if err := w.spend(32 + len(key)); err != nil {
				return err
			}
			if err := w.describe(key, e.value, depth+1); err != nil {
				return err
			}
		}
		return nil
	default:
		return nil
	}
	if err := w.spend(96 + len(name) + len(text)); err != nil {
		return err
	}
	if utf8.ValidString(name) && utf8.ValidString(text) {
		w.metadata[name] = text
	}
	return nil
}

// shapeItems returns the sizes of a tensor as the pickle gives them.
func (t *torchTensor) shapeItems() []any {
	if t.shape == nil {
		return nil
	}
	return t.shape.items
}
