package normalize

import (
	"slices"
	"testing"
	"unicode"
)

// places returns the text of s, and start and end in the original of each of its runes.
func places(s String) (string, []int) {
	var at []int
	for i, r := range s.Text() {
		start, end := s.Original(i, i+len(string(r)))
		at = append(at, start, end)
	}
	return s.Text(), at
}

func TestString(t *testing.T) {
	s := New("aé中b")
	for _, c := range []struct {
		name string
		s    String
		text string
		at   []int
	}{
		{"new", s, "aé中b", []int{0, 1, 1, 3, 3, 6, 6, 7}},
		{"slice", s.Slice(1, 6), "é中", []int{1, 3, 3, 6}},
		{"prepend", s.Prepend(nil, "▁x"), "▁xaé中b", []int{0, 1, 0, 1, 0, 1, 1, 3, 3, 6, 6, 7}},
		{"prepend to slice", s.Slice(1, 6).Prepend(nil, "▁"), "▁é中", []int{1, 3, 1, 3, 3, 6}},
		{"prepend nothing", s.Prepend(nil, ""), "aé中b", []int{0, 0, 1, 3, 3, 6, 6, 7}},
		{"append", s.Append(nil, "xy"), "aé中bxy", []int{0, 1, 1, 3, 3, 6, 6, 7, 6, 7, 6, 7}},
		{"slice of prepended", s.Prepend(nil, "▁x").Slice(4, 7), "aé", []int{0, 1, 1, 3}},
		{"replace", s.ReplaceString(nil, "é中", "xyz"), "axyzb", []int{0, 1, 3, 6, 3, 6, 3, 6, 6, 7}},
		{"replace first", s.ReplaceString(nil, "a", ""), "é中b", []int{1, 3, 3, 6, 6, 7}},
		{"replace nothing", New("ab").ReplaceString(nil, "", "x"), "xaxbx", []int{0, 0, 0, 1, 0, 1, 1, 2, 1, 2}},
		{"map", s.Map(nil, unicode.ToUpper), "AÉ中B", []int{0, 1, 1, 3, 3, 6, 6, 7}},
		{"map to other lengths", s.Map(nil, func(r rune) rune { return r % 128 }), "ai-b", []int{0, 1, 1, 3, 3, 6, 6, 7}},
		{"filter", s.Filter(nil, func(r rune) bool { return r > 'b' }), "é中", []int{1, 3, 3, 6}},
		{"filter all", s.Filter(nil, func(r rune) bool { return false }), "", nil},
	} {
		text, at := places(c.s)
		if text != c.text || !slices.Equal(at, c.at) {
			t.Errorf("%s: %q at %v; want %q at %v", c.name, text, at, c.text, c.at)
		}
	}
}

func TestStringEmptyRange(t *testing.T) {
	s := New("abc  def").Slice(3, 8).Filter(nil, func(r rune) bool { return r != ' ' })
	if start, end := s.Original(0, 3); start != 5 || end != 8 {
		t.Errorf("def is at %d to %d; want 5 to 8", start, end)
	}
	if start, end := s.Original(1, 1); start != 4 || end != 4 {
		t.Errorf("an empty range is at %d to %d; want 4 to 4", start, end)
	}
}

func TestScratch(t *testing.T) {
	var sc Scratch
	for range 3 {
		sc.Reset()
		a := New("one two").ReplaceString(&sc, "o", "00")
		b := a.Prepend(&sc, "-").Append(&sc, "long enough for more memory")
		if a.Text() != "00ne tw00" || b.Text() != "-00ne tw00long enough for more memory" {
			t.Fatalf("%q, %q", a.Text(), b.Text())
		}
	}
	s := New("one two")
	if n := testing.AllocsPerRun(100, func() { sc.Reset(); s.Map(&sc, unicode.ToUpper) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
