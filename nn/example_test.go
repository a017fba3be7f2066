package nn_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/nn"
)

// A model is a struct of layers; its parameters are found through its exported fields.
func ExampleParameters() {
	type classifier struct {
		Hidden *nn.Linear
		Head   *nn.Linear
	}
	m := &classifier{Hidden: nn.NewLinear(4, 8, true), Head: nn.NewLinear(8, 3, true)}
	nn.XavierUniform(rand.New(rand.NewPCG(1, 2)), m.Hidden.Weight)
	for path, p := range nn.Parameters(m) {
		fmt.Println(path, p.Shape())
	}

	tape := autograd.NewTape(autograd.Options{})
	x := tape.Input(make([]float32, 2*4), 2, 4)
	fmt.Println(m.Head.Forward(m.Hidden.ForwardAct(x, autograd.ActGelu)).Shape())
	// Output:
	// Hidden.Weight [8 4]
	// Hidden.Bias [8]
	// Head.Weight [3 8]
	// Head.Bias [3]
	// [2 3]
}

// A stream of features comes in pieces: the last states of one piece are the initial ones of the next.
func ExampleLSTM() {
	l := nn.NewLSTM(nn.RecurrentConfig{In: 3, Width: 8, Layers: 2, Bias: true})
	rng := rand.New(rand.NewPCG(1, 2))
	for _, p := range nn.Parameters(l) {
		nn.Uniform(rng, p, 1/math.Sqrt(8))
	}

	tape := autograd.NewTape(autograd.Options{})
	y, h, c := l.Forward(tape.Full(1, 1, 4, 3), nn.RecurrentInput{})
	more, _, _ := l.Forward(tape.Full(1, 1, 2, 3), nn.RecurrentInput{H: h, C: c})
	whole, _, _ := l.Forward(tape.Full(1, 1, 6, 3), nn.RecurrentInput{})
	fmt.Println(y.Shape(), more.Shape(), h.Shape())
	fmt.Println(slices.Equal(append(y.Floats(nil), more.Floats(nil)...), whole.Floats(nil)))

	// Two sequences of unequal length in one batch.
	_, h, _ = l.Forward(tape.Full(1, 2, 6, 3), nn.RecurrentInput{Lengths: []int{6, 2}})
	fmt.Println(h.Shape())
	// Output:
	// [1 4 8] [1 2 8] [2 1 8]
	// true
	// [2 2 8]
}

// For inference a batch normalization becomes part of the convolution before it, and so does the activation after it.
func ExampleConv2d_FoldBatchNorm() {
	conv := nn.NewConv2d(3, 8, 3, false, autograd.Conv2dOptions{Padding: [2]int{1, 1}})
	norm := nn.NewBatchNorm(8, true)
	nn.KaimingNormal(rand.New(rand.NewPCG(1, 2)), conv.Weight, true)
	norm.Mean.Update(func(v []float32) { v[0] = 0.5 }) // as after training

	tape := autograd.NewTape(autograd.Options{})
	x := tape.Full(1, 1, 3, 4, 4)
	want := autograd.Relu(norm.Forward(conv.Forward(x))).Floats(nil)

	if err := conv.FoldBatchNorm(norm); err != nil {
		fmt.Println(err)
		return
	}
	conv.Act = autograd.ActRelu
	largest := 0.0
	for i, v := range conv.Forward(x).Floats(nil) {
		largest = max(largest, math.Abs(float64(v-want[i])))
	}
	fmt.Println(conv.Bias.Shape(), largest < 1e-5)
	// Output: [8] true
}

// A decoder loops over its blocks, because each has a cache of its own. A prompt goes through at once, then token by token.
func ExampleBlock_Forward() {
	const width, heads = 16, 2
	blocks := nn.NewStack(2, nn.BlockConfig{Width: width, Heads: heads, Act: autograd.ActSilu, Eps: 1e-6})
	rng := rand.New(rand.NewPCG(1, 2))
	for _, p := range nn.Parameters(blocks) {
		nn.Normal(rng, p, 0.2)
	}
	caches := make([]*autograd.State, len(blocks))
	for i, b := range blocks {
		b.Attention.Rotary = nn.RotarySequence(32, width/heads, nn.RotarySequenceOptions{})
		caches[i] = autograd.NewState(1, 32, 2*width, autograd.StateOptions{}) // up to 32 keys and values
	}
	tape := autograd.NewTape(autograd.Options{})
	x := tape.Uniform(1, 5, width)

	whole := blocks.Forward(x, nn.AttentionInput{Causal: true})
	var steps []float32
	for _, part := range [][2]int{{0, 3}, {3, 4}, {4, 5}} {
		y := autograd.Slice(x, 1, part[0], part[1])
		for i, b := range blocks {
			y = b.Forward(y, nn.AttentionInput{Causal: true, Cache: caches[i]})
		}
		steps = append(steps, y.Floats(nil)...)
	}
	fmt.Println(caches[0].Len(), slices.Equal(steps, whole.Floats(nil)))
	// Output: 5 true
}

