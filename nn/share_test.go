package nn

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/fovea-ml/fovea/autograd"
)

// TestShare gives two models with equal encoders one memory, until one of them is trained.
func TestShare(t *testing.T) {
	type model struct{ Encoder, Head *Linear }
	build := func(head uint64) *model {
		m := &model{NewLinear(3, 4, true), NewLinear(4, 2, true)}
		Normal(rand.New(rand.NewPCG(1, 1)), m.Encoder.Weight, 1)
		Normal(rand.New(rand.NewPCG(head, 1)), m.Head.Weight, 1)
		return m
	}
	a, b := build(1), build(2)
	shared := 3*4 + 4 + 2 // the encoder and the bias of the head
	if n := Share(a, b); n != shared {
		t.Errorf("Share found %d values, expected %d", n, shared)
	}
	x := []float32{1, 2, 3}
	forward := func(m *model) []float32 {
		tape := autograd.NewTape(autograd.Options{})
		return m.Head.Forward(m.Encoder.Forward(tape.Input(x, 1, 3))).Floats(nil)
	}
	wantA, wantB := forward(build(1)), forward(build(2))
	if !slices.Equal(forward(a), wantA) || !slices.Equal(forward(b), wantB) {
		t.Error("sharing changed results")
	}
	if &a.Encoder.Weight.Values()[0] != &b.Encoder.Weight.Values()[0] || &a.Head.Weight.Values()[0] == &b.Head.Weight.Values()[0] {
		t.Error("expected one encoder and two heads")
	}
	version := a.Encoder.Weight.Version()
	a.Encoder.Weight.Update(func(v []float32) { v[0]++ })
	if a.Encoder.Weight.Version() == version || slices.Equal(forward(a), wantA) || !slices.Equal(forward(b), wantB) {
		t.Error("an update of one model did not change it alone")
	}
	b.Encoder.Weight.Update(func(v []float32) { v[0] += 2 })
	if slices.Equal(forward(b), wantB) || a.Encoder.Weight.Values()[0]+1 != b.Encoder.Weight.Values()[0] {
		t.Error("an update of the other model was lost")
	}
	if n := Share(a, build(3)); n != 4+2 {
		t.Errorf("%d values are shared after the update, expected both biases", n)
	}
}
