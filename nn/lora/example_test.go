package lora_test

import (
	"fmt"
	"log"
	"math/rand/v2"
	"os"
	"path/filepath"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/checkpoint"
	"github.com/fovea-ml/fovea/nn"
	"github.com/fovea-ml/fovea/nn/lora"
)

// Two layers get adapters, which are saved alone, loaded into a second copy of the model, and merged.
func Example() {
	type classifier struct {
		Hidden *nn.Linear
		Head   *nn.Linear
	}
	newModel := func() *classifier {
		return &classifier{Hidden: nn.NewLinear(16, 32, true), Head: nn.NewLinear(32, 3, true)}
	}
	names := &checkpoint.Names{Rules: []checkpoint.Rule{{"Hidden", "encoder.dense"}, {"Head", "classifier"}}}

	m := newModel()
	err := lora.Attach(m, lora.Options{Layers: []string{"Hidden"}, Rank: 2, Train: []string{"Head.*"}}, rand.New(rand.NewPCG(1, 2)))
	if err != nil {
		log.Fatal(err)
	}
	for path, p := range nn.Parameters(m) {
		if !p.Frozen {
			fmt.Println(path, p.Shape())
		}
	}
	// Training would go here.

	dir, err := os.MkdirTemp("", "lora")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if err := lora.Save(dir, m, names); err != nil {
		log.Fatal(err)
	}
	f, err := checkpoint.Open(filepath.Join(dir, lora.SafetensorsName), checkpoint.OpenOptions{})
	if err != nil {
		log.Fatal(err)
	}
	for name := range f.Names() {
		fmt.Println(name)
	}

	other := newModel()
	if err := lora.Load(os.DirFS(dir), other, names); err != nil {
		log.Fatal(err)
	}
	if err := lora.Merge(other); err != nil {
		log.Fatal(err)
	}
	tape := autograd.NewTape(autograd.Options{})
	x := tape.Input(make([]float32, 16), 1, 16)
	fmt.Println(other.Head.Forward(other.Hidden.Forward(x)).Shape())
	// Output:
	// Hidden.Adapter.0.A [2 16]
	// Hidden.Adapter.0.B [32 2]
	// Head.Weight [3 32]
	// Head.Bias [3]
	// base_model.model.classifier.bias
	// base_model.model.classifier.weight
	// base_model.model.encoder.dense.lora_A.weight
	// base_model.model.encoder.dense.lora_B.weight
	// [1 3]
}
