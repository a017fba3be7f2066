package text

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// TestMatcher compares with a search that tries every pattern at every place.
func TestMatcher(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	word := func(most int) string {
		b := make([]byte, 1+rng.IntN(most))
		for i := range b {
			b[i] = "abc"[rng.IntN(3)]
		}
		return string(b)
	}
	for range 2000 {
		patterns := make([]string, 1+rng.IntN(12))
		for i := range patterns {
			patterns[i] = word(5)
		}
		text := word(40)
		var want []match
		for at := 0; at < len(text); {
			best := -1
			for i, p := range patterns {
				if strings.HasPrefix(text[at:], p) && (best < 0 || len(p) > len(patterns[best])) {
					best = i
				}
			}
			if best < 0 {
				at++
				continue
			}
			want = append(want, match{at, at + len(patterns[best]), best})
			at += len(patterns[best])
		}
		if got := newMatcher(patterns).find(nil, text); !slices.Equal(got, want) {
			t.Fatalf("%q in %q: expected %v, found %v", patterns, text, want, got)
		}
	}
}

// TestMatcherLinear builds and searches sizes that a quadratic method would not end in the time of a test.
func TestMatcherLinear(t *testing.T) {
	long := strings.Repeat("a", 1<<20)
	hits := newMatcher([]string{"a", long[1:] + "b"}).find(nil, long)
	if len(hits) != len(long) {
		t.Errorf("expected %d matches, found %d", len(long), len(hits))
	}
	patterns := make([]string, 1<<20)
	for i := range patterns {
		patterns[i] = "<" + strings.Repeat(string(rune('a'+i%26)), 3) + string(rune(0x4E00+i%20000)) + string(rune('0'+i/20000)) + ">"
	}
	text := patterns[5] + " text " + patterns[1<<20-1]
	want := []match{{0, len(patterns[5]), 5}, {len(patterns[5]) + 6, len(text), 1<<20 - 1}}
	if got := newMatcher(patterns).find(nil, text); !slices.Equal(got, want) {
		t.Errorf("expected %v, found %v", want, got)
	}
}
