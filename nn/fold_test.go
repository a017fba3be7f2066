package nn

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/internal/test/golden"
)

// batchNorm returns the normalization that a golden holds under a name.
func batchNorm(g *golden.File, name string) *BatchNorm {
	b := NewBatchNorm(len(g.Floats(name+"/mean")), g.Has(name+"/gamma"))
	b.Mean.Update(func(v []float32) { copy(v, g.Floats(name+"/mean")) })
	b.Variance.Update(func(v []float32) { copy(v, g.Floats(name+"/variance")) })
	if b.Weight != nil {
		b.Weight.Update(func(v []float32) { copy(v, g.Floats(name+"/gamma")) })
		b.Bias.Update(func(v []float32) { copy(v, g.Floats(name+"/beta")) })
	}
	return b
}

// parameter returns a tensor of a golden as a parameter, nil where there is none.
func parameter(g *golden.File, name string) *autograd.Parameter {
	if !g.Has(name) {
		return nil
	}
	values, shape := g.Tensor(name)
	return autograd.ParameterOf(values, shape...)
}

// TestFrozenBatchNorm compares with torchvision's on a training tape, and expects the statistics to stay.
func TestFrozenBatchNorm(t *testing.T) {
	g := golden.Load(t, "testdata/batch_norm.safetensors")
	b := batchNorm(g, "frozen")
	b.Freeze()
	before := append([]float32(nil), b.Mean.Values()...)
	before = append(before, b.Variance.Values()...)
	for _, training := range []bool{false, true} {
		tape := autograd.NewTape(autograd.Options{Gradients: true, Training: training, Debug: true})
		values, shape := g.Tensor("frozen/x")
		x := tape.Input(values, shape...)
		x.WantGradient()
		y := b.Forward(x)
		golden.Output(t, "output", y.Floats(nil), g.Floats("frozen/y"))
		grads := autograd.NewGradients()
		autograd.Backward(grads, []*autograd.Tensor{y}, [][]float32{g.Floats("frozen/dy")})
		golden.Gradient(t, "gradient of the input", grads.OfTensor(x), g.Floats("frozen/dx"), golden.Norm(g.Floats("frozen/dx")))
		if grads.Of(b.Weight) != nil || grads.Of(b.Bias) != nil {
			t.Error("a frozen parameter has a gradient")
		}
		tape.Commit()
	}
	if d := cmp.Diff(before, append(append([]float32(nil), b.Mean.Values()...), b.Variance.Values()...)); d != "" {
		t.Errorf("training changes frozen statistics: %s", d)
	}
	NewBatchNorm(3, false).Freeze() // nothing to freeze
}

// TestFoldBatchNorm compares folded layers with the two layers and with torch.nn.utils.fusion.
func TestFoldBatchNorm(t *testing.T) {
	g := golden.Load(t, "testdata/batch_norm.safetensors")
	tape := autograd.NewTape(autograd.Options{Debug: true})
	fed := func(name string) *autograd.Tensor {
		values, shape := g.Tensor(name + "/x")
		return tape.Input(values, shape...)
	}
	check := func(name string, weight, bias *autograd.Parameter, folded, two *autograd.Tensor) {
		t.Helper()
		golden.Output(t, name+": weight", weight.Values(), g.Floats(name+"/fused_weight"))
		golden.Output(t, name+": bias", bias.Values(), g.Floats(name+"/fused_bias"))
		golden.Output(t, name+": output", folded.Floats(nil), two.Floats(nil))
		golden.Output(t, name+": reference", folded.Floats(nil), g.Floats(name+"/y"))
	}
	for _, name := range []string{"conv/bias", "conv/plain"} {
		c := NewConv2d(4, 6, 3, false, autograd.Conv2dOptions{Padding: [2]int{1, 1}, Groups: 2})
		c.Weight, c.Bias = parameter(g, name+"/weight"), parameter(g, name+"/bias")
		b := batchNorm(g, name)
		b.Eps = 1e-3
		two := b.Forward(c.Forward(fed(name)))
		if err := c.FoldBatchNorm(b); err != nil {
			t.Fatal(err)
		}
		check(name, c.Weight, c.Bias, c.Forward(fed(name)), two)
	}
	l := &Linear{Weight: parameter(g, "linear/weight"), Bias: parameter(g, "linear/bias")}
	b := batchNorm(g, "linear")
	two := b.Forward(l.Forward(fed("linear")))
	b.Eps = 0 // means PyTorch's default
	if err := l.FoldBatchNorm(b); err != nil {
		t.Fatal(err)
	}
	check("linear", l.Weight, l.Bias, l.Forward(fed("linear")), two)
}

