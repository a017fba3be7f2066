package nn

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/internal/test/golden"
)

// torchNames are the names that PyTorch gives the parameters of two layers, in order.
func torchNames(bidirectional, bias bool) []string {
	var names []string
	for _, layer := range []string{"_l0", "_l1"} {
		for _, direction := range []string{"", "_reverse"} {
			if direction != "" && !bidirectional {
				continue
			}
			for _, kind := range []string{"weight_ih", "weight_hh", "bias_ih", "bias_hh"} {
				if bias || !strings.HasPrefix(kind, "bias") {
					names = append(names, kind+layer+direction)
				}
			}
		}
	}
	return names
}

func TestRecurrent(t *testing.T) {
	g := golden.Load(t, "testdata/recurrent.safetensors")
	for _, name := range []string{"lstm/both", "lstm/forward", "gru/both", "gru/forward"} {
		t.Run(name, func(t *testing.T) {
			both := strings.HasSuffix(name, "both")
			c := RecurrentConfig{In: 4, Width: 6, Layers: 2, Bias: both, Bidirectional: both}
			tape := autograd.NewTape(autograd.Options{Gradients: true, Training: true, Debug: true})
			tensor := func(key string) *autograd.Tensor {
				v, shape := g.Tensor(name + "/in/" + key)
				return tape.Input(v, shape...).WantGradient()
			}
			inputs := map[string]*autograd.Tensor{"x": tensor("x"), "h": tensor("h")}
			in := RecurrentInput{H: inputs["h"], Lengths: g.Ints(name + "/lengths")}

			var model any
			var run func() []*autograd.Tensor
			if strings.HasPrefix(name, "lstm") {
				inputs["c"] = tensor("c")
				in.C = inputs["c"]
				l := NewLSTM(c)
				model, run = l, func() []*autograd.Tensor {
					y, h, c := l.Forward(inputs["x"], in)
					return []*autograd.Tensor{y, h, c}
				}
			} else {
				l := NewGRU(c)
				model, run = l, func() []*autograd.Tensor {
					y, h := l.Forward(inputs["x"], in)
					return []*autograd.Tensor{y, h}
				}
			}
			names := torchNames(both, both)
			params := map[string]*autograd.Parameter{}
			i := 0
			for path, p := range Parameters(model) {
				v, shape := g.Tensor(name + "/in/" + names[i])
				if d := cmp.Diff(shape, p.Shape()); d != "" {
					t.Fatalf("%s, which is %s: %s", path, names[i], d)
				}
				p.Update(func(dst []float32) { copy(dst, v) })
				params[names[i]] = p
				i++
			}
			if i != len(names) {
				t.Fatalf("%d parameters, expected %d", i, len(names))
			}

			ys := run()
			var seeds [][]float32
			for i, y := range ys {
				key := string(rune('0' + i))
				want, shape := g.Tensor(name + "/out/" + key)
				if d := cmp.Diff(shape, y.Shape()); d != "" {
					t.Fatalf("result %s: %s", key, d)
				}
				golden.Output(t, "result "+key, y.Floats(nil), want)
				seeds = append(seeds, g.Floats(name+"/seed/"+key))
			}
			grads := autograd.NewGradients()
			autograd.Backward(grads, ys, seeds)
			want := func(key string) []float32 { return g.Floats(name + "/grad/" + key) }
			all := golden.Norm(want("x"), want("weight_hh_l0"))
			for key, x := range inputs {
				golden.Gradient(t, "gradient of "+key, grads.OfTensor(x), want(key), all)
			}
			for key, p := range params {
				golden.Gradient(t, "gradient of "+key, grads.Of(p), want(key), all)
			}
		})
	}
}

// Dropout acts between layers, not after the last one, and on training tapes alone.
func TestRecurrentDropout(t *testing.T) {
	for layers, acts := range []bool{1: false, 2: true} {
		if layers == 0 {
			continue
		}
		l := NewGRU(RecurrentConfig{In: 5, Width: 7, Layers: layers, Bias: true, Dropout: 0.5})
		random(l)
		run := func(training bool) []float32 {
			tape := autograd.NewTape(autograd.Options{Training: training, Seed: 1})
			y, _ := l.Forward(input(tape, 2, 6, 5), RecurrentInput{})
			return y.Floats(nil)
		}
		if d := cmp.Diff(run(false), run(true)); (d != "") != acts {
			t.Errorf("%d layers: dropout changes the result: %v, expected %v", layers, d != "", acts)
		}
	}
}

func TestRecurrentMistakes(t *testing.T) {
	c := RecurrentConfig{In: 3, Width: 4, Layers: 2, Bidirectional: true}
	l, g := NewLSTM(c), NewGRU(c)
	tape := autograd.NewTape(autograd.Options{})
	x := tape.Full(0, 2, 5, 3)
	misuse(t, "fewer states", func() { l.Forward(x, RecurrentInput{H: tape.Full(0, 3, 2, 4)}) })
	misuse(t, "more states", func() { l.Forward(x, RecurrentInput{C: tape.Full(0, 5, 2, 4)}) })
	misuse(t, "more states of a GRU", func() { g.Forward(x, RecurrentInput{H: tape.Full(0, 5, 2, 4)}) })
	misuse(t, "C of a GRU", func() { g.Forward(x, RecurrentInput{C: tape.Full(0, 4, 2, 4)}) })
	misuse(t, "states without layers", func() { l.Forward(x, RecurrentInput{H: tape.Full(0, 2, 4)}) })
}
