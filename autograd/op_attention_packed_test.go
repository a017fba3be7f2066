package autograd

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/fovea-ml/fovea/simd"
)

const attentionPackedGoldens = "ops_attention_packed.safetensors"

// packedRows attends within one packed projection [total, 3·D].
func packedRows(x Operand, starts []int, o AttentionOptions) *Tensor {
	d := x.Shape()[1] / 3
	return PackedAttention(Columns{x, 0}, Columns{x, d}, Columns{x, 2 * d}, starts, nil, o)
}

// startsOf turns lengths into the starts of sequences.
func startsOf(lengths []int) []int {
	starts := []int{0}
	for _, n := range lengths {
		starts = append(starts, starts[len(starts)-1]+n)
	}
	return starts
}

func TestPackedAttention(t *testing.T) {
	for _, causal := range []bool{false, true} {
		self, cross := "self/", "cross/"
		if causal {
			self, cross = "causal/", "crosscausal/"
		}
		checkOp(t, attentionPackedGoldens, self, func(c *opCase) []*Tensor {
			o := AttentionOptions{Heads: c.Ints("heads")[0], Causal: causal}
			return []*Tensor{packedRows(c.Var("x"), startsOf(c.Ints("queries")), o)}
		})
		checkOp(t, attentionPackedGoldens, cross, func(c *opCase) []*Tensor {
			q, kv := c.Var("q"), c.Var("kv")
			o := AttentionOptions{Heads: c.Ints("heads")[0], Causal: causal}
			return []*Tensor{PackedAttention(Columns{q, 0}, Columns{kv, 0}, Columns{kv, q.Dim(1)},
				startsOf(c.Ints("queries")), startsOf(c.Ints("keys")), o)}
		})
	}
}

// A packed sequence has the bits that it has alone, gradients included, on any number of threads. The others may
// even hold NaN.
func TestPackedAttentionAlone(t *testing.T) {
	const heads, d = 2, 16
	const width = 3 * heads * d
	lengths := []int{131, 1, 0, 40, 300, 2}
	starts := startsOf(lengths)
	total := starts[len(lengths)]
	x, seed := normal(71, total*width), normal(72, total*heads*d)
	x[starts[3]*width] = float32(math.NaN())
	run := func(o AttentionOptions, workers *simd.Workers) (y, dx []float32) {
		tape := NewTape(Options{Gradients: true, Debug: true, Workers: workers})
		in := tape.Input(x, total, width).WantGradient()
		out := packedRows(in, starts, o)
		g := NewGradients()
		Backward(g, []*Tensor{out}, [][]float32{seed})
		return out.Floats(nil), g.OfTensor(in)
	}
	for _, causal := range []bool{false, true} {
		o := AttentionOptions{Heads: heads, Causal: causal}
		y, dx := run(o, nil)
		y2, dx2 := run(o, simd.NewWorkers(2))
		sameBits(t, "result on two threads", y2, y)
		sameBits(t, "gradient on two threads", dx2, dx)
		for i, n := range lengths {
			lo, hi := starts[i], starts[i+1]
			tape := NewTape(Options{Gradients: true})
			in := tape.Input(x[lo*width:hi*width], 1, n, width).WantGradient()
			out := packed(in, o)
			g := NewGradients()
			Backward(g, []*Tensor{out}, [][]float32{seed[lo*heads*d : hi*heads*d]})
			sameBits(t, "result", y[lo*heads*d:hi*heads*d], out.Floats(nil))
			sameBits(t, "gradient", dx[lo*width:hi*width], g.OfTensor(in))
		}
	}
}

// Dropped weights are drawn again in backward, and differ from sequence to sequence.
func TestPackedAttentionDropout(t *testing.T) {
	const heads, d, n = 2, 8, 12
	const width = 3 * heads * d
	x, seed := normal(73, 2*n*width), normal(74, 2*n*heads*d)
	copy(x[n*width:], x[:n*width])
	run := func(o Options) (y, dx []float32) {
		tape := NewTape(o)
		in := tape.Input(x, 2*n, width).WantGradient()
		out := tape.Segment(func(in *Tensor) *Tensor {
			return packedRows(in, []int{0, n, 2 * n}, AttentionOptions{Heads: heads, Dropout: 0.3})
		}, in)
		y = out.Floats(nil)
		g := NewGradients()
		Backward(g, []*Tensor{out}, [][]float32{seed})
		return y, g.OfTensor(in)
	}
	o := Options{Gradients: true, Training: true, Debug: true, Seed: 3}
	y, dx := run(o)
	o.Workers, o.Recompute = simd.NewWorkers(2), true
	y2, dx2 := run(o)
	sameBits(t, "result", y2, y)
	sameBits(t, "gradient", dx2, dx)
	if half := len(y) / 2; slices.Equal(y[:half], y[half:]) {
		t.Error("two sequences dropped the same weights")
	}
}

