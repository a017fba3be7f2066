package trie_test

import (
	"fmt"

	"github.com/fovea-ml/fovea/text/internal/trie"
)

func Example() {
	t := trie.New([]string{"a", "abc", "b"})
	text := "abcd"
	node, ok := trie.Root, true
	for i := 0; i < len(text); i++ {
		if node, ok = t.Child(node, text[i]); !ok {
			break
		}
		if n := t.Value(node); n >= 0 {
			fmt.Println(n, text[:i+1])
		}
	}
	// Output:
	// 0 a
	// 1 abc
}
