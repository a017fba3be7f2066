package config

import (
	"math"
	"testing"

	"github.com/fovea-ml/fovea/autograd"
)

// TestChecks gives each check values that pass and values that fail, with the error.
func TestChecks(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for _, c := range []struct {
		check func(v *Checks)
		want  string // "" for none
	}{
		{func(v *Checks) { v.Size("n", 1); v.Size("n", Largest) }, ""},
		{func(v *Checks) { v.Size("n", 0) }, "n: expected 1 to 1048576, found 0"},
		{func(v *Checks) { v.Size("n", Largest+1) }, "n: expected 1 to 1048576, found 1048577"},
		{func(v *Checks) { v.Divisor("n", 3, "m", 6) }, ""},
		{func(v *Checks) { v.Divisor("n", 4, "m", 6) }, "n: expected a divisor of m 6, found 4"},
		{func(v *Checks) { v.Size("n", 0); v.Divisor("n", 0, "m", 6) }, "n: expected 1 to 1048576, found 0"}, // and no division by 0
		{func(v *Checks) { v.Multiple("n", 8, 4, "sines") }, ""},
		{func(v *Checks) { v.Multiple("n", 6, 4, "sines") }, "n: expected a multiple of 4 for sines, found 6"},
		{func(v *Checks) { v.Probability("p", 0) }, ""},
		{func(v *Checks) { v.Probability("p", 1) }, "p: expected at least 0 and below 1, found 1"},
		{func(v *Checks) { v.Probability("p", nan) }, "p: expected at least 0 and below 1, found NaN"},
		{func(v *Checks) { v.NotNegative("e", 0) }, ""},
		{func(v *Checks) { v.NotNegative("e", -1) }, "e: expected a finite number that is not negative, found -1"},
		{func(v *Checks) { v.NotNegative("e", nan) }, "e: expected a finite number that is not negative, found NaN"},
		{func(v *Checks) { v.NotNegative("e", inf) }, "e: expected a finite number that is not negative, found +Inf"},
		{func(v *Checks) { v.Deviation("d", 1) }, ""},
		{func(v *Checks) { v.Deviation("d", 1.5) }, "d: expected 0 to 1, found 1.5"},
		{func(v *Checks) { v.OneOf("o", "b", "a", "b") }, ""},
		{func(v *Checks) { v.OneOf("o", "c", "a", "b") }, `o: expected one of ["a" "b"], found "c"`},
		{func(v *Checks) { v.Unused("m", Field{"a", 0}, Field{"b", false}, Field{"c", ""}) }, ""},
		{func(v *Checks) { v.Unused("m", Field{"a", 0}, Field{"b", -3}, Field{"c", "x"}) }, `b: expected 0 for the model_type "m", which does not use it, found -3`},
		{func(v *Checks) { v.Size("first", 0); v.Probability("second", 2) }, "first: expected 1 to 1048576, found 0"},
	} {
		var v Checks
		c.check(&v)
		if err := v.Err(); (err == nil) != (c.want == "") || err != nil && err.Error() != c.want {
			t.Errorf("expected %q, found %v", c.want, err)
		}
	}
}

// TestActivation looks names up, and names the field of one that is not known.
func TestActivation(t *testing.T) {
	var v Checks
	if act := v.Activation("hidden_act", "gelu_new"); act != autograd.ActGeluTanh || v.Err() != nil {
		t.Errorf("found %v, %v", act, v.Err())
	}
	v.Activation("hidden_act", "nothing")
	if err := v.Err(); err == nil || err.Error()[:12] != "hidden_act: " {
		t.Errorf("found %v", err)
	}
}
