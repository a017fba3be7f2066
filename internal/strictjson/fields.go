package strictjson

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Use is the treatment of a field of a file by its reader.
type Use uint8

// The uses.
const (
	Used     Use = iota // it is read
	Harmless            // it cannot change the answer; the reason says why
	Refused             // it changes the answer in a way that is not supported, unless it has one of the values Same
)

// Field is the entry of one field in a table: its name and its treatment.
type Field struct {
	Name   string
	Use    Use
	Reason string
	Same   []string // JSON of the values that change nothing; of Refused fields
}

// Fields lists every field of a file that the writing library knows. That library ignores others.
type Fields []Field

// Check returns an error that names the first refused field of an object.
func (f Fields) Check(data []byte) error {
	refused := map[string]*Field{}
	for i := range f {
		if f[i].Use == Refused {
			refused[f[i].Name] = &f[i]
		}
	}
	found := map[string][]byte{}
	if err := Object(data, func(key string, value []byte) {
		if refused[key] != nil {
			found[key] = value
		}
	}); err != nil {
		return err
	}
	for i := range f {
		if value, ok := found[f[i].Name]; ok && !f[i].same(value) {
			want := "expected no such field"
			if len(f[i].Same) > 0 {
				want += ", or " + strings.Join(f[i].Same, " or ")
			}
			return fmt.Errorf("%s: %s: %s, found %s", f[i].Name, f[i].Reason, want, shown(value))
		}
	}
	return nil
}

// same reports whether a value changes nothing.
func (f *Field) same(value []byte) bool {
	return slices.ContainsFunc(f.Same, func(s string) bool {
		if s == string(value) {
			return true
		}
		a, err := strconv.ParseFloat(s, 64)
		b, other := strconv.ParseFloat(string(value), 64)
		return err == nil && other == nil && a == b
	})
}

// shown returns the text of a value for an error: short values as they are.
func shown(value []byte) string {
	const most = 60
	if len(value) > most {
		return string(value[:most]) + "…"
	}
	return string(value)
}

// Missing returns the names that the list lacks.
func (f Fields) Missing(names []string) []string {
	var out []string
	for _, n := range names {
		if !slices.ContainsFunc(f, func(f Field) bool { return f.Name == n }) {
			out = append(out, n)
		}
	}
	return out
}
