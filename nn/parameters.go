package nn

import (
	"iter"
	"reflect"
	"strconv"

	"github.com/fovea-ml/fovea/autograd"
)

// Parameters yields every parameter of a model with its path: the names of the exported fields and the
// indices of slices that lead to it, joined by dots. The order is that of the fields. A parameter that is
// reached twice is yielded once, under its first path. Maps, functions and unexported fields are not entered; a
// model without parameters, nil included, yields none.
func Parameters(model any) iter.Seq2[string, *autograd.Parameter] {
	return func(yield func(string, *autograd.Parameter) bool) {
		walk(model, yield)
	}
}

// Buffers yields every buffer of a model with its path, as [Parameters] does.
func Buffers(model any) iter.Seq2[string, *autograd.Buffer] {
	return func(yield func(string, *autograd.Buffer) bool) {
		walk(model, yield)
	}
}

// Count returns the number of values in all parameters of a model.
func Count(model any) int {
	n := 0
	for _, p := range Parameters(model) {
		n += p.Len()
	}
	return n
}

// walk yields every pointer of type T, or which implements it, that is reached from model through exported
// fields, pointers, slices, arrays and interfaces, each once.
func walk[T comparable](model any, yield func(string, T) bool) {
	seen := map[T]bool{}
	entered := map[uintptr]bool{}
	var visit func(path string, v reflect.Value) bool
	visit = func(path string, v reflect.Value) bool {
		if v.Kind() == reflect.Pointer && !v.IsNil() {
			if p, ok := v.Interface().(T); ok {
				if seen[p] {
					return true
				}
				seen[p] = true
				return yield(path, p)
			}
		}
		switch v.Kind() {
		case reflect.Interface:
			return v.IsNil() || visit(path, v.Elem())
		case reflect.Pointer:
			if v.IsNil() || v.Elem().Kind() != reflect.Struct || entered[v.Pointer()] {
				return true
			}
			entered[v.Pointer()] = true
			return visit(path, v.Elem())
		case reflect.Slice, reflect.Array:
			for i := range v.Len() {
				if !visit(join(path, strconv.Itoa(i)), v.Index(i)) {
					return false
				}
			}
		case reflect.Struct:
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

// holds reports whether a field of type t can lead to a parameter.
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
