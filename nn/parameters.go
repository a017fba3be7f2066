package nn

import (
	"iter"
	"reflect"
	"strconv"

	"github.com/fovea-ml/fovea/autograd"
)

// Parameters yields every parameter of a model with its path. A path joins, by dots, the names of exported fields and
// the indices of slices that lead to the parameter. The order is that of the fields. A parameter that is reached twice is
// yielded once, under its first path. Maps, functions and unexported fields are not entered. A model without parameters,
// nil included, yields none.
//
// The parameters of adapters that are not merged are among them ("Head.Adapter.0.A"), for optimizers, averages and the
// states of training. They are no part of the base model: see [Unmerged].
func Parameters(model any) iter.Seq2[string, *autograd.Parameter] {
	return Layers[autograd.Parameter](model)
}

// Buffers yields every buffer of a model with its path, as [Parameters] does.
func Buffers(model any) iter.Seq2[string, *autograd.Buffer] {
	return Layers[autograd.Buffer](model)
}

// Layers yields every *T of a model with its path, as [Parameters] does: T is Linear, for example, or another type of
// struct. A T that a field or slice holds by value is yielded too, if the model is given as a pointer. A T is not entered.
func Layers[T any](model any) iter.Seq2[string, *T] {
	return func(yield func(string, *T) bool) { walk(model, yield) }
}

// PathsOf returns every path under which a model holds a parameter: more than one where weights are tied. A layer that
// is shared as a whole counts once.
func PathsOf(model any, p *autograd.Parameter) []string {
	var paths []string
	reach(model, func(path string, q *autograd.Parameter) bool {
		if q == p {
			paths = append(paths, path)
		}
		return true
	})
	return paths
}

// Count returns the number of values in all parameters of a model.
func Count(model any) int {
	n := 0
	for _, p := range Parameters(model) {
		n += p.Len()
	}
	return n
}

// walk is reach that yields each pointer once, under its first path.
func walk[T comparable](model any, yield func(string, T) bool) {
	seen := map[T]bool{}
	reach(model, func(path string, p T) bool {
		if seen[p] {
			return true
		}
		seen[p] = true
		return yield(path, p)
	})
}

// reach calls yield for every pointer in a model whose type is T or implements T, and for the addresses of structs held
// by value, until yield returns false. It follows exported fields, pointers, slices, arrays and interfaces. Other structs
// are entered once.
func reach[T any](model any, yield func(string, T) bool) {
	type place struct { // a struct and its first field have the same address
		at uintptr
		of reflect.Type
	}
	entered := map[place]bool{}
	var visit func(path string, v reflect.Value) bool
	visit = func(path string, v reflect.Value) bool {
		p := v
		if v.Kind() == reflect.Struct && v.CanAddr() {
			p = v.Addr()
		}
		if p.Kind() == reflect.Pointer && !p.IsNil() {
			if t, ok := p.Interface().(T); ok {
				return yield(path, t)
			}
		}
		switch v.Kind() {
		case reflect.Interface:
			return v.IsNil() || visit(path, v.Elem())
		case reflect.Pointer:
			return v.IsNil() || v.Elem().Kind() != reflect.Struct || visit(path, v.Elem())
		case reflect.Slice, reflect.Array:
			for i := range v.Len() {
				if !visit(join(path, strconv.Itoa(i)), v.Index(i)) {
					return false
				}
			}
		case reflect.Struct:
			if v.CanAddr() {
				here := place{v.UnsafeAddr(), v.Type()}
				if entered[here] {
					return true
				}
				entered[here] = true
			}
			for i := range v.NumField() {
				if f := v.Type().Field(i); f.IsExported() && holds(f.Type) {
					if !visit(join(path, f.Name), v.Field(i)) {
						return false
					}
				}
			}
		}
		return true
	}
	if v := reflect.ValueOf(model); v.IsValid() {
		visit("", v)
	}
}

// holds reports whether a field of type t can lead to a T.
func holds(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Pointer, reflect.Interface, reflect.Struct:
		return true
	case reflect.Slice, reflect.Array:
		return holds(t.Elem())
	}
	return false
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}
