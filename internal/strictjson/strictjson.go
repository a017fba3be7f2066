// Package strictjson reads JSON configurations by the rules of the Python libraries that write them:
//
//	var c struct {
//		Size  int      `json:"size"`
//		Share *float32 `json:"share"`
//	}
//	err := strictjson.Decode(data, &c)
//
// The rules differ from those of package encoding/json:
//
//   - A key is its exact text: "Size" is not "size".
//   - Of equal keys the last counts.
//   - null is a value. It empties a pointer, a slice or a map. Elsewhere it is an error.
//   - A whole number is written with digits alone: 224.0, "224", true and 1e3 are errors.
//   - NaN, Infinity and -Infinity are numbers, as Python writes them. The caller checks that it is finite.
//
// An absent key leaves its field as it is, so the target holds the defaults before. [Fields] says of each key of a file
// whether it is used, harmless or refused.
//
// The file is not trusted. Only the target's fields are kept.
package strictjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Error says which field holds a value of the wrong type.
type Error struct {
	Field string // dots between the parts; "" for the file itself
	Want  string // such as "a whole number"
	Found string // such as "array" or "number 1e3"
}

func (e *Error) Error() string {
	if e.Field == "" {
		return fmt.Sprintf("expected %s, found %s", e.Want, e.Found)
	}
	return fmt.Sprintf("%s: expected %s, found %s", e.Field, e.Want, e.Found)
}

// Decode fills the value that target points to. A type with UnmarshalJSON, other than the target's own, reads itself.
// Struct fields need a json tag. Types may be bool, int, float32, float64, string and json.RawMessage, and pointers, slices,
// maps with text keys and structs of these; Decode panics for others. An *[Error] names the field with a value of the wrong
// type.
func Decode(data []byte, target any) error {
	value, err := whole(data)
	if err != nil {
		return err
	}
	return fill(value, reflect.ValueOf(target).Elem(), true)
}

// Object calls each once for every key of an object, in the order of the file, with the text of its value: the last one,
// where the key comes several times.
func Object(data []byte, each func(key string, value []byte)) error {
	value, err := whole(data)
	if err != nil {
		return err
	}
	if value[0] != '{' {
		return &Error{Want: "an object", Found: describe(value)}
	}
	var keys []string
	last := map[string][]byte{}
	s := scanner{data: value}
	err = s.object(0, func(key, value []byte) {
		name := unquote(key)
		if _, again := last[name]; !again {
			keys = append(keys, name)
		}
		last[name] = value
	})
	if err != nil {
		return err
	}
	for _, name := range keys {
		each(name, last[name])
	}
	return nil
}

// Null reports whether the text of a value is null.
func Null(value []byte) bool { return string(bytes.TrimSpace(value)) == "null" }

// whole checks that data is one value, and returns it without the space around it.
func whole(data []byte) ([]byte, error) {
	if !utf8.Valid(data) {
		return nil, errors.New("invalid JSON: expected UTF-8")
	}
	s := scanner{data: data}
	s.space()
	value, err := s.value(0)
	if err != nil {
		return nil, err
	}
	if s.space(); s.at < len(data) {
		return nil, s.fail("the end of the file")
	}
	return value, nil
}

// fill sets v to a value whose syntax is checked.
func fill(value []byte, v reflect.Value, top bool) error {
	if !top {
		if u, ok := v.Addr().Interface().(json.Unmarshaler); ok {
			return u.UnmarshalJSON(value)
		}
	}
	null := string(value) == "null"
	wrong := func(want string) error { return &Error{Want: want, Found: describe(value)} }
	switch v.Kind() {
	case reflect.Pointer:
		if null {
			v.SetZero()
			return nil
		}
		p := reflect.New(v.Type().Elem())
		v.Set(p)
		return fill(value, p.Elem(), false)
	case reflect.Bool:
		if text := string(value); text != "true" && text != "false" {
			return wrong("true or false")
		}
		v.SetBool(value[0] == 't')
	case reflect.Int:
		n, err := strconv.ParseInt(string(value), 10, strconv.IntSize)
		if err != nil {
			return wrong("a whole number")
		}
		v.SetInt(n)
	case reflect.Float32, reflect.Float64:
		if !number(value) {
			return wrong("a number")
		}
		f, _ := strconv.ParseFloat(string(value), v.Type().Bits()) // infinite where it is out of range, as in Python
		v.SetFloat(f)
	case reflect.String:
		if value[0] != '"' {
			return wrong("text")
		}
		v.SetString(unquote(value))
	case reflect.Struct:
		return fillStruct(value, v)
	case reflect.Map:
		return fillMap(value, v)
	case reflect.Slice:
		return fillSlice(value, v)
	default:
		panic("strictjson: unsupported type " + v.Type().String())
	}
	return nil
}

