package checkpoint

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Names is the table that ties a model's parameter paths to the names in files. It is read from left to right when
// saving and from right to left when loading:
//
//	var names = checkpoint.Names{
//		Columns: []string{"huggingface", "timm"},
//		Rules: []checkpoint.Rule{
//			{"blocks.{}.norm1", "vit.encoder.layer.{}.layernorm_before", "blocks.{}.norm1"},
//			{"blocks.{}.attn.qkv", "vit.encoder.layer.{}.attention.attention.{query,key,value}", "blocks.{}.attn.qkv"},
//			{"head", "classifier", "head"},
//		},
//		Prefixes: []string{"vit.", "module."},
//		Renames:  []checkpoint.Rename{{"LayerNorm.gamma", "LayerNorm.weight"}},
//		Ignore:   []string{"*.position_ids", "vit.pooler.*"},
//	}
//
// All names of a row are read, in every column, and the first is written. [Names.Writing] returns a table that writes
// another column. A parameter without a rule goes by its own path.
type Names struct {
	// Columns names the columns of Rules after the first; each is a family of names. It may be nil where the same
	// names are always written. Rows may be longer: the names beyond are only read.
	Columns []string

	// Rules ties paths to names. Where several fit a parameter, all their names are read, and the first is written.
	Rules []Rule

	// Prefixes are optional beginnings of names, in files and in rules: "vit.", "module.".
	Prefixes []string

	// Renames replaces endings of names, for older releases.
	Renames []Rename

	// Ignore holds patterns of names in a file that the model does not use. "*" stands for any run of characters,
	// dots included. Patterns are compared with the whole name, with and without its prefix. Names that end
	// in num_batches_tracked are ignored without a pattern: the counter has no use here, and PyTorch fills it in
	// where a file lacks it.
	Ignore []string

	// Optional holds patterns of parameter paths that a file may lack. Such parameters keep their values.
	Optional []string
}

// A Rule is a row of the table: the path of a parameter, the name that is written, and other names that are read. The
// name "" is no name.
//
// Path and names may be whole, or end at a dot of the real ones: {"norm", "layernorm"} covers norm.weight and norm.bias.
// The rest of the path is written in lower case: under {"Norm", "layernorm"}, the field Norm.Weight is
// layernorm.weight. The running statistics of a batch normalization have PyTorch's names: Norm.Mean is
// layernorm.running_mean, and Norm.Variance is layernorm.running_var.
//
// In the path, the segment {} stands for a number. In a name, each {} is replaced by the path's numbers in order, and
// {+1} by such a number plus one: under {"Layers.{}.{}", "layer{+1}.{}"}, Layers.0.2.Conv1 is layer1.2.conv1.
//
// The name "." stands for the top of the file: under {"Head", "."}, Head.Weight is weight.
//
// A name with a list in braces, attention.{query,key,value}, stands for several tensors of equal shape: the parts of
// the parameter along its first dimension. A part that is twice as long is written 2*kv, as in {q,2*kv}. A part called 0 is not in the file. It is read as zeros, and the
// parameter's values there are not written.
//
// A name may be followed by a space and T: the file holds the transpose of the matrix. Or a space and a shape follow:
// the file holds the same elements in the same order under that shape, as in "cls_token [1,1,*]". The size * is
// computed from the others, and the size last is the parameter's last one: "positions [*,last]" drops sizes of 1 before a matrix.
type Rule []string

// Writing returns a table that writes the names of a column. A row without a name there is still written under its
// first. The result has no columns to choose from. Writing panics when the table has no such column.
func (n *Names) Writing(column string) *Names {
	at := slices.Index(n.Columns, column) + 1
	if at == 0 {
		panic(fmt.Sprintf("checkpoint: a table of names with the columns %q has no %q", n.Columns, column))
	}
	w := *n
	w.Rules = make([]Rule, len(n.Rules))
	for i, r := range n.Rules {
		w.Rules[i] = r
		if at > 1 && at < len(r) && r[at] != "" {
			w.Rules[i] = slices.Concat(Rule{r[0], r[at]}, r[1:at], r[at+1:])
		}
	}
	w.Columns = nil
	return &w
}

