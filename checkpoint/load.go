package checkpoint

import (
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/fovea-ml/fovea/simd"
)

// A Target can be filled by [Load]: *autograd.Parameter and *autograd.Buffer are Targets.
type Target interface {
	// Shape returns the dimensions.
	Shape() []int
	// Update calls f with the values in row-major order, for f to change in place.
	Update(f func(values []float32))
}

// A Value is one entry of a model's state in files: *autograd.Parameter and *autograd.Buffer are Values.
type Value interface {
	Target
	Source
}

// A mapper is a Target that can read its values where they lie, without a copy and in their own type, until it is
// written: *autograd.Parameter is one. Values come in one part, or in several that follow each other. The mapper calls
// release when they need not stay in memory until the next read, and hold when it gives a slice of them away. The
// memory stays valid for as long as something refers to one of the two functions.
type mapper interface {
	Map(parts [][]float32, release, hold func())
	MapHalf(format simd.Format, parts [][]uint16, release, hold func())
}

// LoadOptions change how [Load] works. The zero value is strict and copies.
type LoadOptions struct {
	// Lenient loads the tensors that fit. A parameter without a fitting tensor keeps its values.
	Lenient bool

	// Map lets an *autograd.Parameter read its values straight from the file's memory, whether mapped, embedded or
	// read. They must lie there as the parameter wants them: of one type, aligned, not transposed. Others are copied.
	// A mapping then lasts for as long as a parameter uses it, or until File.Close.
	Map bool

	// KeepHalf leaves the values of an *autograd.Parameter in F16 or BF16 when all its tensors have that type. They
	// take half the memory and are widened where they are used, with the same results. Without it they are widened
	// as they are loaded.
	KeepHalf bool

	// Int8 reads a tensor of I8 beside which the file has one of floats under its name and "_scale", [rows] or [rows, 1],
	// as a weight whose rows are the integers, each multiplied by the scale of its row. An *autograd.Parameter keeps the
	// integers; others get the products. Without it a tensor of I8 is a Misfit.
	Int8 bool

	// Fit, if not nil, is called for a tensor whose shape differs from its parameter's, such as a position embedding
	// for another resolution. The parameter must have that one tensor. Fit returns the fitted values, or nil when it
	// cannot help.
	Fit func(param string, t Tensor, want []int) ([]float32, error)
}

// A Report says how the tensors of a file matched the parameters of a model.
type Report struct {
	Loaded     int      // parameters and buffers filled
	Missing    []string // those without a tensor, each with all names that were tried
	Unexpected []string // tensors that no parameter asked for and no pattern ignores
	Misfits    []Misfit // tensors of another shape or type than their parameter's
}

// A Misfit is a tensor whose shape or type does not fit its parameter.
type Misfit struct {
	Param string // path of the parameter
	Name  string // name in the file
	DType DType  // found in the file
	Want  []int  // expected shape in the file
	Got   []int  // found shape

	// For a tensor of I8 that [LoadOptions].Int8 allows, Scales is the type and shape of the tensor of scales beside it, such as
	// "F32 [1]", or "none". Else it is empty.
	Scales string
}

func (m Misfit) String() string {
	switch {
	case m.Scales != "" && slices.Equal(m.Want, m.Got):
		return fmt.Sprintf("%s: expected floats %q of shape [%d] or [%d 1] beside %q, found %s", m.Param, m.Name+scaleSuffix, m.Got[0], m.Got[0], m.Name, m.Scales)
	case m.Scales == "" && !m.DType.IsFloat():
		return fmt.Sprintf("%s: expected a floating-point type, found %s in %q", m.Param, m.DType, m.Name)
	}
	return fmt.Sprintf("%s: expected shape %v, found %v in %q", m.Param, m.Want, m.Got, m.Name)
}

// OK reports whether every parameter was filled and every tensor used.
func (r *Report) OK() bool {
	return len(r.Missing) == 0 && len(r.Unexpected) == 0 && len(r.Misfits) == 0
}

// Load fills the parameters and buffers of a model, given as (path, value), from a file. The table ties their paths to
// the names in the file; nil stands for an empty table.
//
// Load matches everything before it changes anything. If something does not match, it changes nothing and returns a
// [*MismatchError] with all differences, unless opts.Lenient.
//
// Tensors may be F64, F32, F16 or BF16. The pages of a mapped file are given back as they are copied, so that a load
// takes little more memory than the parameters.
func Load[T Target](f *File, names *Names, params iter.Seq2[string, T], opts LoadOptions) (*Report, error) {
	if names == nil {
		names = &Names{}
	}
	l := loader{lookup: names.lookup(f), opts: opts, used: make([]bool, len(f.tensors))}
	for path, p := range params {
		if err := l.plan(path, p); err != nil {
			return nil, err
		}
	}
	for i, t := range f.tensors {
		if !l.used[i] && !names.Ignores(t.Name) {
			l.report.Unexpected = append(l.report.Unexpected, t.Name)
		}
	}
	if !opts.Lenient && !l.report.OK() {
		return nil, &MismatchError{File: f.name, Report: l.report}
	}
	for _, m := range l.moves {
		m.run(opts)
	}
	l.report.Loaded = len(l.moves)
	return &l.report, nil
}

type loader struct {
	lookup
	opts   LoadOptions
	used   []bool // by tensor
	moves  []move
	report Report
}

// A move is the plan for filling one parameter.
type move struct {
	target     Target
	parts      []Tensor // a part without a source is zeros
	sizes      []int    // elements of each part
	scales     []Tensor // of each part that holds integers
	transposed bool
	values     []float32 // fitted values, instead of parts
}