// fillStruct reads an object. Keys without a field are left out.
func fillStruct(value []byte, v reflect.Value) error {
	if value[0] != '{' {
		return &Error{Want: "an object", Found: describe(value)}
	}
	fields := map[string]reflect.Value{}
	order := collect(v, fields, nil)
	found := map[string][]byte{}
	s := scanner{data: value}
	err := s.object(0, func(key, value []byte) {
		if name := unquote(key); fields[name].IsValid() {
			found[name] = value
		}
	})
	if err != nil {
		return err
	}
	for _, name := range order {
		if value, ok := found[name]; ok {
			if err := within(name, fill(value, fields[name], false)); err != nil {
				return err
			}
		}
	}
	return nil
}

// collect lists the fields of a struct by key, those of embedded structs after its own, and returns the keys in order.
func collect(v reflect.Value, fields map[string]reflect.Value, order []string) []string {
	var embedded []reflect.Value
	for i := range v.NumField() {
		f := v.Type().Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case f.Anonymous && name == "":
			e := v.Field(i)
			if e.Kind() == reflect.Pointer {
				e = e.Elem()
			}
			embedded = append(embedded, e)
		case f.IsExported() && name != "" && name != "-" && !fields[name].IsValid():
			fields[name] = v.Field(i)
			order = append(order, name)
		}
	}
	for _, e := range embedded {
		order = collect(e, fields, order)
	}
	return order
}

// fillMap reads an object with any keys.
func fillMap(value []byte, v reflect.Value) error {
	if string(value) == "null" {
		v.SetZero()
		return nil
	}
	if value[0] != '{' {
		return &Error{Want: "an object", Found: describe(value)}
	}
	m := reflect.MakeMap(v.Type())
	var first error
	s := scanner{data: value}
	err := s.object(0, func(key, value []byte) {
		e := reflect.New(v.Type().Elem()).Elem()
		if err := fill(value, e, false); err != nil && first == nil {
			first = err
		}
		m.SetMapIndex(reflect.ValueOf(unquote(key)).Convert(v.Type().Key()), e)
	})
	if err == nil {
		err = first
	}
	v.Set(m)
	return err
}

// fillSlice reads a list.
func fillSlice(value []byte, v reflect.Value) error {
	if v.Type() == reflect.TypeFor[json.RawMessage]() {
		v.SetBytes(bytes.Clone(value))
		return nil
	}
	if string(value) == "null" {
		v.SetZero()
		return nil
	}
	if value[0] != '[' {
		return &Error{Want: "a list", Found: describe(value)}
	}
	out := reflect.MakeSlice(v.Type(), 0, 0)
	var first error
	s := scanner{data: value}
	err := s.list(0, func(value []byte) {
		if first != nil {
			return
		}
		e := reflect.New(v.Type().Elem()).Elem()
		if first = fill(value, e, false); first == nil {
			out = reflect.Append(out, e)
		}
	})
	if err == nil {
		err = first
	}
	v.Set(out)
	return err
}

// within puts the name of a field before that of its part, or before the error.
func within(name string, err error) error {
	var misfit *Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &misfit):
		field := name
		if misfit.Field != "" {
			field += "." + misfit.Field
		}
		return &Error{Field: field, Want: misfit.Want, Found: misfit.Found}
	}
	return fmt.Errorf("%s: %w", name, err)
}

// number reports whether the text of a value is a number.
func number(value []byte) bool {
	return value[0] == '-' || digit(value[0]) || value[0] == 'N' || value[0] == 'I'
}

// describe says in a few words of which type a value is.
func describe(value []byte) string {
	switch value[0] {
	case '{':
		return "object"
	case '[':
		return "array"
	case '"':
		return "string"
	case 't', 'f':
		return "bool"
	case 'n':
		return "null"
	}
	const most = 40
	if len(value) > most {
		return "number " + string(value[:most]) + "…"
	}
	return "number " + string(value)
}

// unquote returns a text without its quotes and escapes.
func unquote(text []byte) string {
	if bytes.IndexByte(text, '\\') < 0 {
		return string(text[1 : len(text)-1])
	}
	var s string
	_ = json.Unmarshal(text, &s) // the syntax is checked
	return s
}
