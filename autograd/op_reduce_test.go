package autograd

import (
	"math"
	"strconv"
	"strings"
	"testing"
)

const reduceGoldens = "ops_reduce.safetensors"

// reducedDims reads what a case's name says, as in "sum/3x5x7/0,2k".
func reducedDims(t testing.TB, name string) (dims []int, keep bool) {
	s := name[strings.LastIndex(name, "/")+1:]
	s, keep = strings.CutSuffix(s, "k")
	if s == "all" {
		return nil, keep
	}
	for _, f := range strings.Split(s, ",") {
		d, err := strconv.Atoi(f)
		if err != nil {
			t.Fatal(err)
		}
		dims = append(dims, d)
	}
	return dims, keep
}

func TestReductions(t *testing.T) {
	for prefix, f := range map[string]func(x Operand, keep bool, dims ...int) *Tensor{
		"sum/":  Sum,
		"mean/": Mean,
		"var0/": func(x Operand, keep bool, dims ...int) *Tensor { return Var(x, 0, keep, dims...) },
		"var1/": func(x Operand, keep bool, dims ...int) *Tensor { return Var(x, 1, keep, dims...) },
	} {
		checkOp(t, reduceGoldens, prefix, func(c *opCase) []*Tensor {
			dims, keep := reducedDims(c.t, c.name)
			return []*Tensor{f(c.Var("x"), keep, dims...)}
		})
	}
}

func TestReductionEdges(t *testing.T) {
	tape := NewTape(Options{})
	x := tape.Full(0.1, 3, 7)
	expectShapePanic(t, "sum", func() { Sum(x, false, 2) })
	expectShapePanic(t, "mean", func() { Mean(x, false, 1, -1) })
	none := tape.Full(0, 2, 0)
	for name, y := range map[string]*Tensor{"mean": Mean(none, false, 1), "var": Var(tape.Full(1, 2, 1), 1, false, 1)} {
		for _, v := range y.Floats(nil) {
			if !math.IsNaN(float64(v)) {
				t.Errorf("%s over too few elements is %v, expected NaN", name, v)
			}
		}
	}
	if s := Sum(none, false, 1); !equalShape(s.Shape(), []int{2}) || s.Floats(nil)[0] != 0 {
		t.Errorf("sum over no elements: %v of shape %v", s.Floats(nil), s.Shape())
	}
}

// The sum of a million numbers stays accurate: one after the other, it would be off by 1e-2.
func TestLongSums(t *testing.T) {
	tape := NewTape(Options{})
	const n = 1 << 20
	for _, shape := range [][]int{{n}, {n / 2, 2}, {1, n / 64, 64}} {
		x := tape.Full(0.1, shape...)
		got := float64(Sum(x, false).Float())
		want := n * float64(float32(0.1))
		if d := math.Abs(got-want) / want; d > 1e-5 {
			t.Errorf("%v: sum %v, expected %v, off by %.1e", shape, got, want, d)
		}
	}
}
