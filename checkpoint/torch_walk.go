package checkpoint

import (
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A file of torch.save may be a dictionary of tensors, or hold one under some key, beside the state of an optimizer
// and numbers of the training. The name of a tensor consists of the keys that lead to it, joined by dots.

// wrappers are the keys under which files keep the weights of a model. The first that is present counts.
var wrappers = []string{"state_dict", "model_state_dict", "model_state", "model", "module", "net", "network", "weights", "params"}

// torchWalk turns a value of a pickle into tensors and metadata.
type torchWalk struct {
	file     string
	tensors  []Tensor
	metadata map[string]string
	holds    map[any]bool // by container: whether a tensor is in it
	left     int          // bytes left for names and texts
}

// torchTensors returns the tensors and the metadata in the value, under root or where the weights are found.
func torchTensors(file string, value any, root []string, size int) ([]Tensor, map[string]string, error) {
	// All names together cannot be much longer than their file, unless it is made to be walked without end.
	w := &torchWalk{file: file, metadata: map[string]string{}, holds: map[any]bool{}, left: 1<<20 + 8*size}
	inner, path, err := w.root(value, root)
	if err != nil {
		return nil, nil, err
	}
	switch inner.(type) {
	case *dict, *sequence, *torchTensor:
	default:
		return nil, nil, formatErrorf(file, "", "expected a dictionary of tensors, found %s", kindOf(inner))
	}
	// Metadata beside the weights comes from the outside in, so that the values nearest to the weights stay.
	beside := value
	for _, key := range path {
		d, ok := beside.(*dict)
		if !ok {
			break
		}
		for _, e := range d.entries {
			if k, ok := keyText(e.key); ok && k != key && !w.holdsTensor(e.value, 0) {
				if err := w.describe(k, e.value, 0); err != nil {
					return nil, nil, err
				}
			}
		}
		beside, _ = d.get(key)
	}
	if err := w.visit("", inner, 0); err != nil {
		return nil, nil, err
	}
	if err := sortByName(file, w.tensors); err != nil {
		return nil, nil, err
	}
	return w.tensors, w.metadata, nil
}

// root follows the given keys, or else the wrappers, to the value that holds the weights.
func (w *torchWalk) root(v any, given []string) (inner any, path []string, err error) {
	for _, key := range given {
		d, ok := v.(*dict)
		if !ok {
			return nil, nil, formatErrorf(w.file, "", "expected a dictionary with the key %q of the wanted root, found %s", key, kindOf(v))
		}
		if v, ok = d.get(key); !ok {
			return nil, nil, formatErrorf(w.file, "", "expected the key %q of the wanted root, found %s", key, d.keys())
		}
	}
	if len(given) > 0 {
		if _, ok := v.(*dict); !ok {
			return nil, nil, formatErrorf(w.file, "", "expected a dictionary under the wanted root %q, found %s", given, kindOf(v))
		}
		return v, given, nil
	}
	for len(path) < maxDepth {
		d, ok := v.(*dict)
		if !ok || d.attributes {
			return v, path, nil
		}
		found := false
		for _, key := range wrappers {
			if inner, ok := d.get(key); ok {
				if below, ok := inner.(*dict); ok && w.holdsTensor(below, 0) {
					v, path, found = below, append(path, key), true
					break
				}
			}
		}
		if !found {
			return v, path, nil
		}
	}
	return nil, nil, formatErrorf(w.file, "", "nested more than %d deep", maxDepth)
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

// holdsTensor reports whether a tensor is in v. It visits each container once, however often it is reached.
func (w *torchWalk) holdsTensor(v any, depth int) bool {
	if _, ok := v.(*torchTensor); ok {
		return true
	}
	switch v.(type) {
	case *dict, *sequence:
	default:
		return false
	}
	if known, ok := w.holds[v]; ok {
		return known
	}
	if depth > maxDepth {
		return w.reachesTensor(v)
	}
	w.holds[v] = false // for a container that holds itself
	found := false
	switch v := v.(type) {
	case *dict:
		found = slices.ContainsFunc(v.entries, func(e dictEntry) bool { return w.holdsTensor(e.value, depth+1) })
	case *sequence:
		found = slices.ContainsFunc(v.items, func(item any) bool { return w.holdsTensor(item, depth+1) })
	}
	w.holds[v] = found
	return found
}

// reachesTensor is holdsTensor without recursion, for containers nested too deeply to be visited: a tensor there must
// lead to an error and not be left out silently.
func (w *torchWalk) reachesTensor(v any) bool {
	seen := map[any]bool{v: true}
	found := false
	for next := []any{v}; len(next) > 0 && !found; {
		v := next[len(next)-1]
		next = next[:len(next)-1]
		look := func(inner any) {
			switch inner.(type) {
			case *torchTensor:
				found = true
			case *dict, *sequence:
				known, ok := w.holds[inner]
				if found = found || known; !ok && !seen[inner] {
					seen[inner] = true
					next = append(next, inner)
				}
			}
		}
		switch v := v.(type) {
		case *dict:
			for _, e := range v.entries {
				look(e.value)
			}
		case *sequence:
			for _, item := range v.items {
				look(item)
			}
		}
	}
	if found {
		w.holds[v] = true
		return true
	}
	for v := range seen {
		w.holds[v] = false
	}
	return false
}

// spend counts the memory of a name or text.
func (w *torchWalk) spend(n int) error {
	if w.left -= n + 32; w.left < 0 {
		return formatErrorf(w.file, "", "names take more memory than the file's length allows")
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
		if err := w.spend(100 + 16*len(v.shapeItems())); err != nil {
			return err
		}
		t, err := v.tensor(name)
		if err != nil {
			return formatErrorf(w.file, w.shown(name), "%w", err)
		}
		w.tensors = append(w.tensors, t)
	case *dict:
		for _, e := range v.entries {
			key, ok := keyText(e.key)
			if !ok {
				return formatErrorf(w.file, w.shown(name), "expected strings or integers as keys, found %s", kindOf(e.key))
			}
			if v.attributes && (key == "training" || strings.HasPrefix(key, "_")) && !w.holdsTensor(e.value, depth) {
				continue // internal attributes of TorchScript modules
			}
			if err := w.child(name, key, e.value, depth); err != nil {
				return err
			}
		}
	case *sequence:
		if !w.holdsTensor(v, depth) {
			return nil
		}
		for i, item := range v.items {
			if err := w.child(name, strconv.Itoa(i), item, depth); err != nil {
				return err
			}
		}
	case *opaque:
		return formatErrorf(w.file, w.shown(name), "expected a tensor, found %s", v.what)
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
	if err := w.spend(len(key)); err != nil {
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
		for _, e := range v.entries {
			key, ok := keyText(e.key)
			if !ok {
				continue
			}
			key = name + "." + key
			if err := w.spend(len(key)); err != nil {
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
	if err := w.spend(len(name) + len(text)); err != nil {
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