// A caption is decoded token by token. The keys and values of the image are computed in the first pass alone.
func ExampleDecoderBlock() {
	const width = 16
	b := nn.NewDecoderBlock(nn.DecoderConfig{Width: width, Heads: 2, Memory: 8, Act: autograd.ActGelu, Eps: 1e-12, PostNorm: true})
	rng := rand.New(rand.NewPCG(1, 2))
	for _, p := range nn.Parameters(b) {
		nn.Normal(rng, p, 0.2)
	}
	tape := autograd.NewTape(autograd.Options{})
	x, image := tape.Uniform(1, 4, width), tape.Uniform(1, 49, 8)

	whole := b.Forward(x, nn.DecoderInput{Memory: image, Causal: true})
	cache := b.NewCache(1, 32, 1, 49, autograd.StateOptions{}) // up to 32 tokens
	var steps []float32
	for i := range 4 {
		y := b.Forward(autograd.Slice(x, 1, i, i+1), nn.DecoderInput{Memory: image, Causal: true, Cache: cache})
		steps = append(steps, y.Floats(nil)...)
	}
	fmt.Println(cache.Self.Len(), cache.Memory.Len(), slices.Equal(steps, whole.Floats(nil)))
	// Output: 4 49 true
}

// Three texts of unequal length go through one pass without padding, and each has the bits that it has alone.
func ExampleStack_Forward() {
	const width, heads = 16, 2
	embed := nn.NewEmbedding(100, width)
	blocks := nn.NewStack(2, nn.BlockConfig{Width: width, Heads: heads, Act: autograd.ActGelu, Eps: 1e-6})
	rng := rand.New(rand.NewPCG(1, 2))
	nn.Normal(rng, embed.Weight, 1)
	for _, p := range nn.Parameters(blocks) {
		nn.Normal(rng, p, 0.2)
	}
	for _, b := range blocks {
		b.Attention.Rotary = nn.RotarySequence(32, width/heads, nn.RotarySequenceOptions{})
	}

	texts := [][]int{{7, 8, 9}, {4, 5, 6, 7, 8}, {1}}
	ids, starts := []int{}, []int{0}
	for _, text := range texts {
		ids = append(ids, text...)
		starts = append(starts, len(ids))
	}
	tape := autograd.NewTape(autograd.Options{})
	y := blocks.Forward(embed.Forward(tape, ids, len(ids)), nn.AttentionInput{Starts: starts}) // [9, width]
	first := autograd.IndexSelect(y, 0, starts[:len(texts)])                                   // of each text
	alone := blocks.Forward(embed.Forward(tape, texts[1], 1, len(texts[1])), nn.AttentionInput{})
	fmt.Println(starts, y.Shape(), first.Shape())
	fmt.Println(slices.Equal(autograd.Slice(y, 0, starts[1], starts[2]).Floats(nil), alone.Floats(nil)))
	// Output:
	// [0 3 8 9] [9 16] [3 16]
	// true
}

// The heads of self-attention turn by their positions. A score depends on the distance of two tokens alone.
func ExampleRotarySequence() {
	a := nn.NewMultiHeadAttention(16, 2, true) // two heads of 8 channels
	a.Rotary = nn.RotarySequence(512, 8, nn.RotarySequenceOptions{})

	t := a.Rotary
	score := func(i, j int) float32 { // of tokens at i and j whose queries and keys are (1, 0) in the first pair
		return t.Cos[i*t.Dim]*t.Cos[j*t.Dim] + t.Sin[i*t.Dim]*t.Sin[j*t.Dim]
	}
	fmt.Printf("%.4f %.4f %.4f\n", score(3, 1), score(502, 500), score(502, 499))
	// Output: -0.4161 -0.4161 -0.9900
}
