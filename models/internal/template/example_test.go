package template

import (
	"context"
	"fmt"
	"image"
	"image/color"
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

	model, err := Open(folder, LoadOptions{})
	if err != nil {
		log.Fatal(err)
	}
	img := image.NewGray(image.Rect(0, 0, 20, 20))
	img.SetGray(4, 7, color.Gray{200})
	predictions, err := model.Classify(context.Background(), img)
	if err != nil {
		log.Fatal(err)
	}
	for _, class := range predictions[0].Top {
		fmt.Printf("%s %.0f %%\n", class.Label, 100*class.Probability)
	}
	// Output:
	// cat 97 %
	// dog 3 %
}
