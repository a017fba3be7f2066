package vit

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/internal/test/golden"
	"github.com/fovea-ml/fovea/nn"
)

// turning returns models with each kind of rotary positions.
func turning(t *testing.T) map[string]*Model {
	t.Helper()
	models := map[string]*Model{}
	for _, order := range []string{"", RowRope, ColumnRope, MixedRope} {
		c := preset(16, 2, 2, 4)
		c.SetSize(16, 12)
		c.RopeTheta, c.RopeOrder, c.NumRegisterTokens = 100, order, 1
		if order == RowRope {
			c.RopeReference, c.RopeOffset, c.RopePositions = 5, 1, true
		}
		c.InitializerRange = 0.3
		models["order "+order] = New(c, 3, rand.New(rand.NewPCG(1, 2)))
	}
	return models
}

// TestPatchDropoutRotary drops patches on a training tape: the others turn by their own positions, as if attention did not see
// the dropped ones.
func TestPatchDropoutRotary(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	pixels := make([]float32, 2*3*16*12)
	for i := range pixels {
		pixels[i] = float32(rng.NormFloat64())
	}
	for name, m := range turning(t) {
		e := m.Encoder
		still := autograd.NewTape(autograd.Options{})
		x := still.Input(pixels, 2, 3, 16, 12)
		grid := e.size(x)
		e.PatchDropout = 0.5
		tape := autograd.NewTape(autograd.Options{Training: true, Gradients: true, Seed: 7})
		some, places := e.embed(tape.Input(pixels, 2, 3, 16, 12))
		all, none := e.embed(x)
		length, kept := all.Dim(1), some.Dim(1)
		if length != 14 || kept != 8 || len(places) != 2*kept || none != nil {
			t.Fatalf("%s: found %d tokens of %d, %d places, %d without dropping", name, kept, length, len(places), len(none))
		}
		mask := make([]bool, 2*length)
		var rows []int
		for i, place := range places {
			rows = append(rows, i/kept*length+place)
			mask[i/kept*length+place] = true
		}
		for i, b := range e.Blocks {
			in := e.input(i, grid, nil)
			in.KeyMask = mask
			all = b.Forward(all, in)
		}
		all = autograd.GatherRows(autograd.Reshape(e.Norm.Forward(all), 2*length, 16), rows)
		golden.Within(t, name, e.encode(some, grid, places).Floats(nil), all.Floats(nil), 1e-5)

		grads := autograd.NewGradients()
		tape.Reset()
		autograd.Sum(m.Forward(tape.Input(pixels, 2, 3, 16, 12)), false).Backward(grads)
		for path, p := range nn.Parameters(m) {
			if grads.Of(p) == nil {
				t.Errorf("%s: %s has no gradient", name, path)
			}
		}
	}
}

// TestRopeSaved saves models with rotary positions and loads them again, to the same outputs.
func TestRopeSaved(t *testing.T) {
	for name, m := range turning(t) {
		dir := t.TempDir()
		if err := m.Save(dir, SaveOptions{}); err != nil {
			t.Fatal(err)
		}
		again, err := Open(dir, LoadOptions{})
		if err != nil {
			t.Fatal(err)
		}
		x := autograd.NewTape(autograd.Options{}).Full(0.5, 1, 3, 16, 12)
		golden.Within(t, name, again.Forward(x).Floats(nil), m.Forward(x).Floats(nil), 0)
		if m.Config.RopeOrder != again.Config.RopeOrder || m.Config.RopeOffset != again.Config.RopeOffset {
			t.Errorf("%s: found %+v", name, again.Config)
		}
	}
}

// TestRopeRefused expects errors that name a field of rotary positions.
func TestRopeRefused(t *testing.T) {
	for want, change := range map[string]func(c *Config){
		"rope_theta":     func(c *Config) { c.RopeTheta = 0 },
		"rope_order":     func(c *Config) { c.RopeOrder = "diagonal" },
		"rope_reference": func(c *Config) { c.RopeReference = -1 },
		"rope_offset":    func(c *Config) { c.RopeOffset = 1e9 },
		`"rows" or "columns" beside rope_reference`: func(c *Config) { c.RopeOrder, c.RopeReference = MixedRope, 3 },
	} {
		c := Tiny16()
		c.RopeTheta, c.RopeOrder = 10, RowRope
		change(&c)
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("expected an error with %s, found %v", want, err)
		}
	}
}