// Finder returns a function that finds the tensor of a parameter in a file under any of its names. For a parameter in
// several parts it finds the first part. Use it to read a model's sizes off its weights.
func (n *Names) Finder(f *File) func(param string) (t Tensor, ok bool) {
	known := n.lookup(f)
	return func(param string) (Tensor, bool) {
		for _, pl := range n.places(param) {
			first := slices.IndexFunc(pl.parts, func(name string) bool { return name != "" })
			if first < 0 {
				continue
			}
			if i, ok := known.find(pl.parts[first]); ok {
				return f.tensors[i], true
			}
		}
		return Tensor{}, false
	}
}

// A lookup finds the tensors of a file by the names in a table.
type lookup struct {
	file   *File
	names  *Names
	byName map[string]int // canonical name to tensor
}

func (n *Names) lookup(f *File) lookup {
	l := lookup{f, n, make(map[string]int, len(f.tensors))}
	for i, t := range f.tensors {
		c := n.Canonical(t.Name)
		if _, taken := l.byName[c]; !taken || t.Name == c {
			l.byName[c] = i // a name without a prefix takes precedence
		}
	}
	return l
}

// find returns the index of the tensor with the name, exactly or in canonical form.
func (l lookup) find(name string) (int, bool) {
	if i, ok := l.file.index(name); ok {
		return i, true
	}
	i, ok := l.byName[l.names.Canonical(name)]
	return i, ok
}

// A Rename replaces the ending Old of a name in a file by New. Old is the whole name or follows a dot.
type Rename struct{ Old, New string }

// A place is one way in which a file may hold a parameter: its tensors, in the order of the parts.
type place struct {
	parts      []string // an empty name is a part of zeros
	shares     []int    // how long the parts are, relative to each other
	transposed bool
	shape      []int // in the file, -1 for the size *, or lastSize; nil for the parameter's own
}

// places returns all ways in which a file may hold the parameter, the written one first.
func (n *Names) places(param string) []place {
	var all []place
	for _, r := range n.Rules {
		if len(r) < 2 {
			panic(fmt.Sprintf("checkpoint: rule %q: expected a path and at least one name", []string(r)))
		}
		numbers, rest, ok := matchPath(r[0], param)
		if !ok {
			continue
		}
		for _, name := range r[1:] {
			if name != "" {
				all = append(all, parsePlace(name, numbers, rest))
			}
		}
	}
	if all == nil {
		all = []place{{parts: []string{param}, shares: []int{1}}}
	}
	return all
}

// lastSize stands in a place's shape for the last size of the parameter.
const lastSize = -2

// matchPath compares a path with a rule's. It returns the number for each {}, and the rest of the path as it is written
// in files.
func matchPath(pattern, param string) (numbers []string, rest string, ok bool) {
	for {
		want, wantMore, moreWanted := strings.Cut(pattern, ".")
		got, gotMore, moreGot := strings.Cut(param, ".")
		if want == "{}" {
			if _, err := strconv.ParseUint(got, 10, 31); err != nil {
				return nil, "", false
			}
			numbers = append(numbers, got)
		} else if want != got {
			return nil, "", false
		}
		if !moreWanted {
			if moreGot {
				rest = "." + inFiles(gotMore)
			}
			return numbers, rest, true
		}
		if !moreGot {
			return nil, "", false
		}
		pattern, param = wantMore, gotMore
	}
}

// inFiles returns the name that files have for the rest of a path after a rule's.
func inFiles(rest string) string {
	parent, field := "", rest
	if dot := strings.LastIndexByte(rest, '.') + 1; dot > 0 {
		parent, field = rest[:dot], rest[dot:]
	}
	switch field {
	case "Mean":
		field = "running_mean"
	case "Variance":
		field = "running_var"
	}
	return strings.ToLower(parent + field)
}

