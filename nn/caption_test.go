package nn

import (
	"runtime"
	"testing"

	"github.com/fovea-ml/fovea/autograd"
)

// captioner is a text decoder that attends to an image, as BLIP's. All its layers share one block's weights, which
// changes nothing about the memory of a pass.
type captioner struct {
	table  *Embedding
	self   *Block
	cross  *MultiHeadAttention
	layers int
	pool   *autograd.StatePool
	half   autograd.DType
	arena  *autograd.Arena
}

func newCaptioner(width, heads, layers int) *captioner {
	c := &captioner{
		table:  NewEmbedding(100, width),
		self:   NewBlock(BlockConfig{Width: width, Heads: heads, Act: autograd.ActGelu, Eps: 1e-5, QKVBias: true, PostNorm: true}),
		cross:  NewSplitAttention(width, width, heads),
		layers: layers,
		pool:   &autograd.StatePool{Keep: 1 << 30},
		arena:  autograd.NewArena(),
	}
	random(c.table)
	random(c.self)
	random(c.cross)
	return c
}

// caption runs a beam search of three beams over an image's tokens, [tokens, width]. Its choices are fixed.
func (c *captioner) caption(image []float32, tokens, steps int) float32 {
	width := c.table.Weight.Shape()[1]
	tape := autograd.NewTape(autograd.Options{Arena: c.arena})
	o := autograd.StateOptions{DType: c.half, Pool: c.pool}
	own, memory := make([]*autograd.State, c.layers), make([]*autograd.State, c.layers)
	for i := range own {
		own[i] = autograd.NewState(1, steps, 2*width, o)
		memory[i] = autograd.NewState(1, tokens, 2*width, o)
		defer own[i].Release()
		defer memory[i].Release()
	}
	ids := []int{1}
	last := float32(0)
	for step := range steps {
		x := tape.Embedding(c.table.Weight, ids, len(ids), 1)
		img := tape.Borrow(image, 1, tokens, width)
		for i := range c.layers {
			x = tape.Segment(func(x *autograd.Tensor) *autograd.Tensor {
				x = c.self.Forward(x, AttentionInput{Cache: own[i], Causal: true})
				return c.cross.Forward(x, AttentionInput{Memory: img, Cache: memory[i], Residual: x})
			}, x)
		}
		last = autograd.Mean(x, false).Float()
		tape.Reset()
		from := []int{0, 0, 1}
		if step == 0 {
			from = []int{0, 0, 0}
		}
		for _, s := range own {
			s.Reorder(from)
		}
		ids = []int{step % 50, step%50 + 1, step%50 + 2}
	}
	return last
}

// allocated returns the bytes that f allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// TestCaptionAllocations bounds what a caption allocates once memory is there. What is left are small records of
// operations, which do not grow with the width of the model.
func TestCaptionAllocations(t *testing.T) {
	const tokens, steps = 40, 20
	for _, width := range []int{32, 128} {
		c := newCaptioner(width, 4, 12)
		image := make([]float32, tokens*width)
		for i := range image {
			image[i] = float32(i%7) - 3
		}
		first := c.caption(image, tokens, steps)
		c.caption(image, tokens, steps)
		var again float32
		n := allocated(func() { again = c.caption(image, tokens, steps) })
		t.Logf("width %d: %d bytes a caption", width, n)
		if n > 3<<20 {
			t.Errorf("width %d: a caption allocates %d bytes", width, n)
		}
		if first != again {
			t.Errorf("width %d: reused memory changed the result from %v to %v", width, first, again)
		}
	}
}

// BenchmarkCaption reports the time and the allocations of a caption of BLIP's size: 12 layers of 768 channels, three
// beams, 20 tokens.
func BenchmarkCaption(b *testing.B) {
	const tokens, steps, width = 577, 20, 768
	for name, half := range map[string]autograd.DType{"f32": autograd.Float32, "f16": autograd.Float16} {
		b.Run(name, func(b *testing.B) {
			c := newCaptioner(width, 12, 12)
			c.half = half
			image := make([]float32, tokens*width)
			c.caption(image, tokens, steps)
			b.ReportAllocs()
			for b.Loop() {
				c.caption(image, tokens, steps)
			}
		})
	}
}
