package train

import (
	"fmt"
	"iter"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/internal/test/golden"
)

func TestEMAAgreesWithTimm(t *testing.T) {
	g := golden.Load(t, "testdata/averages.safetensors")
	for name, o := range map[string]EMAOptions{
		"v2":     {Decay: new(0.9)},
		"v3":     {Decay: new(0.9)},
		"warmup": {Decay: new(0.8), Warmup: true, WarmupGamma: new(float64(2)), WarmupPower: new(0.75)},
		"after":  {Decay: new(0.7), After: 4},
	} {
		params, buffers := map[string]*autograd.Parameter{}, map[string]*autograd.Buffer{}
		var order []string
		for _, n := range g.Names() {
			n, ok := strings.CutPrefix(n, "start/")
			if !ok {
				continue
			}
			order = append(order, n)
			v, shape := g.Tensor("start/" + n)
			if strings.Contains(n, "running") {
				buffers[n] = autograd.NewBuffer(0, shape...)
				buffers[n].Update(func(dst []float32) { copy(dst, v) })
			} else {
				params[n] = autograd.ParameterOf(v, shape...)
			}
		}
		ema := NewEMA(inOrder(order, params), inOrder(order, buffers), o)
		for i := range 20 {
			for _, n := range order {
				v := g.Floats("model/" + n)
				set := func(dst []float32) { copy(dst, v[i*len(dst):]) }
				if p := params[n]; p != nil {
					p.Update(set)
				} else {
					buffers[n].Update(set)
				}
			}
			ema.Update(nil)
			for path, b := range ema.Memory() {
				_, n, _ := strings.Cut(path, "/")
				want := g.Floats(name + "/" + n)[i*len(b.Values()):][:len(b.Values())]
				golden.Within(t, fmt.Sprintf("%s: update %d: %s", name, i, path), b.Values(), want, 1e-6)
			}
		}
	}
}

func inOrder[T any](order []string, m map[string]T) iter.Seq2[string, T] {
	return func(yield func(string, T) bool) {
		for _, n := range order {
			if v, ok := m[n]; ok && !yield(n, v) {
				return
			}
		}
	}
}

// A weight and its complement may not add up to one in float32. With a decay near one, this would pull
// the average away from a model that has come to rest.
func TestEMAStaysAtRest(t *testing.T) {
	p := autograd.ParameterOf([]float32{3}, 1)
	ema := NewEMA(named([]Param{{"p", p}}), nil, EMAOptions{Decay: new(0.99996)})
	p.Update(func([]float32) {})
	for range 20000 {
		ema.Update(nil)
	}
	for _, b := range ema.Memory() {
		if got := b.Values()[0]; got != 3 {
			t.Errorf("expected the average of a constant to stay 3, found %v", got)
		}
	}
}

// TestEMAKeepsTypes expects that frozen weights of integers are not written.
func TestEMAKeepsTypes(t *testing.T) {
	frozen, trained := autograd.NewParameter(1, 2), autograd.ParameterOf([]float32{1, 2}, 2)
	frozen.MapInt8([][]int8{{3, 4}}, []float32{0.5}, nil, nil)
	ema := NewEMA(named([]Param{{"frozen", frozen}, {"trained", trained}}), nil, EMAOptions{Decay: new(0.5)})
	for range 2 {
		trained.Update(func(v []float32) { v[0] += 2 })
		ema.Update(nil)
		ema.Swap()
		ema.Swap()
	}
	if frozen.DType() != autograd.Int8 || frozen.Version() != 1 || !slices.Equal(frozen.Values(), []float32{1.5, 2}) {
		t.Errorf("a frozen weight is %v, version %d, %v", frozen.DType(), frozen.Version(), frozen.Values())
	}
	if !slices.Equal(trained.Values(), []float32{5, 2}) {
		t.Errorf("a trained weight is %v", trained.Values())
	}
}

func TestEMASwap(t *testing.T) {
	p := autograd.ParameterOf([]float32{1, 2}, 2)
	ema := NewEMA(named([]Param{{"p", p}}), nil, EMAOptions{Decay: new(0.5)})
	p.Update(func(v []float32) { v[0], v[1] = 3, 4 })
	ema.Update(nil)
	version := p.Version()
	ema.Swap()
	if !slices.Equal(p.Values(), []float32{2, 3}) || !ema.Swapped() || p.Version() == version {
		t.Errorf("after one swap: %v, swapped %v", p.Values(), ema.Swapped())
	}
	func() {
		defer func() {
			if recover() == nil {
				t.Error("expected Update to panic while swapped")
			}
		}()
		ema.Update(nil)
	}()
	ema.Swap()
	if !slices.Equal(p.Values(), []float32{3, 4}) || ema.Swapped() {
		t.Errorf("after two swaps: %v, swapped %v", p.Values(), ema.Swapped())
	}
}

func TestEMADecay(t *testing.T) {
	e := NewEMA(nil, nil, EMAOptions{Warmup: true, MinDecay: 0.5})
	for n, want := range map[int64]float64{1: 0, 2: 0.5, 10: 1 - math.Pow(10, -2.0/3), 1e9: 0.9999} {
		if got := e.Decay(n); math.Abs(got-want) > 1e-15 {
			t.Errorf("update %d: expected a decay of %v, found %v", n, want, got)
		}
	}
}
