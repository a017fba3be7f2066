package model_test

import (
	"fmt"
	"log"

	"github.com/fovea-ml/fovea/text/internal/model"
)

func Example() {
	m, err := model.NewWordPiece(model.WordPieceOptions{Vocabulary: model.Entries([]string{"[UNK]", "token", "##izer", "##s"})})
	if err != nil {
		log.Fatal(err)
	}
	word := "tokenizers"
	tokens, err := m.Append(nil, word)
	if err != nil {
		log.Fatal(err)
	}
	for _, t := range tokens {
		fmt.Println(t.ID, m.Text(word, t), word[t.Start:t.End])
	}
	// Output:
	// 1 token token
	// 2 ##izer izer
	// 3 ##s s
}
