package nn

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/internal/test/golden"
	"github.com/fovea-ml/fovea/simd"
)

// Inference scales and adds in one pass, and has the bits of tapes with gradients, where each step is an operation: blocks of
// random forms, with layer scale and adapters, in each arithmetic.
func TestBlockFusedBits(t *testing.T) {
	rng := rand.New(rand.NewPCG(8, 9))
	rounds := 60
	if testing.Short() {
		rounds = 12
	}
	yes := func() bool { return rng.IntN(2) == 0 }
	for range rounds {
		c := BlockConfig{Width: 4 * (1 + rng.IntN(9)), Heads: 1 + rng.IntN(2), Hidden: 1 + rng.IntN(40), Act: autograd.ActGelu, Eps: 1e-5,
			QKVBias: yes(), QKNorm: yes(), AttentionNorm: yes(), MLPNorm: yes(), Branches: rng.IntN(3)}
		switch rng.IntN(4) {
		case 0:
			c.PostNorm, c.Branches = true, 0
		case 1:
			c.BranchNorm = true
		case 2:
			c.Parallel, c.Branches = true, 0
		}
		c.Gated = !c.Parallel && yes()
		if rng.IntN(4) > 0 {
			c.LayerScale = 0.5
		}
		b := NewBlock(c)
		random(b)
		adapted := yes()
		if adapted {
			low := &LowRank{A: autograd.NewParameter(2, c.Width), B: autograd.NewParameter(c.Width, 2), Alpha: 3}
			random(low)
			b.Attention.Proj.Adapter = []*LowRank{low}
		}
		n, length := 1+rng.IntN(3), 1+rng.IntN(40)
		for _, m := range []simd.Math{simd.Strict, simd.Accurate, simd.BF16} {
			run := func(o autograd.Options) []float32 {
				o.Math, o.Debug = m, true
				tape := autograd.NewTape(o)
				return b.Forward(input(tape, n, length, c.Width), AttentionInput{}).Floats(nil)
			}
			what := fmt.Sprintf("%v: %d sequences of %d, adapter %t, %+v", m, n, length, adapted, c)
			want := run(autograd.Options{Gradients: true})
			for threads := 1; threads <= 4; threads++ {
				if got := run(autograd.Options{Workers: simd.NewWorkers(threads)}); !slices.Equal(got, want) {
					t.Fatalf("%s, %d threads: inference has other bits than a tape with gradients", what, threads)
				}
			}
		}
	}
}

// The first tokens of a block, computed alone, have the bits that they have in the whole, in each arithmetic, and the gradients
// of a loss that sees these tokens alone.
func TestBlockFirst(t *testing.T) {
	rng := rand.New(rand.NewPCG(10, 11))
	for round := range 40 {
		c := BlockConfig{Width: 8 * (1 + rng.IntN(4)), Heads: 2, Act: autograd.ActGelu, Eps: 1e-5, QKVBias: true, QKNorm: round%2 == 0, AttentionNorm: round%3 == 0}
		switch round % 5 {
		case 0:
			c.PostNorm = true
		case 1:
			c.BranchNorm, c.LayerScale = true, 0.5
		case 2:
			c.Parallel = true
		case 3:
			c.Branches, c.LayerScale = 2, 0.5
		}
		b := NewBlock(c)
		rows, columns := 1+rng.IntN(5), 1+rng.IntN(5)
		n, length := 1+rng.IntN(3), 1+rows*columns
		if rng.IntN(2) == 0 {
			b.Attention.Relative = &RelativePositionBias{Table: autograd.NewParameter((2*rows-1)*(2*columns-1)+3, c.Heads), Index: RelativePositionIndex(rows, columns, true)}
		}
		random(b)
		first := 1 + rng.IntN(length)
		what := fmt.Sprintf("the first %d of %d sequences of %d, %+v", first, n, length, c)
		for _, o := range []autograd.Options{{}, {Gradients: true}, {Gradients: true, Training: true, Recompute: true}, {Math: simd.BF16}, {Math: simd.Int8}} {
			o.Workers = simd.NewWorkers(2)
			run := func(part bool) ([]float32, *autograd.Gradients, []float32) {
				tape := autograd.NewTape(o)
				var maps []float32
				in := AttentionInput{Maps: &maps}
				if part {
					in.First = first
				}
				y := Stack{b, b}.Forward(input(tape, n, length, c.Width), in)
				if !part {
					y = autograd.Slice(y, 1, 0, first)
				}
				values, weights, grads := y.Floats(nil), slices.Clone(maps), autograd.NewGradients()
				if o.Gradients {
					autograd.Sum(autograd.Mul(y, y), false).Backward(grads)
				}
				return values, grads, weights
			}
			want, wantGrads, wantMaps := run(false)
			got, grads, maps := run(true)
			if !slices.Equal(got, want) {
				t.Fatalf("%s: other bits than in the whole", what)
			}
			var wanted []float32 // of the first queries
			for sequence := range slices.Chunk(wantMaps, length*length) {
				wanted = append(wanted, sequence[:first*length]...)
			}
			if !slices.Equal(maps, wanted) {
				t.Fatalf("%s: other attention weights than in the whole", what)
			}
			if !o.Gradients {
				continue
			}
			var all [][]float32
			for _, p := range Parameters(b) {
				all = append(all, wantGrads.Of(p))
			}
			for path, p := range Parameters(b) {
				golden.Gradient(t, what+": "+path, grads.Of(p), wantGrads.Of(p), golden.Norm(all...))
			}
		}
	}
}

