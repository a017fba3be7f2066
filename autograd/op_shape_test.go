package autograd

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/fovea-ml/fovea/simd"
)

const shapeGoldens = "ops_shape.safetensors"

func TestPermute(t *testing.T) {
	checkOp(t, shapeGoldens, "permute/", func(c *opCase) []*Tensor {
		dims, _ := reducedDims(c.t, c.name)
		return []*Tensor{Permute(c.Var("x"), dims...)}
	})
	checkOp(t, shapeGoldens, "transpose", func(c *opCase) []*Tensor { return []*Tensor{Transpose(c.Var("x"), 1, -1)} })
}

func TestChannelShuffle(t *testing.T) {
	checkOp(t, shapeGoldens, "shuffle/", func(c *opCase) []*Tensor {
		groups, err := strconv.Atoi(c.name[strings.LastIndexByte(c.name, '/')+1:])
		if err != nil {
			c.t.Fatal(err)
		}
		return []*Tensor{ChannelShuffle(c.Var("x"), groups)}
	})
	x := NewTape(Options{}).Full(1, 2, 6, 3)
	expectShapePanic(t, "channel shuffle", func() { ChannelShuffle(x, 4) })
	expectShapePanic(t, "channel shuffle", func() { ChannelShuffle(x, 0) })
	expectShapePanic(t, "channel shuffle", func() { ChannelShuffle(Reshape(x, 36), 1) })
}

// Permute agrees with the definition, element by element, over random shapes and orders.
func TestPermuteRandom(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	sizes := []int{1, 2, 3, 5, 8, 9, 17, 67}
	for range 150 {
		shape := make([]int, 1+rng.IntN(5))
		total := 1
		for i := range shape {
			shape[i] = sizes[rng.IntN(len(sizes))]
			if total*shape[i] > 40000 {
				shape[i] = 1
			}
			total *= shape[i]
		}
		dims := rng.Perm(len(shape))
		x := make([]float32, total)
		for i := range x {
			x[i] = float32(i)
		}
		tape := NewTape(Options{Workers: simd.NewWorkers(2)})
		y := Permute(tape.Input(x, shape...), dims...)
		got := y.Floats(nil)
		at := make([]int, len(shape)) // position in y
		from := stridesOf(shape, len(shape))
		for i := range got {
			off := 0
			for d := range at {
				off += at[d] * from[dims[d]]
			}
			if got[i] != x[off] {
				t.Fatalf("shape %v, order %v: element %v is %v, expected %v", shape, dims, at, got[i], x[off])
			}
			for d := len(at) - 1; d >= 0; d-- {
				if at[d]++; at[d] < y.Shape()[d] {
					break
				}
				at[d] = 0
			}
		}
	}
}

func TestConcat(t *testing.T) {
	checkOp(t, shapeGoldens, "concat/", func(c *opCase) []*Tensor {
		dim := 0
		tag := strings.TrimPrefix(c.name, "concat/")
		if _, err := fmt.Sscanf(tag, "%d", &dim); err != nil {
			c.t.Fatal(err)
		}
		var xs []Operand
		for i := 0; c.g.Has(fmt.Sprintf("%s/in/x%d", c.name, i)); i++ {
			if i == 1 {
				xs = append(xs, c.Param("x1"))
			} else {
				xs = append(xs, c.Var(fmt.Sprintf("x%d", i)))
			}
		}
		return []*Tensor{Concat(dim, xs...)}
	})
}

func TestSlice(t *testing.T) {
	checkOp(t, shapeGoldens, "slice/", func(c *opCase) []*Tensor {
		a := map[string][3]int{
			"rows": {0, 1, 4}, "middle": {1, 0, 2}, "last": {-1, 3, 7}, "all": {0, 0, 4}, "none": {1, 2, 2}, "empty": {1, 1, 3},
		}[strings.TrimPrefix(c.name, "slice/")]
		return []*Tensor{Slice(c.Var("x"), a[0], a[1], a[2])}
	})
	checkOp(t, shapeGoldens, "slicetwice", func(c *opCase) []*Tensor {
		return []*Tensor{Mul(Slice(c.Var("x"), 1, 0, 3), Slice(c.Var("x"), 1, 2, 5))}
	})
}

func TestBroadcastTo(t *testing.T) {
	checkOp(t, shapeGoldens, "broadcast/", func(c *opCase) []*Tensor {
		_, shape := c.g.Tensor(c.name + "/out/0")
		return []*Tensor{BroadcastTo(c.Var("x"), shape...)}
	})
}

func TestShapeMistakes(t *testing.T) {
	tape := NewTape(Options{})
	x := tape.Full(1, 2, 3)
	expectShapePanic(t, "permute", func() { Permute(x, 0) })
	expectShapePanic(t, "permute", func() { Permute(x, 0, 0) })
	expectShapePanic(t, "permute", func() { Permute(x, 0, 2) })
	expectShapePanic(t, "transpose", func() { Transpose(x, 0, 2) })
	expectShapePanic(t, "concat", func() { Concat(0) })
	expectShapePanic(t, "concat", func() { Concat(0, x, tape.Full(1, 2, 4)) })
	expectShapePanic(t, "concat", func() { Concat(0, x, tape.Full(1, 3)) })
	expectShapePanic(t, "concat", func() { Concat(2, x, x) })
	for _, a := range [][3]int{{0, -1, 1}, {0, 1, 3}, {1, 2, 1}, {2, 0, 1}} {
		expectShapePanic(t, "slice", func() { Slice(x, a[0], a[1], a[2]) })
	}
	expectShapePanic(t, "broadcast to", func() { BroadcastTo(x, 3) })
	expectShapePanic(t, "broadcast to", func() { BroadcastTo(x, 2, 2) })
	expectShapePanic(t, "broadcast to", func() { BroadcastTo(tape.Full(1, 4), 1) })
}