// parsePlace fills numbers and rest into a rule's name. It panics when the name is malformed: rules are part of a
// program.
func parsePlace(name string, numbers []string, rest string) place {
	bad := func(why string) string { return fmt.Sprintf("checkpoint: rule name %q: %s", name, why) }
	var p place
	stem, form, _ := strings.Cut(name, " ")
	if stem == "." {
		if rest == "" {
			panic(bad("expected the path of a parent, not of a parameter"))
		}
		stem, rest = "", rest[1:]
	}
	switch {
	case form == "T":
		p.transposed = true
	case strings.HasPrefix(form, "[") && strings.HasSuffix(form, "]"):
		for _, d := range strings.Split(form[1:len(form)-1], ",") {
			v, err := strconv.Atoi(d)
			switch {
			case d == "*" && !slices.Contains(p.shape, -1):
				v = -1
			case d == "last":
				v = lastSize
			case err != nil || v < 0:
				panic(bad("expected a shape such as [1,*,3]"))
			}
			p.shape = append(p.shape, v)
		}
	case form != "":
		panic(bad(`expected T or a shape after the space`))
	}
	var before, after strings.Builder
	var list []string
	at := &before
	for stem != "" {
		open := strings.IndexByte(stem, '{')
		if open < 0 {
			at.WriteString(stem)
			break
		}
		length := strings.IndexByte(stem[open:], '}')
		if length < 0 {
			panic(bad("a brace is not closed"))
		}
		at.WriteString(stem[:open])
		inside := stem[open+1 : open+length]
		stem = stem[open+length+1:]
		switch {
		case (inside == "" || inside == "+1") && len(numbers) == 0:
			panic(bad("more {} than in the path"))
		case inside == "+1":
			n, _ := strconv.Atoi(numbers[0])
			at.WriteString(strconv.Itoa(n + 1))
			numbers = numbers[1:]
		case strings.HasPrefix(inside, "+"):
			panic(bad("the only number that {} can count from is 1: {+1}"))
		case inside != "" && list == nil:
			list = strings.Split(inside, ",")
			at = &after
		case inside != "":
			panic(bad("more than one list of parts"))
		default:
			at.WriteString(numbers[0])
			numbers = numbers[1:]
		}
	}
	if list == nil {
		p.parts, p.shares = []string{before.String() + rest}, []int{1}
		return p
	}
	if p.shape != nil {
		panic(bad("a shape does not go with a list of parts"))
	}
	named := false
	for _, part := range list {
		share := 1
		if times, name, ok := strings.Cut(part, "*"); ok {
			var err error
			if share, err = strconv.Atoi(times); err != nil || share < 1 {
				panic(bad("expected a number before *"))
			}
			part = name
		}
		p.shares = append(p.shares, share)
		if part == "0" {
			p.parts = append(p.parts, "")
			continue
		}
		named = true
		p.parts = append(p.parts, before.String()+part+after.String()+rest)
	}
	if !named {
		panic(bad("expected a part that is not 0"))
	}
	return p
}

// Canonical returns the form in which the names in a file and those of the table are compared: without the table's
// prefixes, and renamed.
func (n *Names) Canonical(name string) string {
	for again := true; again; {
		again = false
		for _, p := range n.Prefixes {
			if p != "" && len(name) > len(p) && strings.HasPrefix(name, p) {
				name, again = name[len(p):], true
			}
		}
	}
	for _, r := range n.Renames {
		if stem, ok := strings.CutSuffix(name, r.Old); ok && (stem == "" || strings.HasSuffix(stem, ".")) {
			return stem + r.New
		}
	}
	return name
}

// batches is the counter that PyTorch's batch normalization writes beside its statistics.
const batches = "num_batches_tracked"

// Ignores reports whether the model does not use a name in a file: the patterns in Ignore say so.
func (n *Names) Ignores(name string) bool {
	return matchAny(n.Ignore, name) || matchAny(n.Ignore, n.Canonical(name)) ||
		name == batches || strings.HasSuffix(name, "."+batches)
}

func matchAny(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return matchGlob(p, name) })
}

// matchGlob compares name with a pattern in which * stands for any run of characters. Going back to the last * is
// enough, so that it takes at most len(pattern)·len(name) steps.
func matchGlob(pattern, name string) bool {
	p, i := 0, 0
	star, mark := -1, 0
	for i < len(name) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, mark = p, i
			p++
		case p < len(pattern) && pattern[p] == name[i]:
			p++
			i++
		case star >= 0:
			mark++
			p, i = star+1, mark
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}