func TestPackedAttentionPanics(t *testing.T) {
	tape := NewTape(Options{})
	x := tape.Full(0, 5, 12)
	for name, f := range map[string]func(){
		"no starts":        func() { packedRows(x, nil, AttentionOptions{}) },
		"first start":      func() { packedRows(x, []int{1, 5}, AttentionOptions{}) },
		"total":            func() { packedRows(x, []int{0, 4}, AttentionOptions{}) },
		"backwards":        func() { packedRows(x, []int{0, 4, 3, 5}, AttentionOptions{}) },
		"three dimensions": func() { packedRows(tape.Full(0, 1, 5, 12), []int{0, 5}, AttentionOptions{}) },
		"heads":            func() { packedRows(x, []int{0, 5}, AttentionOptions{Heads: 3}) },
		"missing":          func() { PackedAttention(Columns{x, 0}, Columns{}, Columns{x, 0}, []int{0, 5}, nil, AttentionOptions{}) },
		"sequences": func() {
			PackedAttention(Columns{x, 0}, Columns{x, 4}, Columns{x, 8}, []int{0, 5}, []int{0, 2, 5}, AttentionOptions{HeadDim: 4})
		},
		"values": func() {
			PackedAttention(Columns{x, 0}, Columns{x, 4}, Columns{tape.Full(0, 4, 4), 0}, []int{0, 5}, nil, AttentionOptions{HeadDim: 4})
		},
	} {
		t.Run(name, func(t *testing.T) { expectShapeError(t, f) })
	}
	var w []float32
	for name, o := range map[string]AttentionOptions{
		"bias":    {Bias: tape.Full(0, 5)},
		"mask":    {KeyMask: make([]bool, 5)},
		"weights": {Weights: &w},
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if _, ok := recover().(*UseError); !ok {
					t.Error("expected a UseError")
				}
			}()
			packedRows(x, []int{0, 5}, o)
		})
	}
}

// TestPackedAttentionReusedStarts changes the caller's list before backward.
func TestPackedAttentionReusedStarts(t *testing.T) {
	starts := []int{0, 2, 5}
	var want []float32
	for range 2 {
		tape := NewTape(Options{Gradients: true, Debug: true})
		x := tape.Input(normal(76, 60), 5, 12).WantGradient()
		y := packedRows(x, starts, AttentionOptions{Heads: 2})
		if want != nil {
			starts[1] = 4
		}
		g := NewGradients()
		Backward(g, []*Tensor{y}, [][]float32{normal(77, 20)})
		if want == nil {
			want = g.OfTensor(x)
		}
		sameBits(t, "gradient", g.OfTensor(x), want)
	}
}

// BenchmarkPackedAttention compares 1,184 tokens of 64 texts, packed, with one attention for each text.
func BenchmarkPackedAttention(b *testing.B) {
	const heads, d = 12, 32
	const width = 3 * heads * d
	lengths := make([]int, 64)
	total := 0
	for i := range lengths {
		lengths[i] = 3 + i/2
		total += lengths[i]
	}
	starts := startsOf(lengths)
	x := normal(75, total*width)
	for _, name := range []string{"packed", "loop"} {
		b.Run(fmt.Sprintf("%s/tokens=%d", name, total), func(b *testing.B) {
			tape := NewTape(Options{Workers: simd.NewWorkers(2)})
			b.ReportAllocs()
			for b.Loop() {
				if name == "packed" {
					packedRows(tape.Borrow(x, total, width), starts, AttentionOptions{Heads: heads})
				} else {
					for i, n := range lengths {
						packed(tape.Borrow(x[starts[i]*width:starts[i+1]*width], 1, n, width), AttentionOptions{Heads: heads})
					}
				}
				tape.Reset()
			}
		})
	}
}
