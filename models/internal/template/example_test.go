package template

import (
	"context"
	"fmt"
	"log"
	"math/rand/v2"
	"os"
)

// A model that was saved is loaded and asked.
func Example() {
	folder, err := os.MkdirTemp("", "model")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(folder)
	c := Tiny()
	c.SetLabels([]string{"cat", "dog"})
	if err := New(c, 2, rand.New(rand.NewPCG(1, 2))).Save(folder, SaveOptions{}); err != nil {
		log.Fatal(err)
	}

	model, err := Load(os.DirFS(folder), LoadOptions{})
	if err != nil {
		log.Fatal(err)
	}
	predictions, err := model.Predict(context.Background(), [][]float32{{1, 0, 0, 0}, {0, 1, 0, 0}})
	if err != nil {
		log.Fatal(err)
	}
	for _, class := range predictions[0].Top {
		fmt.Printf("%s %.0f %%\n", class.Label, 100*class.Probability)
	}
	// Output:
	// dog 81 %
	// cat 19 %
}
