package component

import (
	"fmt"
	"strings"
	"testing"
)

// reader knows two types: one with a number, and one with parts.
func reader(typ string) Reader[string] {
	switch typ {
	case "Number":
		return func(f *Fields, _ int) string { return fmt.Sprint(Required[int](f, "n"), Optional(f, "unit", "m")) }
	case "Parts":
		return func(f *Fields, depth int) string { return strings.Join(List(f, "parts", depth, reader), "+") }
	}
	return nil
}

func TestParse(t *testing.T) {
	for text, want := range map[string]string{
		`null`:                    "",
		`{"type":"Number","n":3}`: "3m",
		`{"type":"Parts","parts":[{"type":"Number","n":1,"unit":"s"},{"type":"Parts","parts":[]}]}`: "1s+",
	} {
		if got, err := Parse([]byte(text), "size", reader); err != nil || got != want {
			t.Errorf("%s: %q, %v, expected %q", text, got, err, want)
		}
	}
	for text, want := range map[string]string{
		`[]`:                                     "size: expected an object",
		`{}`:                                     `size: type: expected a value, found no such field`,
		`{"type":"Area"}`:                        `size: unsupported type "Area"`,
		`{"type":"Number"}`:                      `size: Number: n: expected a value, found no such field`,
		`{"type":"Number","n":"3"}`:              "size: Number: n: expected",
		`{"type":"Number","n":3,"z":1,"b":1}`:    `size: Number: b: unsupported field`,
		`{"type":"Parts","parts":[null]}`:        "size: Parts: parts[0]: expected an object",
		`{"type":"Parts","parts":[{"type":""}]}`: `size: Parts: parts[0]: unsupported type ""`,
		strings.Repeat(`{"type":"Parts","parts":[`, 80) + strings.Repeat("]}", 80): "expected at most 64 levels",
	} {
		if _, err := Parse([]byte(text), "size", reader); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60s: %v, expected %s", text, err, want)
		}
	}
}
