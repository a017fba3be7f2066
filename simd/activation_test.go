package simd

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
)

// Every activation of the table has the bits of its own kernels, forward and backward, at every level.
func TestActivationKernels(t *testing.T) {
	if len(activationKernels) != len(activations) {
		t.Fatalf("%d activations, expected a row for each in activationKernels (gemm_epilogue_test.go), found %d", len(activations), len(activationKernels))
	}
	x, dy := make([]float32, 131), make([]float32, 131)
	fill(x, 1)
	ordinary(dy, 2)
	onLevels(t, Levels(), func(t *testing.T) {
		for _, act := range Activations() {
			got, want := make([]float32, len(x)), make([]float32, len(x))
			act.Apply(got, x)
			activationKernels[act].forward(want, x)
			compareBits(t, act.String(), got, want)
			act.Grad(got, x, dy)
			activationKernels[act].grad(want, x, dy)
			compareBits(t, act.String()+" gradient", got, want)
		}
	})
}

// The gradient of every activation is the derivative of its function.
func TestActivationDifferences(t *testing.T) {
	const step = 1.0 / 256
	kinks := []float32{-3, 0, 3, 6}
	for _, act := range Activations() {
		for at := float32(-8); at <= 8; at += 0.0625 {
			if slices.ContainsFunc(kinks, func(k float32) bool { return math.Abs(float64(at-k)) < 2*step }) {
				continue
			}
			var y, grad [2]float32
			act.Apply(y[:], []float32{at - step, at + step})
			act.Grad(grad[:], []float32{at, at}, []float32{1, -2})
			slope := float64(y[1]-y[0]) / (2 * step)
			if d := math.Abs(slope - float64(grad[0])); d > 2e-3*max(1, math.Abs(slope)) {
				t.Errorf("%v: the gradient at %g is %g, finite difference %g", act, at, grad[0], slope)
			}
			if grad[1] != -2*grad[0] {
				t.Errorf("%v: the gradient at %g is %g times 1, %g times -2", act, at, grad[0], grad[1])
			}
		}
	}
}

func TestActivationNames(t *testing.T) {
	seen := map[string]bool{}
	var all []string
	for i, act := range Activations() {
		names := act.Names()
		all = append(all, names...)
		if int(act) != i || act.String() != names[0] {
			t.Errorf("activation %d is number %d, %v, of the names %q", i, act, act, names)
		}
		for _, name := range names {
			if got, err := ActivationByName(name); err != nil || got != act || seen[name] {
				t.Errorf("%q is %v, %v, want %v; met before: %t", name, got, err, act, seen[name])
			}
			seen[name] = true
		}
	}
	if len(seen) != len(activationNames) {
		t.Errorf("%d names, the index has %d", len(seen), len(activationNames))
	}
	// Names of transformers and timm that are other functions, and spellings of nobody.
	for _, name := range []string{"gelu_10", "laplace", "xielu", "prelu", "sqrtsoftplus", "elu", "hard_mish", "GELU", "gelu ", ""} {
		act, err := ActivationByName(name)
		if err == nil {
			t.Errorf("%q is %v, want an error", name, act)
			continue
		}
		if want := fmt.Sprintf("expected an activation (%s), found %q", strings.Join(all, ", "), name); err.Error() != want {
			t.Errorf("the error is %q, expected %q", err, want)
		}
	}
}

// A table that lacks a part, or has a name twice, does not start.
func TestActivationTable(t *testing.T) {
	good := activations[ActTanh]
	for name, change := range map[string]func(e *activation){
		"":                            func(e *activation) {},
		"activation 1 () lacks":       func(e *activation) { *e = activation{} },
		"activation 1 () lacks a":     func(e *activation) { e.names = nil },
		"activation 1 (other) lacks ": func(e *activation) { e.forward = nil },
		"(other) lacks a name":        func(e *activation) { e.grad = nil },
		"lacks a name, a kernel or":   func(e *activation) { e.cost = 0 },
		`"tanh" of activation 1`:      func(e *activation) { e.names = []string{"other", "tanh"} },
		`"other" of activation 1`:     func(e *activation) { e.names = []string{"other", "other"} },
		`"" of activation 1`:          func(e *activation) { e.names = []string{""} },
	} {
		other := good
		other.names = []string{"other"}
		change(&other)
		got := panicOf(func() { indexActivations([]activation{good, other}) })
		if (name == "") != (got == "") || !strings.Contains(got, name) {
			t.Errorf("panic %q, want %q", got, name)
		}
	}
}

// An activation beyond the table panics in all that applies one.
func TestUnknownActivation(t *testing.T) {
	one := []float32{1}
	a, b := Matrix{one, 1, false}, Matrix{one, 1, false}
	for _, act := range []Activation{activationCount, 255} {
		if act.Valid() || act.String() != fmt.Sprintf("Activation(%d)", uint8(act)) {
			t.Errorf("%d is valid: %t, its name %q", uint8(act), act.Valid(), act)
		}
		for what, f := range map[string]func(){
			"Apply":      func() { act.Apply(nil, nil) },
			"Grad":       func() { act.Grad(nil, nil, nil) },
			"Names":      func() { act.Names() },
			"Cost":       func() { act.Cost() },
			"Gemm":       func() { Gemm(nil, 1, 1, 1, a, b, 0, []float32{0}, 1, &Epilogue{Act: act}) },
			"empty Gemm": func() { Gemm(nil, 0, 0, 0, a, b, 0, nil, 1, &Epilogue{Act: act}) },
			"GemmPacked": func() {
				GemmPacked(nil, 1, a, Pack(nil, 1, 1, b, PackOptions{}), 0, []float32{0}, 1, &Epilogue{Act: act})
			},
		} {
			if got, want := panicOf(f), fmt.Sprintf("unknown activation %d", uint8(act)); !strings.Contains(got, want) {
				t.Errorf("%s: panic %q, want %q", what, got, want)
			}
		}
	}
}

// panicOf returns the text that f panics with, "" when it returns.
func panicOf(f func()) (text string) {
	defer func() {
		if r := recover(); r != nil {
			text = fmt.Sprint(r)
		}
	}()
	f()
	return ""
}
