// Package config checks the fields of model configurations.
//
//	var v config.Checks
//	v.Size("hidden_size", c.HiddenSize)
//	v.Divisor("num_attention_heads", c.NumAttentionHeads, "hidden_size", c.HiddenSize)
//	return v.Err()
//
// Each check names the field as config.json does. The first field that fails decides the error.
package config

import (
	"fmt"
	"reflect"

	"github.com/chewxy/math32"
	"github.com/fovea-ml/fovea/autograd"
)

// Largest bounds every size in a configuration: far above any model, far below an overflow.
const Largest = 1 << 20

// Checks keeps the first error of a series of checks. The zero value has none.
type Checks struct{ err error }

// Err returns the first error, or nil.
func (v *Checks) Err() error { return v.err }

// Fail records an error about a field, unless there is one already.
func (v *Checks) Fail(name, format string, args ...any) {
	if v.err == nil {
		v.err = fmt.Errorf("%s: "+format, append([]any{name}, args...)...)
	}
}

// Add records an error that names its field, unless there is one already. It may be nil.
func (v *Checks) Add(err error) {
	if v.err == nil {
		v.err = err
	}
}

// Size wants 1 to [Largest].
func (v *Checks) Size(name string, value int) {
	if value < 1 || value > Largest {
		v.Fail(name, "expected 1 to %d, found %d", Largest, value)
	}
}

// Divisor wants a divisor of another field. Sizes are checked before it.
func (v *Checks) Divisor(name string, value int, of string, whole int) {
	if v.err == nil && whole%value != 0 {
		v.Fail(name, "expected a divisor of %s %d, found %d", of, whole, value)
	}
}

// Multiple wants a multiple of n; reason says why.
func (v *Checks) Multiple(name string, value, n int, reason string) {
	if value%n != 0 {
		v.Fail(name, "expected a multiple of %d for %s, found %d", n, reason, value)
	}
}

// Probability wants at least 0 and less than 1.
func (v *Checks) Probability(name string, value float32) {
	if !(value >= 0 && value < 1) {
		v.Fail(name, "expected at least 0 and below 1, found %v", value)
	}
}

// NotNegative wants a finite number of at least 0.
func (v *Checks) NotNegative(name string, value float32) {
	if !(value >= 0) || math32.IsInf(value, 0) {
		v.Fail(name, "expected a finite number that is not negative, found %v", value)
	}
}

// Deviation wants 0 to 1: initial weights are drawn again until they lie within ±2, which would take long with a larger
// deviation.
func (v *Checks) Deviation(name string, value float64) {
	if !(value >= 0 && value <= 1) {
		v.Fail(name, "expected 0 to 1, found %v", value)
	}
}

// OneOf wants one of the given texts.
func (v *Checks) OneOf(name, value string, texts ...string) {
	for _, t := range texts {
		if value == t {
			return
		}
	}
	v.Fail(name, "expected one of %q, found %q", texts, value)
}

// A Field is a field of a configuration and its value.
type Field struct {
	Name  string
	Value any
}

// Unused wants the zero values of fields that models of a model_type do not use. The first other one decides the error.
func (v *Checks) Unused(modelType string, fields ...Field) {
	for _, f := range fields {
		if x := reflect.ValueOf(f.Value); !x.IsZero() {
			v.Fail(f.Name, "expected %v for the model_type %q, which does not use it, found %v", reflect.Zero(x.Type()), modelType, x)
		}
	}
}

// Activation wants the name of an activation, and returns it.
func (v *Checks) Activation(name, value string) autograd.Activation {
	act, err := autograd.ActivationByName(value)
	if err != nil {
		v.Fail(name, "%v", err)
	}
	return act
}
