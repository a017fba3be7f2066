package normalize_test

import (
	"fmt"

	"github.com/fovea-ml/fovea/text/internal/normalize"
)

func Example() {
	n, err := normalize.Parse([]byte(`{"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true, "lowercase": true}`))
	if err != nil {
		panic(err)
	}
	original := "Él 中"
	s := n.Normalize(nil, normalize.New(original))
	for i, r := range s.Text() {
		start, end := s.Original(i, i+len(string(r)))
		fmt.Printf("%q from %q\n", r, original[start:end])
	}
	// Output:
	// 'e' from "É"
	// 'l' from "l"
	// ' ' from " "
	// ' ' from "中"
	// '中' from "中"
	// ' ' from "中"
}
