package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/fovea-ml/fovea/examples/internal/console"
)

func sortTypes(types []typeCount) {
	slices.SortFunc(types, func(a, b typeCount) int {
		return cmp.Or(cmp.Compare(b.Bytes, a.Bytes), cmp.Compare(a.Type, b.Type))
	})
}

// longest is how much of a value of the metadata is shown.
const longest = 100

// print writes a summary for people.
func (s *summary) print(c *console.Console, all bool) {
	size := int64(0)
	for _, f := range s.Files {
		size += f.Size
	}
	switch len(s.Files) {
	case 0:
		c.Line("%s: an index of no files", shown(s.Path))
	case 1:
		c.Line("%s: %s, %s", shown(s.Path), s.Files[0].Format, console.Size(size))
	default:
		c.Line("%s: %d files of %s, %s in all", shown(s.Path), len(s.Files), s.Files[0].Format, console.Size(size))
	}
	var types []string
	for _, t := range s.Types {
		if len(s.Types) == 1 {
			types = append(types, t.Type)
		} else {
			types = append(types, fmt.Sprintf("%s %s", t.Type, console.Size(t.Bytes)))
		}
	}
	c.Line("%s in %s: %s", count(int64(s.Parameters), "parameter"), count(int64(s.Tensors), "tensor"),
		strings.Join(append(types, console.Size(s.Bytes)+map[bool]string{true: " in all"}[len(types) > 1]), ", "))
	if s.Family != nil {
		c.Line("looks like %s", s.Family)
	}
	if s.Config != nil {
		said := slices.DeleteFunc(append([]string{s.Config.ModelType, s.Config.Architecture}, s.Config.Architectures...), func(word string) bool { return word == "" })
		if len(said) > 0 {
			c.Line("config.json says %s", shown(strings.Join(said, ", ")))
		}
	}
	if len(s.Metadata) > 0 {
		c.Line("")
		c.Line("metadata")
		s.printMetadata(c, all)
	}
	if len(s.Files) > 1 && all {
		c.Line("")
		c.Line("files")
		for _, f := range s.Files {
			c.Line("  %s  %s", shown(f.Name), console.Size(f.Size))
		}
	}
	if len(s.List) > 0 {
		c.Line("")
		rows := unfolded(s.List)
		if !all {
			rows = fold(s.List)
		}
		s.printRows(c, rows)
	}
	if len(s.Tied) > 0 {
		c.Line("")
		for _, group := range s.Tied {
			names := make([]string, len(group))
			for i, n := range group {
				names[i] = shown(n)
			}
			c.Line("the same data: %s", strings.Join(names, ", "))
		}
	}
}

// mostMetadata is how many keys are shown; a training checkpoint may have hundreds.
const mostMetadata = 20

func (s *summary) printMetadata(c *console.Console, all bool) {
	keys := slices.Sorted(maps.Keys(s.Metadata))
	width := 0
	for i, k := range keys {
		if i < mostMetadata || all {
			width = max(width, len([]rune(shown(k))))
		}
	}
	for i, k := range keys {
		if i == mostMetadata && !all {
			c.Line("  and %d more, which -all shows", len(keys)-i)
			return
		}
		v := shown(s.Metadata[k])
		if r := []rune(v); len(r) > longest && !all {
			v = fmt.Sprintf("%s… (%d bytes)", string(r[:longest]), len(s.Metadata[k]))
		}
		c.Line("  %-*s  %s", min(width, 40), shown(k), v)
	}
}

// printRows writes a table: name, shape, type, size, and what the numbers are like.
func (s *summary) printRows(c *console.Console, rows []row) {
	var name, shape, kind, size int
	cells := make([][4]string, len(rows))
	for i, r := range rows {
		bytes := int64(0)
		for _, t := range r.tensors {
			bytes += s.List[t].Bytes
		}
		cells[i] = [4]string{shown(r.name), fmt.Sprint(r.first.Shape), r.first.Type, console.Size(bytes)}
		name, shape = max(name, len([]rune(cells[i][0]))), max(shape, len(cells[i][1]))
		kind, size = max(kind, len(cells[i][2])), max(size, len(cells[i][3]))
	}
	name = min(name, 80)
	for i, r := range rows {
		line := fmt.Sprintf("%-*s  %-*s  %-*s  %*s", name, cells[i][0], shape, cells[i][1], kind, cells[i][2], size, cells[i][3])
		var list []*stats
		for _, t := range r.tensors {
			list = append(list, s.List[t].Stats)
		}
		if m := merged(list); m != nil {
			line += "  " + m.String()
		}
		c.Line("%s", strings.TrimRight(line, " "))
	}
}

// String says what the numbers are like: "-0.12 to 0.13, mean 0.0002, 3 NaN".
func (s *stats) String() string {
	var parts []string
	if s.finite > 0 {
		parts = append(parts, fmt.Sprintf("%.4g to %.4g, mean %.4g", s.Min, s.Max, s.Mean))
	}
	if s.NaN > 0 {
		parts = append(parts, fmt.Sprintf("%d NaN", s.NaN))
	}
	if s.Infinite > 0 {
		parts = append(parts, fmt.Sprintf("%d infinite", s.Infinite))
	}
	return strings.Join(parts, ", ")
}

// shown is a stranger's text fit for a terminal: quoted when it holds what is not printable, such as the codes
// that move a cursor.
func shown(s string) string {
	for _, r := range s {
		if !unicode.IsPrint(r) || r == unicode.ReplacementChar {
			return strconv.Quote(s)
		}
	}
	return s
}

// count is a number of things: "1,234 tensors".
func count(n int64, thing string) string {
	digits := strconv.FormatInt(n, 10)
	for at := len(digits) - 3; at > 0; at -= 3 {
		digits = digits[:at] + "," + digits[at:]
	}
	if n != 1 {
		thing += "s"
	}
	return digits + " " + thing
}
