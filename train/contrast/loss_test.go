package contrast

import (
	"errors"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/autograd/gradcheck"
	"github.com/fovea-ml/fovea/internal/test/golden"
)

// build computes the loss of a golden case from its inputs.
func build(t *autograd.Tape, name string, in map[string]*autograd.Parameter) *autograd.Tensor {
	x, y := t.Use(in["x"]), t.Use(in["y"])
	switch kind, _, _ := strings.Cut(name, "/"); kind {
	case "softmax":
		return Softmax(x, y, in["s"])
	case "sigmoid":
		return Sigmoid(x, y, in["s"], in["b"])
	default:
		var negatives []*autograd.Tensor
		for _, n := range []string{"n0", "n1"} {
			if in[n] != nil {
				negatives = append(negatives, t.Use(in[n]))
			}
		}
		return Ranking(RankingScale, x, y, negatives...)
	}
}

// TestLosses compares losses and gradients with open_clip's and sentence-transformers', and gradients with finite
// differences.
func TestLosses(t *testing.T) {
	g := golden.Load(t, filepath.Join("testdata", "losses.safetensors"))
	cases := 0
	for _, n := range g.Names() {
		name, ok := strings.CutSuffix(n, "/out/0")
		if !ok {
			continue
		}
		cases++
		t.Run(name, func(t *testing.T) {
			in := map[string]*autograd.Parameter{}
			var names []string
			for _, key := range []string{"x", "y", "s", "b", "n0", "n1"} {
				if g.Has(name + "/in/" + key) {
					values, shape := g.Tensor(name + "/in/" + key)
					in[key] = autograd.ParameterOf(slices.Clone(values), shape...)
					names = append(names, key)
				}
			}
			tape, grads := autograd.NewTape(autograd.Options{Gradients: true, Debug: true}), autograd.NewGradients()
			loss := build(tape, name, in)
			golden.Output(t, "loss", loss.Floats(nil), g.Floats(name+"/out/0"))
			seed := g.Floats(name + "/seed/0")
			autograd.Backward(grads, []*autograd.Tensor{loss}, [][]float32{seed})
			var all [][]float32
			for _, key := range names {
				all = append(all, g.Floats(name+"/grad/"+key))
			}
			for i, key := range names {
				golden.Gradient(t, "gradient of "+key, grads.Of(in[key]), all[i], golden.Norm(all...))
			}
			var params []*autograd.Parameter
			for _, key := range names {
				params = append(params, in[key])
			}
			err := gradcheck.Check(func(t *autograd.Tape) []*autograd.Tensor {
				return []*autograd.Tensor{build(t, name, in)}
			}, params, gradcheck.Options{Seeds: [][]float32{seed}, Step: 0.002})
			if err != nil {
				t.Error(err)
			}
		})
	}
	if cases != 36 {
		t.Errorf("expected 36 cases, found %d", cases)
	}
}

// TestLossShapes refuses embeddings that form no pairs.
func TestLossShapes(t *testing.T) {
	tape := autograd.NewTape(autograd.Options{})
	zeros := func(shape ...int) *autograd.Tensor { return tape.Full(0, shape...) }
	scale, bias := autograd.NewParameter(), autograd.NewParameter()
	for name, f := range map[string]func(){
		"rows":       func() { Softmax(zeros(3, 4), zeros(2, 4), scale) },
		"widths":     func() { Sigmoid(zeros(3, 4), zeros(3, 5), scale, bias) },
		"none":       func() { Softmax(zeros(0, 4), zeros(0, 4), scale) },
		"dimensions": func() { Ranking(RankingScale, zeros(4), zeros(4)) },
		"scales":     func() { Softmax(zeros(3, 4), zeros(3, 4), autograd.NewParameter(4)) },
		"biases":     func() { Sigmoid(zeros(3, 4), zeros(3, 4), scale, autograd.NewParameter(3)) },
		"negatives":  func() { Ranking(RankingScale, zeros(2, 4), zeros(2, 4), zeros(2, 3)) },
	} {
		err := tape.Try(func() error { f(); return nil })
		if bad := (*autograd.ShapeError)(nil); !errors.As(err, &bad) {
			t.Errorf("%s: expected a ShapeError, found %v", name, err)
		}
	}
}

// TestOnePair has no negatives: the softmax losses are 0, and so are their gradients.
func TestOnePair(t *testing.T) {
	tape, grads := autograd.NewTape(autograd.Options{Gradients: true}), autograd.NewGradients()
	x, y := tape.Input([]float32{1, 2}, 1, 2).WantGradient(), tape.Input([]float32{2, -3}, 1, 2)
	loss := autograd.Add(Softmax(x, y, autograd.NewParameter()), Ranking(RankingScale, x, y))
	loss.Backward(grads)
	if loss.Float() != 0 || grads.OfTensor(x)[0] != 0 {
		t.Errorf("loss %v and gradient %v, expected zeros", loss.Float(), grads.OfTensor(x))
	}
}

// TestZeroRows gives embeddings of zeros the similarity 0.
func TestZeroRows(t *testing.T) {
	tape, grads := autograd.NewTape(autograd.Options{Gradients: true}), autograd.NewGradients()
	x := tape.Full(0, 3, 4).WantGradient()
	loss := Softmax(x, tape.Full(1, 3, 4), autograd.NewParameter())
	loss.Backward(grads)
	if got, want := float64(loss.Float()), math.Log(3); math.Abs(got-want) > 1e-6 {
		t.Errorf("expected ln 3, found %v", got)
	}
	for _, v := range grads.OfTensor(x) {
		if v != v {
			t.Fatal("expected a finite gradient, found NaN")
		}
	}
}
