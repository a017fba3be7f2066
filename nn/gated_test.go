package nn

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fovea-ml/fovea/autograd"
)

// TestGatedMLP writes the layer with the layers it is made of, one for each projection.
func TestGatedMLP(t *testing.T) {
	const width, hidden = 6, 10
	b := NewBlock(BlockConfig{Width: width, Hidden: hidden, Act: autograd.ActSilu, Gated: true, GateOrder: autograd.GateLast})
	m := b.MLP
	random(m)
	half := func(i int) *Linear {
		l := NewLinear(width, hidden, true)
		l.Weight.Update(func(w []float32) { copy(w, m.FC1.Weight.Values()[i*hidden*width:]) })
		l.Bias.Update(func(w []float32) { copy(w, m.FC1.Bias.Values()[i*hidden:]) })
		return l
	}
	tape := autograd.NewTape(autograd.Options{})
	x := input(tape, 2, 3, width)
	first, second := half(0), half(1)
	want := func(up, gate *Linear) *autograd.Tensor {
		return autograd.Add(x, m.FC2.Forward(autograd.Mul(up.Forward(x), gate.ForwardAct(x, autograd.ActSilu))))
	}
	near(t, "gate last", m.Forward(x, x), want(first, second))
	m.Order = autograd.GateFirst
	near(t, "gate first", m.Forward(x, x), want(second, first))
	if d := cmp.Diff([]int{2, 3, width}, b.Forward(x, AttentionInput{}).Shape()); d != "" {
		t.Error(d)
	}
}
