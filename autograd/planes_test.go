package autograd

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/fovea-ml/fovea/simd"
)

// regroup joins, cuts and regroups the channels of images in a random order of steps, each in a segment.
func regroup(tape *Tape, seed uint64, n int) *Tensor {
	rng := rand.New(rand.NewPCG(7, seed))
	const h, w = 9, 10
	x := tape.Input(normals(seed, n*6*h*w), n, 6, h, w)
	for range 6 {
		x = tape.Segment(func(x *Tensor) *Tensor {
			c := x.Dim(1)
			at := 1 + rng.IntN(c-1)
			left, right := Slice(x, 1, 0, at), Slice(x, 1, at, c)
			switch rng.IntN(4) {
			case 0:
				left = Relu(left)
			case 1:
				right = Add(right, right)
			case 2:
				left = Slice(left, 2, 0, h) // another dimension
			}
			switch y := Concat(1, right, left, Slice(right, 1, 0, 1), right); rng.IntN(3) {
			case 0:
				return Slice(ChannelShuffle(Concat(-3, y, y), 2), 1, 1, min(9, 1+y.Dim(1)))
			case 1:
				return ChannelShuffle(y, y.Dim(1))
			default:
				return ChannelShuffle(Slice(y, 1, 0, y.Dim(1)/2*2), 2)
			}
		}, x)
	}
	return x
}

// Planes that lie apart have the values of images in one piece, and their memory goes back to the arena: a second pass
// takes nothing more. A tape that could record gradients keeps images in one piece.
func TestPlanes(t *testing.T) {
	for seed := range uint64(40) {
		n := 1 + int(seed%2)
		want := regroup(NewTape(Options{Gradients: true, Debug: true}), seed, n)
		if want.planes != nil {
			t.Fatal("planes lie apart on a tape that records")
		}
		tape := NewTape(Options{Debug: true, Workers: simd.NewWorkers(1 + int(seed%3))})
		apart := false
		held := 0
		for pass := range 3 {
			y := regroup(tape, seed, n)
			apart = apart || y.planes != nil
			sameBits(t, fmt.Sprint("seed ", seed, " pass ", pass), y.Floats(nil), want.data)
			if tape.Lent() != 0 {
				t.Errorf("seed %d: %d buffers are lent", seed, tape.Lent())
			}
			tape.Reset()
			if pass == 1 {
				held = tape.MemoryBytes()
			}
		}
		if tape.MemoryBytes() != held {
			t.Errorf("seed %d: the arena grew from %d to %d bytes", seed, held, tape.MemoryBytes())
		}
		free := 0
		for _, class := range tape.arena.free {
			for _, b := range class {
				free += 4 * cap(b)
			}
		}
		if free != tape.MemoryBytes() {
			t.Errorf("seed %d: %d of %d bytes are free after Reset", seed, free, tape.MemoryBytes())
		}
		if !apart {
			t.Errorf("seed %d: no planes lie apart", seed)
		}
	}
}

// An operation that takes images in one piece gets them by one copy, however many operations follow.
func TestPlanesProfile(t *testing.T) {
	p := &Profile{}
	tape := NewTape(Options{Profile: p})
	x := tape.Input(normals(1, 4*64), 1, 4, 8, 8)
	y := ChannelShuffle(Concat(1, x, x), 4)
	if s := p.String(); strings.Contains(s, "join planes") {
		t.Fatalf("planes were joined early:\n%s", s)
	}
	z := Add(y, y)
	z = Add(z, Relu(y))
	sameBits(t, "sum", z.Floats(nil), func() []float32 {
		g := NewTape(Options{Gradients: true})
		x := g.Input(normals(1, 4*64), 1, 4, 8, 8)
		y := ChannelShuffle(Concat(1, x, x), 4)
		return Add(Add(y, y), Relu(y)).Floats(nil)
	}())
	if e := p.entries["join planes"]; e == nil || e.calls != 1 || e.bytes != 4*8*64 {
		t.Errorf("expected one copy of 2048 bytes:\n%s", p)
	}
}

// A parameter's values, small images and empty ones stay in one piece.
func TestPlanesNot(t *testing.T) {
	tape := NewTape(Options{})
	p := ParameterOf(normals(1, 2*64), 1, 2, 8, 8)
	x := tape.Full(1, 1, 2, 8, 8)
	for name, y := range map[string]*Tensor{
		"use":       Concat(1, tape.Use(p), x),
		"parameter": Concat(1, x, p),
		"small":     ChannelShuffle(tape.Full(1, 1, 4, 2, 2), 2),
		"empty":     Slice(x, 1, 1, 1),
		"tokens":    Concat(1, tape.Full(1, 1, 70, 70), tape.Full(1, 1, 70, 70)),
		"no images": Concat(1, tape.Full(1, 0, 2, 8, 8), tape.Full(1, 0, 2, 8, 8)),
	} {
		if y.planes != nil || len(y.data) != y.Len() {
			t.Errorf("%s: %d values for %v", name, len(y.data), y.Shape())
		}
	}
	// One image's channels are a run of memory that is shared.
	y := Slice(Slice(x, 1, 1, 2), 1, 0, 1)
	if y.planes != nil || &y.data[0] != &x.data[64] {
		t.Error("the channel of an image was copied")
	}
}