// plan finds the tensors for one parameter and checks them.
func (l *loader) plan(path string, target Target) error {
	places := l.names.places(path)
	for _, pl := range places {
		parts := make([]Tensor, len(pl.parts))
		where := make([]int, 0, len(pl.parts))
		complete := true
		for i, name := range pl.parts {
			if name == "" {
				continue
			}
			at, ok := l.find(name)
			if !ok {
				complete = false
				break
			}
			parts[i] = l.file.tensors[at]
			where = append(where, at)
		}
		if !complete {
			continue
		}
		for _, at := range where {
			l.used[at] = true
		}
		m := move{target: target, parts: parts, scales: make([]Tensor, len(parts)), transposed: pl.transposed}
		for i, t := range parts {
			want := pl.partShape(target.Shape(), i)
			m.sizes = append(m.sizes, product(want))
			if t.src == nil || (t.DType.IsFloat() && slices.Equal(t.Shape, want)) {
				continue
			}
			if at, ok := l.scales(t, pl, want); ok {
				l.used[at] = true
				m.scales[i] = l.file.tensors[at]
				continue
			}
			if l.opts.Fit != nil && t.DType.IsFloat() && len(parts) == 1 && !pl.transposed {
				values, err := l.opts.Fit(path, t, want)
				if err != nil {
					return fmt.Errorf("checkpoint: %s: %s from %q: %w", l.file.name, path, t.Name, err)
				}
				if values != nil && len(values) == product(want) {
					m.values = values
					continue
				}
			}
			misfit := Misfit{Param: path, Name: t.Name, DType: t.DType, Want: want, Got: t.Shape}
			if l.takesIntegers(t, pl, want) {
				misfit.Scales = l.foundScales(t)
			}
			l.report.Misfits = append(l.report.Misfits, misfit)
			return nil
		}
		l.moves = append(l.moves, m)
		return nil
	}
	if matchAny(l.names.Optional, path) {
		return nil
	}
	var tried []string
	for _, pl := range places {
		if s := pl.String(); !slices.Contains(tried, s) {
			tried = append(tried, s)
		}
	}
	l.report.Missing = append(l.report.Missing, fmt.Sprintf("%s (as %s)", path, strings.Join(tried, " or ")))
	return nil
}

// String joins the names of a place.
func (pl place) String() string {
	var named []string
	for _, p := range pl.parts {
		if p != "" {
			named = append(named, p)
		}
	}
	return strings.Join(named, " + ")
}

// partShape returns the shape that a part of the place has in a file, for a parameter of the given shape. It
// panics when the shape cannot be cut into the place's parts: that is a mistake in the table.
func (pl place) partShape(shape []int, part int) []int {
	s := slices.Clone(shape)
	if len(pl.parts) > 1 {
		n := 0
		for _, share := range pl.shares {
			n += share
		}
		if len(s) == 0 || s[0]%n != 0 {
			panic(fmt.Sprintf("checkpoint: rule name %q: a parameter of shape %v is not %d equal parts", pl, shape, n))
		}
		s[0] = s[0] / n * pl.shares[part]
	}
	if pl.transposed {
		if len(s) != 2 {
			panic(fmt.Sprintf("checkpoint: rule name %q: expected a matrix to transpose, found shape %v", pl, shape))
		}
		s[0], s[1] = s[1], s[0]
	}
	if pl.shape != nil {
		s = slices.Clone(pl.shape)
		known, open := 1, -1
		for i, d := range s {
			if d == lastSize && len(shape) > 0 {
				d = shape[len(shape)-1]
				s[i] = d
			}
			if d < 0 {
				open = i
			} else {
				known *= d
			}
		}
		if open >= 0 && known > 0 {
			s[open] = product(shape) / known
		}
		if open >= 0 && known == 0 {
			s[open] = 0
		}
		if product(s) != product(shape) {
			panic(fmt.Sprintf("checkpoint: rule name %q: shape %v does not hold a parameter of shape %v", pl, pl.shape, shape))
		}
	}
	return s
}

func product(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}

// run fills the parameter.
func (m *move) run(opts LoadOptions) {
	if m.values != nil {
		m.target.Update(func(dst []float32) { copy(dst, m.values) })
		return
	}
	if t, ok := m.target.(mapper); ok && m.place(t, opts) {
		return
	}
	m.target.Update(func(dst []float32) {
		for i, t := range m.parts {
			part := dst[:m.sizes[i]]
			dst = dst[m.sizes[i]:]
			switch {
			case t.src == nil:
				clear(part)
			case m.scales[i].src != nil:
				t.widenTo(part, m.scales[i])
			case m.transposed:
				t.transposeTo(part)
				t.src.forget(t.begin, t.end)
			default:
				t.copyTo(part)
			}
		}
	})
}

// copyChunk is the number of elements copied before their pages are given back: 4 MB of F32, so that even an embedding
// table adds little to the peak of memory.
const copyChunk = 1 << 20

// copyTo writes all elements to dst and gives mapped pages back on the way.
func (t Tensor) copyTo(dst []float32) {
	size := t.DType.Size()
	for at := 0; at < len(dst); at += copyChunk {
		n := min(copyChunk, len(dst)-at)
		t.floatsAt(dst[at:at+n], at)
		t.src.forget(t.begin+at*size, t.begin+(at+n)*size)
	}
}

// transposeTo writes the matrix [r, c] to dst as [c, r], one row of the file at a time.
func (t Tensor) transposeTo(dst []float32) {
	r, c := t.Shape[0], t.Shape[1]
	row := make([]float32, c)
	for i := range r {
		t.floatsAt(row, i*c)
		for j, v := range row {
			dst[j*r+i] = v
		}
	}
}
