package checkpoint

import (
	"iter"
	"slices"
)

// A Source can be written by [Save]: *autograd.Parameter and *autograd.Buffer are Sources.
type Source interface {
	// Shape returns the dimensions.
	Shape() []int
	// Values returns the values in row-major order. They must not be changed.
	Values() []float32
}

// Save writes the parameters and buffers of a model, given as (path, value), to a safetensors file: the reverse of
// [Load]. Each goes under the first name that the table has for it. The file replaces one of the same name only when it
// is complete, even if the parameters are mapped from that very file. A parameter of integers is written as such, with
// its scales beside it, as LoadOptions.Int8 reads them.
func Save[S Source](path string, names *Names, params iter.Seq2[string, S], opts WriteOptions) error {
	return Write(path, Entries(names, params), opts)
}

// Entries returns the entries that [Save] writes. The values of a parameter are read when they are written.
func Entries[S Source](names *Names, params iter.Seq2[string, S]) []Entry {
	if names == nil {
		names = &Names{}
	}
	var entries []Entry
	for param, src := range params {
		pl := names.places(param)[0]
		end := 0
		for i, name := range pl.parts {
			shape := pl.partShape(src.Shape(), i)
			begin := end
			end += product(shape)
			if name == "" {
				continue
			}
			if two, ok := int8Entries(src, pl, name, shape, begin); ok {
				entries = append(entries, two...)
				continue
			}
			entries = append(entries, Entry{Name: name, Shape: slices.Clone(shape), lazy: func() []float32 {
				part := src.Values()[begin:][:product(shape)]
				if pl.transposed {
					return transpose(part, shape[1], shape[0])
				}
				return part
			}})
		}
	}
	return entries
}

// transpose returns the matrix x [r, c] as [c, r].
func transpose[E float32 | uint16 | int8](x []E, r, c int) []E {
	t := make([]E, len(x))
	for i := range r {
		for j := range c {
			t[j*r+i] = x[i*c+j]
		}
	}
	return t
}
