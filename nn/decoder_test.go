package nn

import (
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/autograd/gradcheck"
	"github.com/fovea-ml/fovea/internal/test/golden"
)

// TestDecoderLibraries compares outputs and gradients with blocks of PyTorch and transformers.
func TestDecoderLibraries(t *testing.T) {
	const n, keys = 2, 7
	memoryMask, keyMask := make([]bool, n*keys), make([]bool, n*5)
	for i := range memoryMask {
		memoryMask[i] = i < 4 || i >= keys
	}
	for i := range keyMask {
		keyMask[i] = i != 5+1
	}
	g := golden.Load(t, "testdata/decoder.safetensors")
	for name, c := range map[string]DecoderConfig{
		"torch/post": {Act: autograd.ActGelu, PostNorm: true, Eps: 1e-5},
		"torch/pre":  {Act: autograd.ActGelu, Eps: 1e-5},
		"detr":       {Act: autograd.ActRelu, PostNorm: true, Split: true, Eps: 1e-5},
		"bert":       {Act: autograd.ActGelu, PostNorm: true, Eps: 1e-12},
	} {
		c.Width, c.Heads, c.Hidden = 12, 3, 20
		b := NewDecoderBlock(c)
		tape := autograd.NewTape(autograd.Options{Gradients: true, Training: true, Debug: true})
		inputs := map[string]*autograd.Tensor{}
		for _, key := range []string{"x", "memory", "positions", "memory_positions"} {
			if g.Has(name + "/in/" + key) {
				v, shape := g.Tensor(name + "/in/" + key)
				inputs[key] = tape.Input(v, shape...).WantGradient()
			}
		}
		in := DecoderInput{
			Memory: inputs["memory"], MemoryMask: memoryMask, Causal: name != "detr",
			Positions: inputs["positions"], MemoryPositions: inputs["memory_positions"],
		}
		if strings.HasPrefix(name, "torch") {
			in.KeyMask = keyMask
		}
		for path, p := range Parameters(b) {
			p.Update(func(w []float32) { copy(w, g.Floats(name+"/param/"+path)) })
		}
		y := b.Forward(inputs["x"], in)
		golden.Output(t, name, y.Floats(nil), g.Floats(name+"/out"))

		grads := autograd.NewGradients()
		autograd.Backward(grads, []*autograd.Tensor{y}, [][]float32{g.Floats(name + "/seed")})
		all := 0.0
		for path := range Parameters(b) {
			all += math.Pow(golden.Norm(g.Floats(name+"/grad/"+path)), 2)
		}
		for path, p := range Parameters(b) {
			golden.Gradient(t, name+": "+path, grads.Of(p), g.Floats(name+"/grad/"+path), math.Sqrt(all))
		}
		for key, x := range inputs {
			golden.Gradient(t, name+": "+key, grads.OfTensor(x), g.Floats(name+"/dx/"+key), math.Sqrt(all))
		}
	}
}

