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

// longest is the number of characters shown of a metadata value.
const longest = 100

// print prints the summary as text.
func (s *summary) print(c *console.Console, all bool) {
	size := int64(0)
	for _, f := range s.Files {
		size += f.Size
	}
	switch len(s.Files) {
	case 0:
		c.Line("%s: an index of no files", quoted(string(s.Path)))
	case 1:
		c.Line("%s: %s, %s", quoted(string(s.Path)), s.Files[0].Format, console.Size(size))
	default:
		c.Line("%s: %d files of %s, %s in all", quoted(string(s.Path)), len(s.Files), s.Files[0].Format, console.Size(size))
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
	if len(s.Root) > 0 {
		c.Line("the weights under %s", quoted(strings.Join(s.Root, ".")))
	}
	if len(s.Roots) > 1 {
		var others []string
		for _, r := range s.Roots {
			if !slices.Equal(r, s.Root) {
				others = append(others, quoted(strings.Join(r, ".")))
			}
		}
		c.Line("-root chooses others: %s", strings.Join(others, ", "))
	}
	if s.Family != nil {
		c.Line("looks like %s", s.Family)
	}
	if s.Config != nil {
		names := slices.DeleteFunc(append([]string{s.Config.ModelType, s.Config.Architecture}, s.Config.Architectures...), func(name string) bool { return name == "" })
		if len(names) > 0 {
			c.Line("config.json: %s", quoted(strings.Join(names, ", ")))
		}
	}
	switch {
	case s.Images == nil:
	case s.Images.Assumed:
		c.Line("images: assumed, as no file states it: %s", s.Images.Steps)
	default:
		c.Line("images: %s", s.Images.Steps)
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
			c.Line("  %s  %s", quoted(string(f.Name)), console.Size(f.Size))
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
				names[i] = quoted(n)
			}
			c.Line("shared data: %s", strings.Join(names, ", "))
		}
	}
}

// mostMetadata is the number of metadata keys shown. A training checkpoint may have hundreds.
const mostMetadata = 20

func (s *summary) printMetadata(c *console.Console, all bool) {
	keys := slices.Sorted(maps.Keys(s.Metadata))
	width := 0
	for i, k := range keys {
		if i < mostMetadata || all {
			width = max(width, len([]rune(quoted(k))))
		}
	}
	for i, k := range keys {
		if i == mostMetadata && !all {
			c.Line("  and %d more (use -all)", len(keys)-i)
			return
		}
		v := quoted(s.Metadata[k])
		if r := []rune(v); len(r) > longest && !all {
			v = fmt.Sprintf("%s… (%d bytes)", string(r[:longest]), len(s.Metadata[k]))
		}
		c.Line("  %-*s  %s", min(width, 40), quoted(k), v)
	}
}

// printRows prints a table: name, shape, type, size, and statistics of the values.
func (s *summary) printRows(c *console.Console, rows []row) {
	var name, shape, kind, size int
	cells := make([][4]string, len(rows))
	for i, r := range rows {
		bytes := int64(0)
		for _, t := range r.tensors {
			bytes += s.List[t].Bytes
		}
		cells[i] = [4]string{quoted(r.name), fmt.Sprint(r.first.Shape), r.first.Type, console.Size(bytes)}
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

// String returns the statistics as text, such as "-0.12 to 0.13, mean 0.0002, 3 NaN".
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

// quoted quotes text from a file if it holds characters that are not printable, such as the codes that move a
// terminal's cursor.
func quoted(s string) string {
	for _, r := range s {
		if !unicode.IsPrint(r) || r == unicode.ReplacementChar {
			return strconv.Quote(s)
		}
	}
	return s
}

// count formats a number of things, such as "1,234 tensors".
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