// BenchmarkShuffleBlock is the block of ShuffleNetV2 (arXiv 1807.11164, figure 3c) in inference.
func BenchmarkShuffleBlock(b *testing.B) {
	for _, c := range [][2]int{{48, 44}, {96, 22}, {192, 11}} {
		channels, size, half := c[0], c[1], c[0]/2
		w1, w2 := ParameterOf(normals(1, half*half), half, half, 1, 1), ParameterOf(normals(2, half*half), half, half, 1, 1)
		w := ParameterOf(normals(3, half*9), half, 1, 3, 3)
		bias := ParameterOf(normals(4, half), half)
		values := normals(5, channels*size*size)
		b.Run(fmt.Sprintf("%d/%d", channels, size), func(b *testing.B) {
			b.ReportAllocs()
			tape := NewTape(Options{})
			for b.Loop() {
				x := tape.Borrow(values, 1, channels, size, size)
				for range 4 {
					x = tape.Segment(func(x *Tensor) *Tensor {
						left, right := Slice(x, 1, 0, half), Slice(x, 1, half, channels)
						right = Relu(Conv2d(right, w1, bias, Conv2dOptions{}))
						right = Conv2d(right, w, bias, Conv2dOptions{Padding: [2]int{1, 1}, Groups: half})
						right = Relu(Conv2d(right, w2, bias, Conv2dOptions{}))
						return ChannelShuffle(Concat(1, left, right), 2)
					}, x)
				}
				tape.Reset()
			}
		})
	}
}

// Depthwise and 1×1 convolutions read planes where they lie. Others join them.
func TestPlanesConv(t *testing.T) {
	for _, c := range []struct {
		name     string
		w        []int
		o        Conv2dOptions
		residual bool
		joined   int // copies
	}{
		{"1x1", []int{5, 8, 1, 1}, Conv2dOptions{Act: ActRelu}, false, 0},
		{"1x1 with residual", []int{8, 8, 1, 1}, Conv2dOptions{Act: ActSilu}, true, 1},
		{"1x1 in groups", []int{4, 4, 1, 1}, Conv2dOptions{Groups: 2}, false, 1},
		{"1x1 by 2", []int{4, 8, 1, 1}, Conv2dOptions{Stride: [2]int{2, 2}}, false, 1},
		{"depthwise", []int{8, 1, 3, 3}, Conv2dOptions{Groups: 8, Padding: [2]int{1, 1}, Act: ActRelu}, false, 0},
		{"depthwise by 2", []int{16, 1, 5, 5}, Conv2dOptions{Groups: 8, Padding: [2]int{2, 2}, Stride: [2]int{2, 2}}, false, 0},
		{"depthwise with residual", []int{8, 1, 3, 3}, Conv2dOptions{Groups: 8, Padding: [2]int{1, 1}}, true, 1},
		{"3x3", []int{3, 8, 3, 3}, Conv2dOptions{}, false, 1},
	} {
		run := func(o Options) *Tensor {
			tape := NewTape(o)
			x := ChannelShuffle(tape.Input(normals(1, 2*8*9*10), 2, 8, 9, 10), 4)
			w, b := ParameterOf(normals(2, elements("test", c.w)), c.w...), ParameterOf(normals(3, c.w[0]), c.w[0])
			if !c.residual {
				return Conv2d(x, w, b, c.o)
			}
			return Conv2dAdd(x, w, b, ChannelShuffle(tape.Input(normals(4, 2*8*9*10), 2, 8, 9, 10), 2), c.o)
		}
		want := run(Options{Gradients: true})
		for threads := 1; threads <= 3; threads++ {
			p := &Profile{}
			y := run(Options{Debug: true, Workers: simd.NewWorkers(threads), Profile: p})
			sameBits(t, c.name, y.Floats(nil), want.data)
			joined := 0
			if e := p.entries["join planes"]; e != nil {
				joined = e.calls
			}
			if joined != c.joined {
				t.Errorf("%s: planes were joined %d times, expected %d", c.name, joined, c.joined)
			}
		}
	}
}

// TestConv2dAddsItsPlanes adds to a convolution its own operand, whose planes lie apart.
func TestConv2dAddsItsPlanes(t *testing.T) {
	const n, c, size = 2, 16, 10
	x := normals(1, n*c*size*size)
	for _, m := range []simd.Math{simd.Strict, simd.BF16, simd.Int8} {
		for _, o := range []struct{ in, kernel, groups int }{{c, 1, 1}, {c, 3, 1}, {1, 3, c}} { // pointwise, dense, depthwise
			w := ParameterOf(normals(2, c*o.in*o.kernel*o.kernel), c, o.in, o.kernel, o.kernel)
			run := func(apart bool) []float32 {
				tape := NewTape(Options{Math: m, Debug: true})
				in := tape.Input(x, n, c, size, size)
				if apart {
					in = Concat(1, Slice(in, 1, 0, 5), Slice(in, 1, 5, c))
					if in.planes == nil {
						t.Fatal("planes do not lie apart")
					}
				}
				half := o.kernel / 2
				return Conv2dAdd(in, w, nil, in, Conv2dOptions{Padding: [2]int{half, half}, Groups: o.groups}).Floats(nil)
			}
			sameBits(t, fmt.Sprintf("%v, kernel %d, groups %d", m, o.kernel, o.groups), run(true), run(false))
		}
	}
}
