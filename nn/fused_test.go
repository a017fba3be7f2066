package nn

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/fovea-ml/fovea/autograd"
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
