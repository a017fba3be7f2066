package checkpoint

import (
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
)

// A Part is one file of a checkpoint.
type Part struct {
	Name   string // as errors call it
	Size   int64  // bytes
	Format Format
}

// Parts returns the files that the checkpoint was opened from, without the index.
func (f *File) Parts() []Part {
	var parts []Part
	for _, s := range f.sources {
		p := Part{Name: s.name, Size: int64(len(s.data)), Format: s.format}
		if n := len(parts); n > 0 && parts[n-1].Name == p.Name {
			parts[n-1] = p // inflated data comes before its archive
			continue
		}
		parts = append(parts, p)
	}
	return parts
}

// MetadataKeys yields the keys that [File.Metadata] knows, sorted.
func (f *File) MetadataKeys() iter.Seq[string] {
	return slices.Values(slices.Sorted(maps.Keys(f.metadata)))
}

// Tied returns groups of two or more names of tensors that are the same data in the file, such as the tied weights of a
// PyTorch file. A safetensors file has none.
func (f *File) Tied() [][]string {
	type place struct {
		src        *source
		begin, end int
		layout     string
	}
	groups := map[place][]string{}
	for _, t := range f.tensors {
		if t.end == t.begin {
			continue
		}
		p := place{t.src, t.begin, t.end, fmt.Sprint(t.DType, t.Shape)}
		if v := t.src.strided; v != nil {
			p = place{v.base, v.begin, -1, fmt.Sprint(t.DType, t.Shape, v.strides)}
		}
		groups[p] = append(groups[p], t.Name)
	}
	var tied [][]string
	for _, names := range groups {
		if len(names) > 1 {
			tied = append(tied, names)
		}
	}
	slices.SortFunc(tied, func(a, b []string) int { return strings.Compare(a[0], b[0]) })
	return tied
}

// FloatsAt is [Tensor.Floats] for len(dst) elements from the index first on. It serves tensors too large to be read at
// once, and gives the pages of a mapped file back.
func (t Tensor) FloatsAt(dst []float32, first int) error {
	if !t.DType.IsFloat() {
		return fmt.Errorf("checkpoint: tensor %q: expected F64, F32, F16 or BF16, found %s", t.Name, t.DType)
	}
	if err := t.checkRange(len(dst), first); err != nil {
		return err
	}
	t.floatsAt(dst, first)
	t.leave(len(dst), first)
	return nil
}

// IntsAt is [Tensor.Ints] for len(dst) elements from the index first on. It gives the pages of a mapped file back.
func (t Tensor) IntsAt(dst []int64, first int) error {
	if !t.DType.IsInt() {
		return fmt.Errorf("checkpoint: tensor %q: expected an integer type, found %s", t.Name, t.DType)
	}
	if err := t.checkRange(len(dst), first); err != nil {
		return err
	}
	if err := t.intsAt(dst, first); err != nil {
		return fmt.Errorf("checkpoint: tensor %q: %w", t.Name, err)
	}
	t.leave(len(dst), first)
	return nil
}

func (t Tensor) checkRange(n, first int) error {
	if first < 0 || first > t.Len() || n > t.Len()-first {
		return fmt.Errorf("checkpoint: tensor %q: expected a range of its %d elements, found %d from %d on", t.Name, t.Len(), n, first)
	}
	return nil
}

// leave gives back the pages of n elements from the index first on.
func (t Tensor) leave(n, first int) {
	size := t.DType.Size()
	t.src.forget(t.begin+first*size, t.begin+(first+n)*size)
}
