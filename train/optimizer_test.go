package train

import (
	"fmt"
	"iter"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/internal/test/golden"
	"github.com/fovea-ml/fovea/simd"
)

// given puts gradients of the caller's choice into a table: those of Σ seed·p.
func given(g *autograd.Gradients, t *autograd.Tape, p *autograd.Parameter, grad []float32) {
	autograd.Backward(g, []*autograd.Tensor{t.Use(p)}, [][]float32{grad})
	t.Reset()
}

func named(params []Param) iter.Seq2[string, *autograd.Parameter] {
	return func(yield func(string, *autograd.Parameter) bool) {
		for _, p := range params {
			if !yield(p.Path, p.Parameter) {
				return
			}
		}
	}
}

// Twenty steps of each optimizer along given gradients, with one group a parameter, learning rates that
// change, clipping, and a parameter that joins late.
func TestOptimizersAgreeWithPyTorch(t *testing.T) {
	g := golden.Load(t, "testdata/optimizers.safetensors")
	for _, c := range []struct {
		name  string
		decay float64
		clip  float64
		late  int // steps in which b has no gradient
		make  func([]Group) Optimizer
	}{
		{"sgd", 0.02, 0, 0, func(g []Group) Optimizer { return NewSGD(g, SGDOptions{}) }},
		{"momentum", 0.02, 0, 0, func(g []Group) Optimizer { return NewSGD(g, SGDOptions{Momentum: 0.9}) }},
		{"nesterov", 0.02, 0, 0, func(g []Group) Optimizer { return NewSGD(g, SGDOptions{Momentum: 0.8, Nesterov: true}) }},
		{"dampening", 0.02, 0, 0, func(g []Group) Optimizer { return NewSGD(g, SGDOptions{Momentum: 0.9, Dampening: 0.3}) }},
		{"dampening_late", 0.02, 0, 6, func(g []Group) Optimizer { return NewSGD(g, SGDOptions{Momentum: 0.9, Dampening: 0.3}) }},
		{"adam", 0.3, 0, 0, func(g []Group) Optimizer { return NewAdam(g, AdamOptions{}) }},
		{"adamw", 0.3, 0, 0, func(g []Group) Optimizer { return NewAdamW(g, AdamOptions{Beta2: new(0.95)}) }},
		{"adamw_zero", 0.3, 0, 0, func(g []Group) Optimizer { return NewAdamW(g, AdamOptions{Beta1: new(0.0), Beta2: new(0.95)}) }},
		{"adamw_late", 0.3, 0, 6, func(g []Group) Optimizer { return NewAdamW(g, AdamOptions{Eps: new(1e-6)}) }},
		{"adamw_clip", 0.1, 3, 0, func(g []Group) Optimizer { return NewAdamW(g, AdamOptions{Beta2: new(0.98)}) }},
		{"lars", 0.1, 0, 0, func(g []Group) Optimizer { return NewLARS(g, LARSOptions{Trust: new(0.02)}) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			var groups []Group
			var params []Param
			for _, k := range []string{"w", "b", "t"} {
				v, shape := g.Tensor("start/" + k)
				p := Param{k, autograd.ParameterOf(v, shape...)}
				params = append(params, p)
				group := Group{Params: []Param{p}, WeightDecay: c.decay}
				if k == "b" {
					group.WeightDecay = 0
				}
				if k == "t" {
					group.LRScale = new(0.5)
				}
				groups = append(groups, group)
			}
			opt := c.make(groups)
			lr := g.Floats(c.name + "/lr")
			grads, tape := autograd.NewGradients(), autograd.NewTape(autograd.Options{Gradients: true})
			for i := range lr {
				grads.Zero()
				for _, p := range params {
					if p.Path == "b" && i < c.late {
						continue
					}
					given(grads, tape, p.Parameter, g.Floats("grad/" + p.Path)[i*p.Len():(i+1)*p.Len()])
				}
				norm := GradNorm(grads, opt.Parameters(), nil)
				if c.clip > 0 {
					golden.Within(t, "norm", []float32{float32(norm)}, g.Floats(c.name + "/norms")[i:i+1], 1e-6)
				}
				opt.Step(grads, float64(lr[i]), ClipScale(norm, c.clip), nil)
				for _, p := range params {
					want := g.Floats(c.name + "/" + p.Path)[i*p.Len() : (i+1)*p.Len()]
					golden.Within(t, fmt.Sprintf("step %d: %s", i, p.Path), p.Values(), want, 2e-6)
				}
			}
		})
	}
}

