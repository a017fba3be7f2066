// Package component reads the components of a tokenizer.json, such as normalizers:
//
//	n, err := component.Parse(data, "normalizer", func(typ string) component.Reader[Normalizer] { return readers[typ] })
//
// A component is a JSON object with a type and the fields of that type. Every field must be read. A field that is left,
// or an unknown type, is an error that names it. [Object] reads other objects by the same rules:
//
//	f := component.Object(data)
//	stride := component.Required[int](f, "stride")
//	err := f.End()
package component

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/fovea-ml/fovea/internal/strictjson"
)

// maxDepth is the greatest depth of components in components. Each level is read again.
const maxDepth = 64

// A Reader makes a component of one type from its fields. It puts the first error into them. depth is for [List].
type Reader[C any] func(f *Fields, depth int) C

// Parse reads a component. name is the field that holds it, for errors. find returns the reader of a type, or nil. For
// null it returns the zero value.
func Parse[C any](data []byte, name string, find func(typ string) Reader[C]) (c C, err error) {
	if strictjson.Null(data) {
		return c, nil
	}
	if c, err = parse(data, 0, find); err != nil {
		return c, fmt.Errorf("%s: %w", name, err)
	}
	return c, nil
}

func parse[C any](data []byte, depth int, find func(typ string) Reader[C]) (c C, err error) {
	f := Object(data)
	typ := Required[string](f, "type")
	if f.Err != nil {
		return c, f.Err
	}
	read := find(typ)
	if read == nil {
		return c, fmt.Errorf("unsupported type %q", typ)
	}
	c = read(f, depth)
	if err := f.End(); err != nil {
		return c, fmt.Errorf("%s: %w", typ, err)
	}
	return c, nil
}

// Object reads the fields of a JSON object.
func Object(data []byte) *Fields {
	f := &Fields{values: map[string][]byte{}}
	f.Err = strictjson.Object(data, func(key string, value []byte) { f.values[key] = value })
	return f
}

// List reads a field that holds components of the same kind.
func List[C any](f *Fields, name string, depth int, find func(typ string) Reader[C]) (list []C) {
	if depth == maxDepth {
		f.Fail("%s: expected at most %d levels", name, maxDepth)
		return nil
	}
	for i, data := range Required[[]json.RawMessage](f, name) {
		c, err := parse(data, depth+1, find)
		if err != nil {
			f.Fail("%s[%d]: %w", name, i, err)
			return nil
		}
		list = append(list, c)
	}
	return list
}

// Fields are the fields of an object that were not read yet, and the first error.
type Fields struct {
	values map[string][]byte
	Err    error
}

// Fail keeps an error, unless there is one.
func (f *Fields) Fail(format string, args ...any) {
	if f.Err == nil {
		f.Err = fmt.Errorf(format, args...)
	}
}

// Has reports whether there is a field that was not read yet.
func (f *Fields) Has(name string) bool { return f.values[name] != nil }

// Raw reads the JSON of a field that must be there.
func (f *Fields) Raw(name string) []byte {
	value, ok := f.values[name]
	if !ok {
		f.Fail("%s: expected a value, found no such field", name)
	}
	delete(f.values, name)
	return value
}

// Each reads all fields that are left, in the order of their names.
func (f *Fields) Each(read func(name string, value []byte)) {
	for _, name := range slices.Sorted(maps.Keys(f.values)) {
		read(name, f.values[name])
	}
	clear(f.values)
}

// Skip leaves fields out that change nothing.
func (f *Fields) Skip(names ...string) {
	for _, name := range names {
		delete(f.values, name)
	}
}

// End returns the first error. A field that was not read is one.
func (f *Fields) End() error {
	if f.Err == nil && len(f.values) > 0 {
		f.Fail("%s: unsupported field", slices.Sorted(maps.Keys(f.values))[0])
	}
	return f.Err
}

// Required reads a field that must be there.
func Required[T any](f *Fields, name string) T {
	var v T
	if value := f.Raw(name); f.Err == nil {
		f.decode(name, value, &v)
	}
	return v
}

// Optional reads a field. An absent one has the value v.
func Optional[T any](f *Fields, name string, v T) T {
	value, ok := f.values[name]
	if !ok || f.Err != nil {
		return v
	}
	delete(f.values, name)
	f.decode(name, value, &v)
	return v
}

func (f *Fields) decode(name string, value []byte, target any) {
	if err := strictjson.Decode(value, target); err != nil {
		f.Fail("%s: %w", name, err)
	}
}

// Choice returns the value of a field that names one of some choices.
func Choice[T any](f *Fields, name, value string, choices map[string]T) T {
	v, ok := choices[value]
	if !ok {
		f.Fail("%s: unsupported value %q", name, value)
	}
	return v
}

// Pattern reads the field "pattern", which has either a text under "String" or a regular expression under "Regex".
func Pattern(f *Fields) (pattern string, regex bool) {
	object := Required[map[string]string](f, "pattern")
	pattern, regex = object["Regex"]
	text, isText := object["String"]
	if len(object) != 1 || !regex && !isText {
		f.Fail(`pattern: expected one of "String" and "Regex"`)
	}
	return pattern + text, regex
}
