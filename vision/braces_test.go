package vision

import (
	"strings"
	"testing"
)

func TestExpandBraces(t *testing.T) {
	for pattern, want := range map[string]string{ // as bash 5 and the Python package braceexpand
		"a.tar":              "a.tar",
		"{000..003}.tar":     "000.tar 001.tar 002.tar 003.tar",
		"{8..11}":            "8 9 10 11",
		"{08..11}":           "08 09 10 11",
		"{3..1}":             "3 2 1",
		"{0..9..4}":          "0 4 8",
		"{-1..1}":            "-1 0 1",
		"{a,b}-{1..2}.tar":   "a-1.tar a-2.tar b-1.tar b-2.tar",
		"x{a,{0..1}z,}y":     "xay x0zy x1zy xy",
		"{a}":                "{a}",
		"{a..}":              "{a..}",
		"{":                  "{",
		"}{1..2}":            "}1 }2",
		"{{1..2}":            "{1 {2",
		"{x{1,2}}":           "{x1} {x2}",
		"s3/{00..01}/{a,b,}": "s3/00/a s3/00/b s3/00/ s3/01/a s3/01/b s3/01/",
	} {
		got, err := expandBraces(pattern)
		if err != nil || strings.Join(got, " ") != want {
			t.Errorf("%s: found %q, %v, expected %s", pattern, got, err, want)
		}
	}
	for _, pattern := range []string{"{1..1048577}", "{1..999999999999999999}", strings.Repeat("{0..9}", 30), strings.Repeat("{a,b}", 100), "{{0..999999},{0..999999}}"} {
		if got, err := expandBraces(pattern); err == nil {
			t.Errorf("%s: %d names", pattern, len(got))
		}
	}
}