// optimizers returns one of each kind over the same groups.
func optimizers(groups func() []Group) map[string]Optimizer {
	return map[string]Optimizer{
		"sgd":      NewSGD(groups(), SGDOptions{}),
		"momentum": NewSGD(groups(), SGDOptions{Momentum: 0.9}),
		"nesterov": NewSGD(groups(), SGDOptions{Momentum: 0.9, Nesterov: true}),
		"adam":     NewAdam(groups(), AdamOptions{}),
		"adamw":    NewAdamW(groups(), AdamOptions{}),
		"lars":     NewLARS(groups(), LARSOptions{}),
	}
}

// A parameter of several chunks and an odd end takes the same bits with any number of workers.
func TestOptimizerBitsDoNotDependOnWorkers(t *testing.T) {
	const n = 5*chunk + 77
	rng := rand.New(rand.NewPCG(1, 2))
	random := func() []float32 {
		x := make([]float32, n)
		for i := range x {
			x[i] = float32(rng.NormFloat64())
		}
		return x
	}
	start, steps := random(), [][]float32{random(), random()}
	group := func() []Group {
		return []Group{{WeightDecay: 0.1, Params: []Param{{"w", autograd.ParameterOf(slices.Clone(start), 1, n)}}}}
	}
	tape := autograd.NewTape(autograd.Options{Gradients: true})
	want := map[string][]float32{}
	for _, threads := range []int{1, 2, 4} {
		w := simd.NewWorkers(threads)
		for name, opt := range optimizers(group) {
			var p *autograd.Parameter
			for _, p = range opt.Parameters() {
			}
			ema := NewEMA(opt.Parameters(), nil, EMAOptions{Decay: new(0.9)})
			grads := autograd.NewGradients()
			for _, s := range steps {
				grads.Zero()
				given(grads, tape, p, s)
				opt.Step(grads, 0.01, ClipScale(GradNorm(grads, opt.Parameters(), w), 1), w)
				ema.Update(w)
			}
			got := slices.Clone(p.Values())
			for _, b := range ema.Memory() {
				got = append(got, b.Values()...)
			}
			if threads == 1 {
				want[name] = got
			}
			for i := range got {
				if math.Float32bits(got[i]) != math.Float32bits(want[name][i]) {
					t.Errorf("%s, %d workers: value %d is %v, with one %v", name, threads, i, got[i], want[name][i])
					break
				}
			}
		}
	}
}

func TestOptimizerRefusesAParameterTwice(t *testing.T) {
	p := autograd.NewParameter(2)
	defer func() {
		if r := recover(); r == nil || !strings.Contains(fmt.Sprint(r), `"again" is given twice`) {
			t.Errorf("expected a panic that names the parameter, found %v", r)
		}
	}()
	NewSGD([]Group{{Params: []Param{{"once", p}}}, {Params: []Param{{"again", p}}}}, SGDOptions{})
}

func TestGroups(t *testing.T) {
	frozen := autograd.NewParameter(2, 2)
	frozen.Frozen = true
	params := []Param{
		{"Pos", autograd.NewParameter(1, 4, 2)},
		{"Blocks.0.W", autograd.NewParameter(2, 2)},
		{"Blocks.0.B", autograd.NewParameter(2)},
		{"Blocks.1.W", autograd.NewParameter(2, 2)},
		{"Blocks.1.Frozen", frozen},
		{"Head.W", autograd.NewParameter(2, 2)},
		{"Head.B", autograd.NewParameter(2)},
	}
	groups := Groups(named(params), GroupOptions{
		WeightDecay: 0.05,
		NoDecay:     func(path string) bool { return path == "Pos" },
		LayerDecay:  0.5,
		Layers:      2,
		Layer: func(path string) int {
			switch {
			case strings.HasPrefix(path, "Blocks.0"):
				return 1
			case strings.HasPrefix(path, "Blocks.1"):
				return 2
			case strings.HasPrefix(path, "Head"):
				return 3
			}
			return 0
		},
	})
	var got []string
	for _, g := range groups {
		for _, p := range g.Params {
			got = append(got, fmt.Sprintf("%s ×%v wd %v", p.Path, *g.LRScale, g.WeightDecay))
		}
	}
	want := []string{"Pos ×0.125 wd 0", "Blocks.0.W ×0.25 wd 0.05", "Blocks.0.B ×0.25 wd 0",
		"Blocks.1.W ×0.5 wd 0.05", "Head.W ×1 wd 0.05", "Head.B ×1 wd 0"}
	if !slices.Equal(got, want) {
		t.Errorf("expected %q, found %q", want, got)
	}
	if n := len(Groups(named(params), GroupOptions{WeightDecay: 0.05})); n != 2 {
		t.Errorf("expected a group with decay and one without, found %d", n)
	}
}