// TestModesAtOnce runs one model in all arithmetics at once: each result is that of the arithmetic alone.
func TestModesAtOnce(t *testing.T) {
	make := func() (*ConvNorm, *Block) {
		conv := NewConvNorm(16, 16, 3, autograd.ActRelu, autograd.Conv2dOptions{Padding: [2]int{1, 1}})
		block := NewBlock(BlockConfig{Width: 16, Heads: 2, LayerScale: 0.5, Act: autograd.ActGelu})
		block.Attention.Relative = &RelativePositionBias{MLP: NewRelativePositionMLP(16, 2), Offsets: RelativeLogOffsets(3, 4), Index: RelativePositionIndex(3, 4, false)}
		random(conv)
		random(block)
		return conv, block
	}
	forward := func(conv *ConvNorm, block *Block, m simd.Math) []float32 {
		tape := autograd.NewTape(autograd.Options{Math: m, Workers: simd.NewWorkers(2)})
		defer tape.Reset()
		y := conv.ForwardAdd(input(tape, 2, 16, 3, 4), input(tape, 2, 16, 3, 4))
		return block.Forward(autograd.Permute(autograd.Reshape(y, 2, 16, 12), 0, 2, 1), AttentionInput{}).Floats(nil)
	}
	modes := []simd.Math{simd.Strict, simd.Accurate, simd.BF16, simd.Int8}
	var want [][]float32
	for _, m := range modes {
		conv, block := make()
		want = append(want, forward(conv, block, m))
	}
	conv, block := make()
	var wait sync.WaitGroup
	for i := range 4 * len(modes) {
		wait.Go(func() {
			for j := range 3 {
				k := (i + j) % len(modes)
				if !slices.Equal(forward(conv, block, modes[k]), want[k]) {
					t.Errorf("%v has another result beside other arithmetics", modes[k])
				}
			}
		})
	}
	wait.Wait()
}

// TestFirstRefused expects the documented panic of attention and of each form of block.
func TestFirstRefused(t *testing.T) {
	const n, length, width = 2, 3, 8
	attention := NewMultiHeadAttention(width, 2, true)
	layers := map[string]func(x *autograd.Tensor, in AttentionInput) *autograd.Tensor{
		"attention": attention.Forward,
		"block":     NewBlock(BlockConfig{Width: width, Heads: 2}).Forward,
		"parallel":  NewBlock(BlockConfig{Width: width, Heads: 2, Parallel: true}).Forward,
		"branches":  NewBlock(BlockConfig{Width: width, Heads: 2, Branches: 2}).Forward,
	}
	for name, forward := range layers {
		for what, in := range map[string]AttentionInput{
			"causal": {First: 1, Causal: true},
			"packed": {First: 1, Starts: []int{0, 1, 3}},
			"cache":  {First: 1, Cache: new(autograd.State)},
		} {
			tape := autograd.NewTape(autograd.Options{})
			x := input(tape, n, length, width)
			if what == "packed" {
				x = autograd.Reshape(autograd.Slice(x, 0, 0, 1), length, width)
			}
			func() {
				defer func() {
					if use, ok := recover().(*autograd.UseError); !ok || use.Op != "attention" {
						t.Errorf("%s, %s: expected a UseError of attention, found %v", name, what, use)
					}
				}()
				forward(x, in)
			}()
		}
	}
}

// TestFirstBias adds one row of biases to the scores of all queries, and one to each.
func TestFirstBias(t *testing.T) {
	const n, length, width = 2, 5, 8
	b := NewBlock(BlockConfig{Width: width, Heads: 2, QKVBias: true})
	random(b)
	for _, queries := range []int{1, length} {
		tape := autograd.NewTape(autograd.Options{})
		x := input(tape, n, length, width)
		bias := make([]float32, n*queries*length)
		for i := range bias {
			bias[i] = float32(i%7) / 3
		}
		in := AttentionInput{Bias: tape.Input(bias, n, 1, queries, length)}
		want := autograd.Slice(b.Forward(x, in), 1, 0, 3).Floats(nil)
		in.First = 3
		if got := b.Forward(x, in).Floats(nil); !slices.Equal(got, want) {
			t.Errorf("biases of %d queries: found %v, expected %v", queries, got, want)
		}
	}
}