// TestDecoderDifferences compares gradients with finite differences, and runs on more threads and again.
func TestDecoderDifferences(t *testing.T) {
	for _, c := range []DecoderConfig{
		{Width: 6, Heads: 2, Hidden: 8, Memory: 5, Act: autograd.ActGelu, Eps: 1e-3},
		{Width: 6, Heads: 2, Hidden: 8, Act: autograd.ActGelu, Eps: 1e-3, PostNorm: true, Split: true},
	} {
		b := NewDecoderBlock(c)
		random(b)
		inputs := []*autograd.Parameter{autograd.NewParameter(2, 3, 6), autograd.NewParameter(2, 4, b.Cross.Key.Weight.Shape()[1])}
		if c.Split {
			inputs = append(inputs, autograd.NewParameter(3, 6), autograd.NewParameter(2, 4, 6))
		}
		random(inputs)
		params := inputs
		for _, p := range Parameters(b) {
			params = append(params, p)
		}
		err := gradcheck.Check(func(t *autograd.Tape) []*autograd.Tensor {
			in := DecoderInput{Memory: t.Use(inputs[1]), Causal: true, MemoryMask: []bool{true, false, true, true, true, true, true, false}}
			if c.Split {
				in.Positions, in.MemoryPositions = t.Use(inputs[2]), t.Use(inputs[3])
			}
			return []*autograd.Tensor{b.Forward(t.Use(inputs[0]), in)}
		}, params, gradcheck.Options{})
		if err != nil {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

// TestDecoderCache decodes a sequence a few positions at a time, with the memory in the first pass alone, and expects the bits
// of the whole. Two beams of it that were reordered have the same.
func TestDecoderCache(t *testing.T) {
	const length, keys = 9, 5
	pool := &autograd.StatePool{Keep: 1 << 20}
	for _, c := range []DecoderConfig{
		{Width: 12, Heads: 3, Memory: 7, Act: autograd.ActGelu, Eps: 1e-5, PostNorm: true},
		{Width: 12, Heads: 3, Memory: 7, Act: autograd.ActGelu, Eps: 1e-5, Split: true},
	} {
		b := NewDecoderBlock(c)
		random(b)
		whole := autograd.NewTape(autograd.Options{Debug: true})
		x, memory := input(whole, 1, length, 12), input(whole, 1, keys, 7).Floats(nil)
		in := DecoderInput{Causal: true, MemoryMask: []bool{true, true, false, true, true}}
		in.Memory = whole.Input(memory, 1, keys, 7)
		want := b.Forward(x, in)
		cache := b.NewCache(1, length, 1, keys, autograd.StateOptions{Pool: pool})
		for first, steps := 0, 1; first < length; first, steps = first+steps, min(steps+1, length-first-steps) {
			tape := autograd.NewTape(autograd.Options{Debug: true})
			beams := cache.Self.Batch()
			row := autograd.Slice(x, 1, first, first+steps).Floats(nil)
			if beams == 2 {
				row = append(row, row...)
			}
			in.Cache, in.Memory = cache, tape.Input(memory, 1, keys, 7)
			if first > 0 { // it is in the cache
				in.Memory = tape.Full(float32(math.NaN()), 1, keys, 7)
			}
			got := b.Forward(tape.Input(row, beams, steps, 12), in)
			for beam := range beams {
				one := autograd.Slice(got, 0, beam, beam+1).Floats(nil)
				if d := cmp.Diff(autograd.Slice(want, 1, first, first+steps).Floats(nil), one); d != "" {
					t.Errorf("%+v: positions %d to %d, beam %d: %s", c, first, first+steps, beam, d)
				}
			}
			if first == 1 {
				cache.Reorder([]int{0, 0})
			}
		}
		cache.Clear()
		if cache.Self.Len() != 0 || cache.Memory.Len() != 0 {
			t.Error("the cache is not empty")
		}
		cache.Release()
	}
}

// TestDecoderWithout checks a block without a memory, which is a Block, and that probabilities act while training alone.
func TestDecoderWithout(t *testing.T) {
	for _, post := range []bool{false, true} {
		b := NewDecoderBlock(DecoderConfig{Width: 8, Heads: 2, Act: autograd.ActGelu, Eps: 1e-6, PostNorm: post})
		b.Norm2, b.Cross = nil, nil
		random(b)
		same := &Block{Norm1: b.Norm1, Attention: b.Self, Norm2: b.Norm3, MLP: b.MLP, PostNorm: post}
		tape := autograd.NewTape(autograd.Options{Debug: true})
		x := input(tape, 2, 3, 8)
		near(t, "without a memory", b.Forward(x, DecoderInput{Causal: true}), same.Forward(x, AttentionInput{Causal: true}))
	}
	plain := NewDecoderBlock(DecoderConfig{Width: 8})
	random(plain)
	for name, c := range map[string]DecoderConfig{
		"dropout": {Width: 8, Dropout: 0.5}, "attention": {Width: 8, AttentionDropout: 0.5}, "hidden": {Width: 8, HiddenDropout: 0.5},
	} {
		b := NewDecoderBlock(c)
		Copy(b, plain)
		for _, training := range []bool{false, true} {
			tape := autograd.NewTape(autograd.Options{Training: training, Debug: true})
			x := input(tape, 2, 3, 8)
			in := DecoderInput{Memory: input(tape, 2, 4, 8)}
			if dropped := !cmp.Equal(b.Forward(x, in).Floats(nil), plain.Forward(x, in).Floats(nil)); dropped != training {
				t.Errorf("%s: dropped %v while training is %v", name, dropped, training)
			}
		}
	}
}

func TestDecoderMisuse(t *testing.T) {
	b := NewDecoderBlock(DecoderConfig{Width: 8})
	tape := autograd.NewTape(autograd.Options{})
	x := input(tape, 1, 3, 8)
	misuse(t, "no memory", func() { b.Forward(x, DecoderInput{}) })
	misuse(t, "positions of a fused projection", func() { b.Forward(x, DecoderInput{Memory: x, Positions: x}) })
	b.Norm2, b.Cross = nil, nil
	misuse(t, "a memory", func() { b.Forward(x, DecoderInput{Memory: x}) })
	if c := b.NewCache(1, 3, 0, 0, autograd.StateOptions{}); c.Memory != nil {
		t.Error("a cache of a memory in a block without one")
	}
}
