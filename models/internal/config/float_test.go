package config

import (
	"encoding/json"
	"math"
	"testing"
)

// TestFloat writes the numbers that Go writes, except whole ones.
func TestFloat(t *testing.T) {
	for _, c := range []struct {
		value any
		want  string
	}{
		{Float[float32]{0}, "0.0"}, {Float[float64]{1}, "1.0"}, {Float[float32]{1e-12}, "1e-12"}, {Float[float64]{1e30}, "1e+30"},
		{Float[float32]{0.02}, "0.02"}, {Float[float64]{-3}, "-3.0"},
	} {
		if got, err := json.Marshal(c.value); err != nil || string(got) != c.want {
			t.Errorf("%v: found %s, %v, expected %s", c.value, got, err, c.want)
		}
	}
	if _, err := json.Marshal(Float[float64]{math.NaN()}); err == nil {
		t.Error("NaN: expected an error")
	}
}
