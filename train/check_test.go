package train

import (
	"context"
	"math"
	"strings"
	"testing"

	"github.com/fovea-ml/fovea/autograd"
)

// Invalid numbers are errors before the first step.
func TestRunRefusesImpossibleNumbers(t *testing.T) {
	nan := math.NaN()
	for _, c := range []struct {
		want   string
		change func(c *Config, g []Group)
	}{
		{"Schedule: expected a learning rate of 0 or more, found NaN at step 0", func(c *Config, _ []Group) { c.Schedule = Func(func(float64) float64 { return nan }) }},
		{"found -0.5 at step 4", func(c *Config, _ []Group) { c.Schedule = Func(func(x float64) float64 { return 1.5 - x }) }},
		{"found +Inf at step 3", func(c *Config, _ []Group) {
			c.Schedule = Func(func(x float64) float64 { return 1 / math.Abs(x-1.5) })
		}},
		{"the learning rate is 0 at every step", func(c *Config, _ []Group) { c.Schedule = Curve{}.Constant() }},
		{"Length: expected a length above 0, found 0", func(c *Config, _ []Group) { c.Schedule = Curve{Peak: 1, Min: 0.1}.Cosine() }},
		{"Length: expected a length above 0, found 0", func(c *Config, _ []Group) { c.Schedule = Curve{Peak: 1, Min: 0.1}.Linear() }},
		{"Length: 600 is longer than the run, 3; a Curve in steps needs PerStep", func(c *Config, _ []Group) { c.Schedule = Curve{Peak: 1, Length: 600}.Cosine() }},
		{"Warmup: 50 is longer than the run, 3; a Curve in steps needs PerStep", func(c *Config, _ []Group) { c.Schedule = Curve{Peak: 1, Warmup: 50}.Constant() }},
		{"period: 100 is longer than the run, 3; a Curve in steps needs PerStep", func(c *Config, _ []Group) { c.Schedule = Curve{Peak: 1}.Steps(100, 0.5) }},
		{"period: expected a length above 0, found 0", func(c *Config, _ []Group) { c.Schedule = Curve{Peak: 1}.Steps(0, 0.5) }},
		{"PerStep: expected 2 steps in an epoch, as in the run, found 3", func(c *Config, _ []Group) { c.Schedule = PerStep(Curve{Peak: 1, Length: 6}.Cosine(), 3) }},
		{"the learning rate is 0 at 4 of 6 steps", func(c *Config, _ []Group) { c.Schedule = PerStep(Curve{Peak: 1, Length: 2}.Cosine(), 2) }},
		{"Length: 7 is longer than the run, 6", func(c *Config, _ []Group) { c.Schedule = PerStep(Curve{Peak: 1, Length: 7}.Cosine(), 2) }},
		{"Peak: expected 0 or more, found -1", func(c *Config, _ []Group) { c.Schedule = Curve{Peak: -1, Length: 3}.Cosine() }},
		{"Min: expected 0 or more, found NaN", func(c *Config, _ []Group) { c.Schedule = Curve{Peak: 1, Min: nan, Length: 3}.Cosine() }},
		{"Warmup: 3 is longer than Length, 2", func(c *Config, _ []Group) { c.Schedule = Curve{Peak: 1, Warmup: 3, Length: 2}.Cosine() }},
		{"AdamW: Beta1: expected 0 or more and below 1, found 1", func(c *Config, g []Group) { c.Optimizer = NewAdamW(g, AdamOptions{Beta1: new(1.0)}) }},
		{"Adam: Beta2: expected 0 or more and below 1, found -0.5", func(c *Config, g []Group) { c.Optimizer = NewAdam(g, AdamOptions{Beta2: new(-0.5)}) }},
		{"AdamW: Eps: expected 0 or more, found NaN", func(c *Config, g []Group) { c.Optimizer = NewAdamW(g, AdamOptions{Eps: &nan}) }},
		{"SGD: Momentum: expected 0 or more, found -1", func(c *Config, g []Group) { c.Optimizer = NewSGD(g, SGDOptions{Momentum: -1}) }},
		{"SGD: expected a Momentum above 0 with Nesterov, found 0", func(c *Config, g []Group) { c.Optimizer = NewSGD(g, SGDOptions{Nesterov: true}) }},
		{"SGD: expected no Dampening with Nesterov, found 0.1", func(c *Config, g []Group) {
			c.Optimizer = NewSGD(g, SGDOptions{Momentum: 0.9, Dampening: 0.1, Nesterov: true})
		}},
		{"SGD: expected a Momentum above 0 with Dampening, found 0", func(c *Config, g []Group) { c.Optimizer = NewSGD(g, SGDOptions{Dampening: 0.1}) }},
		{"SGD: Dampening: expected 0 or more and below 1, found 2", func(c *Config, g []Group) { c.Optimizer = NewSGD(g, SGDOptions{Momentum: 0.9, Dampening: 2}) }},
		{"LARS: Trust: expected 0 or more, found -0.1", func(c *Config, g []Group) { c.Optimizer = NewLARS(g, LARSOptions{Trust: new(-0.1)}) }},
		{"SGD: WeightDecay: expected 0 or more, found -0.1", func(c *Config, g []Group) {
			g[0].WeightDecay = -0.1
			c.Optimizer = NewSGD(g, SGDOptions{})
		}},
		{"SGD: LRScale: expected 0 or more, found +Inf", func(c *Config, g []Group) {
			g[0].LRScale = new(math.Inf(1))
			c.Optimizer = NewSGD(g, SGDOptions{})
		}},
		{"SGD: nothing to train: LRScale is 0 in every group", func(c *Config, g []Group) {
			g[0].LRScale = new(0.0)
			c.Optimizer = NewSGD(g, SGDOptions{})
		}},
		{"nothing to train: the optimizer has no parameter that is not frozen", func(c *Config, g []Group) { g[0].Params[0].Frozen = true }},
		{"nothing to train: the optimizer has no parameter that is not frozen", func(c *Config, g []Group) { c.Optimizer = NewSGD(nil, SGDOptions{}) }},
		{"groups: LayerDecay 0.5 needs Layer", func(c *Config, g []Group) {
			c.Optimizer = NewSGD(Groups(named(g[0].Params), GroupOptions{LayerDecay: 0.5, Layers: 2}), SGDOptions{})
		}},
		{"groups: LayerDecay: expected 0 or more, found NaN", func(c *Config, g []Group) {
			c.Optimizer = NewSGD(Groups(named(g[0].Params), GroupOptions{LayerDecay: nan}), SGDOptions{})
		}},
		{`groups: Layer: expected 0 to 3 for "W", found 4`, func(c *Config, g []Group) {
			c.Optimizer = NewSGD(Groups(named(g[0].Params), GroupOptions{LayerDecay: 0.5, Layers: 2, Layer: func(string) int { return 4 }}), SGDOptions{})
		}},
		{"EMA: Decay: expected 0 to 1, found 1.5", func(c *Config, _ []Group) { c.EMA = NewEMA(nil, nil, EMAOptions{Decay: new(1.5)}) }},
		{"EMA: MinDecay: expected at most Decay, 0.5, found 0.9", func(c *Config, _ []Group) {
			c.EMA = NewEMA(nil, nil, EMAOptions{Decay: new(0.5), MinDecay: 0.9})
		}},
		{"EMA: WarmupGamma: expected a number above 0, found 0", func(c *Config, _ []Group) {
			c.EMA = NewEMA(nil, nil, EMAOptions{Warmup: true, WarmupGamma: new(0.0)})
		}},
		{"EMA: After: expected 0 or more, found -1", func(c *Config, _ []Group) { c.EMA = NewEMA(nil, nil, EMAOptions{After: -1}) }},
		{"EMA: the model holds the average", func(c *Config, g []Group) {
			c.EMA = NewEMA(named(g[0].Params), nil, EMAOptions{})
			c.EMA.Swap()
		}},
		{"Min: expected at most Peak, 0, found 0.1", func(c *Config, _ []Group) { c.Schedule = Curve{Min: 0.1, Length: 3}.Cosine() }},
		{"ClipNorm: expected 0 or more, found NaN", func(c *Config, _ []Group) { c.ClipNorm = nan }},
		{"MinGain: expected 0 or more, found -1", func(c *Config, _ []Group) { c.MinGain = -1 }},
		{"Patience needs Validate", func(c *Config, _ []Group) { c.Patience, c.Validate = 1, nil }},
		{"KeepBest needs Validate", func(c *Config, _ []Group) { c.KeepBest, c.Validate = true, nil }},
		{"KeepBest needs a Model", func(c *Config, _ []Group) { c.KeepBest, c.Model = true, nil }},
		{"File needs a Model, whose parameters and buffers it holds", func(c *Config, _ []Group) { c.File, c.Model = "run.safetensors", nil }},
		{"Keep needs a File", func(c *Config, _ []Group) { c.Keep = 3 }},
		{"OnSave needs a File", func(c *Config, _ []Group) { c.OnSave = func(string) error { return nil } }},
		{"Start: unknown value 9", func(c *Config, _ []Group) { c.Start = 9 }},
		{"Batches is for a run without Data, found both", func(c *Config, _ []Group) { c.Data = described{}; c.Batches = 5 }},
		{"expected Data, or at least one batch in an epoch, found 0 Batches", func(c *Config, _ []Group) { c.Batches = 0 }},
		{"are too many", func(c *Config, _ []Group) { c.Epochs = math.MaxInt }},
		{"are too many", func(c *Config, _ []Group) { c.Epochs, c.Batches = math.MaxInt, 1 }},
	} {
		cfg, w := scored(1, 2, 3)
		groups := []Group{{Params: []Param{{"W", w}}}}
		c.change(&cfg, groups)
		_, err := Run(context.Background(), cfg)
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "train: ") {
			t.Errorf("expected %q, found %v", c.want, err)
		}
		if w.Values()[0] != 0 {
			t.Errorf("%s: the run changed the weight", c.want)
		}
	}
}

// The same mistakes stop a loop of one's own at its first step.
func TestStepPanicsWithTheMistake(t *testing.T) {
	w := autograd.NewParameter(1)
	opt := NewSGD([]Group{{Params: []Param{{"W", w}}, WeightDecay: -1}}, SGDOptions{})
	defer func() {
		if err, _ := recover().(error); err == nil || err != opt.Err() {
			t.Errorf("expected a panic with %v, found %v", opt.Err(), err)
		}
	}()
	opt.Step(autograd.NewGradients(), 0.1, 1, nil)
}