// TestFoldedBlock: a block of a residual network, with a depthwise convolution in it, folds to three convolutions that
// apply their activations and the residual themselves.
func TestFoldedBlock(t *testing.T) {
	const channels = 6
	var convs [3]*Conv2d
	var norms [3]*BatchNorm
	seed := uint64(1)
	fill := func(low float32) func(v []float32) {
		return func(v []float32) {
			rng := rand.New(rand.NewPCG(seed, 2))
			seed++
			for i := range v {
				v[i] = low + rng.Float32()
			}
		}
	}
	for i, o := range []autograd.Conv2dOptions{
		{Padding: [2]int{1, 1}}, {Padding: [2]int{1, 1}, Groups: channels}, {},
	} {
		convs[i], norms[i] = NewConv2d(channels, channels, []int{3, 3, 1}[i], false, o), NewBatchNorm(channels, true)
		convs[i].Weight.Update(fill(-.5))
		norms[i].Weight.Update(fill(.5))
		norms[i].Bias.Update(fill(-.5))
		norms[i].Mean.Update(fill(-.5))
		norms[i].Variance.Update(fill(.5))
	}
	values := make([]float32, 2*channels*5*6)
	fill(-.5)(values)
	profile := new(autograd.Profile)
	tape := autograd.NewTape(autograd.Options{Debug: true, Profile: profile})
	x := tape.Input(values, 2, channels, 5, 6)
	y := x
	for i := range convs {
		if y = norms[i].Forward(convs[i].Forward(y)); i < 2 {
			y = autograd.Relu(y)
		}
	}
	want := autograd.Relu(autograd.Add(y, x)).Floats(nil)
	for i, c := range convs {
		if err := c.FoldBatchNorm(norms[i]); err != nil {
			t.Fatal(err)
		}
		c.Act = autograd.ActRelu
	}
	profile.Reset()
	got := convs[2].ForwardAdd(convs[1].Forward(convs[0].Forward(x)), x)
	golden.Output(t, "folded block", got.Floats(nil), want)
	if table := profile.String(); strings.Contains(table, "relu") || strings.Count(table, "conv2d") != 2 {
		t.Errorf("expected nothing but convolutions, with and without a residual, found\n%s", table)
	}
}

// TestFoldMistakes expects errors, and layers as they were.
func TestFoldMistakes(t *testing.T) {
	c := NewConv2d(2, 3, 1, false, autograd.Conv2dOptions{})
	if err := c.FoldBatchNorm(NewBatchNorm(2, true)); err == nil || !strings.Contains(err.Error(), "of 3 channels, found 2") || c.Bias != nil {
		t.Errorf("another number of channels: %v", err)
	}
	batch := &BatchNorm{Weight: filled(3, 1), Bias: autograd.NewParameter(3)}
	if err := c.FoldBatchNorm(batch); err == nil || !strings.Contains(err.Error(), "with running statistics") || c.Bias != nil {
		t.Errorf("no running statistics: %v", err)
	}
	c.Act = autograd.ActRelu
	if err := c.FoldBatchNorm(NewBatchNorm(3, true)); err == nil || !strings.Contains(err.Error(), "found relu") || c.Bias != nil {
		t.Errorf("an activation before the normalization: %v", err)
	}
	l := NewLinear(2, 3, true)
	l.Adapter = []*LowRank{part(2, 0, 3, 1)}
	if err := l.FoldBatchNorm(NewBatchNorm(3, true)); err == nil || !strings.Contains(err.Error(), "has an adapter that is not merged") {
		t.Errorf("an adapter: %v", err)
	}
	l.Merge()
	if err := l.FoldBatchNorm(NewBatchNorm(3, true)); err != nil {
		t.Error(err)
	}
	if err := l.Unmerge(); err == nil {
		t.Error("a folded layer was unmerged")
	}
}
