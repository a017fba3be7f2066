package bert_test

import (
	"fmt"
	"math/rand/v2"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/models/bert"
)

// Two sequences go through a small model that is not trained. The second has the result that it has alone.
func ExampleEncoder() {
	c := bert.MiniLM()
	c.VocabSize, c.HiddenSize, c.NumHiddenLayers, c.NumAttentionHeads, c.IntermediateSize = 100, 32, 2, 4, 64
	m := bert.New(c, bert.Features, 0, rand.New(rand.NewPCG(1, 2)))
	tape := autograd.NewTape(autograd.Options{})
	both := m.Encoder.Forward(tape, bert.Pack([]int{1, 7, 2}, []int{1, 9, 9, 8, 2}))
	alone := m.Encoder.Forward(tape, bert.Pack([]int{1, 9, 9, 8, 2}))
	fmt.Println(both.Shape(), both.Floats(nil)[3*32] == alone.Floats(nil)[0])
	// Output: [8 32] true
}
