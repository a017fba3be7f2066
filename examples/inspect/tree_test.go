package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestFold(t *testing.T) {
	for _, c := range []struct{ names, want string }{
		{"", ""},
		{"a", "a"},
		{"b.0.w b.1.w b.2.w", "b.{0..2}.w"},
		{"b.0.w b.1.w", "b.{0..1}.w"},
		{"b.3.w", "b.3.w"},
		{"b.0.w b.2.w b.3.w b.4.w b.7.w", "b.{0,2..4,7}.w"},
		{"b.10.w b.9.w b.8.w", "b.{8..10}.w"},
		{"b.0.w b.0.v b.1.w b.1.v c", "b.{0..1}.v b.{0..1}.w c"},
		{"b.0.w b.0.v b.1.w", "b.0.v b.0.w b.1.w"},      // not equal: one has a v
		{"b.0.w:5 b.1.w:5 b.2.w:6", "b.{0..1}.w b.2.w"}, // another shape
		{"b.0.w:5 b.1.w:6 b.2.w:5", "b.{0,2}.w b.1.w"},  // at the position of the first
		{"s.0.b.0.w s.0.b.1.w s.1.b.0.w s.1.b.1.w", "s.{0..1}.b.{0..1}.w"},
		{"s.0.b.0.w s.0.b.1.w s.1.b.0.w", "s.0.b.{0..1}.w s.1.b.0.w"},
		{"b b.0 b.1", "b b.{0..1}"},
		{"b.00.w b.01.w", "b.00.w b.01.w"}, // not block numbers
		{"b.0 b.1234567", "b.0 b.1234567"},
		{"layer1.0.w layer2.0.w", "layer1.0.w layer2.0.w"},
		{". ..", ". .."},
		{"0.w 1.w", "{0..1}.w"},
		{strings.Repeat("a.", 100) + "0 " + strings.Repeat("a.", 100) + "1", strings.Repeat("a.", 100) + "0 " + strings.Repeat("a.", 100) + "1"},
	} {
		var list []tensor
		for _, f := range strings.Fields(c.names) {
			name, shape, _ := strings.Cut(f, ":")
			n := 0
			fmt.Sscan(shape, &n)
			list = append(list, tensor{Name: name, Type: "F32", Shape: []int{n}})
		}
		var got []string
		seen := map[int]bool{}
		for _, r := range fold(list) {
			got = append(got, r.name)
			for _, at := range r.tensors {
				if seen[at] || !slices.Equal(list[at].Shape, r.first.Shape) {
					t.Errorf("%s: row %s holds %s", c.names, r.name, list[at].Name)
				}
				seen[at] = true
			}
		}
		if strings.Join(got, " ") != c.want || len(seen) != len(list) {
			t.Errorf("%s: found %q of %d tensors, expected %q", c.names, got, len(seen), c.want)
		}
	}
	var names []string
	for _, r := range unfolded([]tensor{{Name: "b.10"}, {Name: "b.9"}, {Name: "a"}, {Name: "b"}}) {
		names = append(names, r.name)
	}
	if !slices.Equal(names, []string{"a", "b", "b.9", "b.10"}) {
		t.Errorf("order: %q", names)
	}
}

// TestFoldWide folds very many different blocks.
func TestFoldWide(t *testing.T) {
	list := make([]tensor, 100_000)
	for i := range list {
		list[i] = tensor{Name: fmt.Sprint(i), Type: "U8", Shape: []int{0, i}}
	}
	begun := time.Now()
	if rows := fold(list); len(rows) != len(list) || rows[7].name != "7" {
		t.Errorf("expected a row for each of %d tensors, found %d", len(list), len(rows))
	}
	if took := time.Since(begun); took > 30*time.Second {
		t.Errorf("took %v", took)
	}
}
