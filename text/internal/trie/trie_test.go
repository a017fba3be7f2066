package trie

import (
	"math/rand/v2"
	"strings"
	"testing"
)

// TestTrie compares with a map: random strings of few and of all bytes, the empty string, equal strings.
func TestTrie(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, letters := range []int{1, 2, 5, 256} {
		for _, n := range []int{0, 1, 10, 3000} {
			want := map[string]int{}
			var list []string
			for i := range n {
				var b strings.Builder
				for range rng.IntN(8) {
					b.WriteByte(byte(rng.IntN(letters) * 255 / letters))
				}
				list = append(list, b.String())
				want[b.String()] = i
			}
			trie := New(list)
			for s, i := range want {
				if got := trie.Lookup(s); got != i {
					t.Fatalf("%d letters: %q is %d, expected %d", letters, s, got, i)
				}
				for c := range 256 {
					longer := s + string([]byte{byte(c)})
					expected, ok := want[longer]
					if !ok {
						expected = -1
					}
					if got := trie.Lookup(longer); got != expected {
						t.Fatalf("%d letters: %q is %d, expected %d", letters, longer, got, expected)
					}
				}
			}
		}
	}
}

// TestMemory bounds the cells of strings that share no place in a block.
func TestMemory(t *testing.T) {
	var list []string
	for a := range 256 {
		for b := range 256 {
			for _, c := range []byte{0, 255} {
				list = append(list, string([]byte{byte(a), byte(b), c}))
			}
		}
	}
	trie := New(list)
	if nodes := 1 + 256 + 256*256*3; len(trie.cells) > 2*nodes {
		t.Errorf("%d cells for %d nodes", len(trie.cells), nodes)
	}
	for i, s := range list {
		if got := trie.Lookup(s); got != i {
			t.Fatalf("%q is %d, expected %d", s, got, i)
		}
	}
}
