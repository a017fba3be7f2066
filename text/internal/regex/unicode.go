package regex

import (
	_ "embed"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/fovea-ml/fovea/text/internal/varint"
)

// compressed is written by testdata/gen/text_regex.py, which describes its format. It holds the tables of the Oniguruma
// that tokenizers links, because those of package unicode change with the toolchain.
//
//go:embed unicode.zlib
var compressed []byte

type tables struct {
	properties map[string]ranges // by normalized name; ":alpha" is [[:alpha:]]
	same       map[rune][]rune   // the code points that differ from one in case alone, itself among them
	expansions map[rune][]rune   // what a code point folds to, if that is several: "ß" to "ss"
	folded     map[string][]rune // the code points that fold to a sequence of representatives
	cased      []rune            // the keys of same, ascending
	expanding  []rune            // the keys of expansions, ascending
}

// unicodeTables reads the tables when the first pattern needs them.
var unicodeTables = sync.OnceValue(func() *tables {
	table := varint.Open(compressed)
	next := table.Next
	all := make([]ranges, next())
	for i := range all {
		all[i] = make(ranges, next())
		end := 0
		for j := range all[i] {
			lo := end + next()
			end = lo + next()
			all[i][j] = [2]rune{rune(lo), rune(end)}
		}
	}
	t := &tables{properties: map[string]ranges{}, same: map[rune][]rune{}, expansions: map[rune][]rune{}, folded: map[string][]rune{}}
	for range next() {
		name := table.Text()
		t.properties[name] = all[next()]
	}
	runes := func() []rune {
		out := make([]rune, next())
		for i := range out {
			out[i] = rune(next())
		}
		return out
	}
	for range next() {
		class := runes()
		for _, r := range class {
			t.same[r] = class
		}
	}
	for range next() {
		r := rune(next())
		to := runes()
		t.expansions[r] = to
		key := make([]rune, len(to))
		for i, f := range to {
			key[i] = t.representative(f)
		}
		t.folded[string(key)] = append(t.folded[string(key)], r)
	}
	t.cased, t.expanding = slices.Sorted(maps.Keys(t.same)), slices.Sorted(maps.Keys(t.expansions))
	return t
})

// property returns the code points with a property, in memory that must not change. Case, spaces, hyphens and
// underscores of the name do not count.
func property(name string) (ranges, bool) {
	name = strings.Map(func(r rune) rune {
		if r == ' ' || r == '-' || r == '_' {
			return -1
		}
		return r
	}, strings.ToLower(name))
	s, ok := unicodeTables().properties[name]
	return s, ok
}

// variants returns the code points that equal r if case does not count: a set with r.
func variants(r rune) ranges {
	out := ranges{{r, r}}
	for _, s := range unicodeTables().same[r] {
		out = out.union(ranges{{s, s}})
	}
	return out
}

// representative returns one of the code points that equal r if case does not count: the same for each of them.
func (t *tables) representative(r rune) rune {
	if class, ok := t.same[r]; ok {
		return class[0]
	}
	return r
}
