package train_test

import (
	"context"
	"fmt"
	"log"
	"maps"

	"github.com/fovea-ml/fovea/text/internal/model"
	"github.com/fovea-ml/fovea/text/internal/train"
)

func Example() {
	words := maps.All(map[string]int{"low": 5, "lower": 2, "newest": 6, "widest": 3})
	o, err := train.BPE(context.Background(), words, train.MergeOptions{Size: 18, Special: []string{"<unk>"}})
	if err != nil {
		log.Fatal(err)
	}
	o.Unknown = new("<unk>")
	m, err := model.NewBPE(o)
	if err != nil {
		log.Fatal(err)
	}
	tokens, err := m.Append(nil, "lowest")
	if err != nil {
		log.Fatal(err)
	}
	for _, t := range tokens {
		fmt.Println(t.ID, m.Text("lowest", t))
	}
	// Output:
	// 14 low
	// 12 est
}
