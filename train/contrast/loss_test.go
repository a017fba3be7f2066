package contrast

import (
	"errors"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/autograd/gradcheck"
	"github.com/fovea-ml/fovea/internal/test/golden"
	"github.com/fovea-ml/fovea/simd"
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

// TestSymmetric compares the loss of logits with two cross-entropies, over several blocks of rows and columns, and its
// bits on two threads.
func TestSymmetric(t *testing.T) {
	for _, n := range []int{1, 2, 63, 65, 256, 300, 520} {
		rng := rand.New(rand.NewPCG(3, uint64(n)))
		p := autograd.NewParameter(n, n)
		p.Update(func(v []float32) {
			for i := range v {
				v[i] = float32(30 * rng.NormFloat64())
				if i%(n+1) == 0 {
					v[i] += 60
				}
			}
		})
		run := func(w *simd.Workers, loss func(x *autograd.Tensor) *autograd.Tensor) (float32, []float32) {
			tape, grads := autograd.NewTape(autograd.Options{Gradients: true, Debug: true, Workers: w}), autograd.NewGradients()
			l := loss(tape.Use(p))
			l.Backward(grads)
			if tape.Lent() != 0 {
				t.Error("scratch buffers leaked")
			}
			return l.Float(), grads.Of(p)
		}
		fused := func(x *autograd.Tensor) *autograd.Tensor { return autograd.Custom(symmetric, x) }
		want, wantGrad := run(nil, func(x *autograd.Tensor) *autograd.Tensor {
			return autograd.Scale(autograd.Add(
				autograd.CrossEntropy(x, diagonal(n), autograd.CrossEntropyOptions{}),
				autograd.CrossEntropy(autograd.Transpose(x, 0, 1), diagonal(n), autograd.CrossEntropyOptions{}),
			), 0.5)
		})
		got, grad := run(nil, fused)
		if math.Abs(float64(got-want)) > 1e-5*float64(want) {
			t.Errorf("%d pairs: loss %v, expected %v", n, got, want)
		}
		if d := distance([][]float32{grad}, [][]float32{wantGrad}); n > 1 && !(d < 1e-5) {
			t.Errorf("%d pairs: gradients differ by %.3g", n, d)
		}
		again, gradAgain := run(simd.NewWorkers(2), fused)
		if again != got || !slices.Equal(gradAgain, grad) {
			t.Errorf("%d pairs: other bits on two threads", n)
		}
		for _, at := range []int{0, n*n - 1} {
			p.Update(func(v []float32) { v[at] = float32(math.NaN()) })
			if l, _ := run(nil, fused); l == l {
				t.Errorf("%d pairs: the loss of NaN is %v", n, l)
			}
			p.Update(func(v []float32) { v[at] = 1 })
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
