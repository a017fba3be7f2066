package probe

import (
	"math"
	"testing"
)

// TestExpLog compares with package math, which is within 1 ULP, too.
func TestExpLog(t *testing.T) {
	for x := 0.0; x > -700; x -= 0.00737 {
		if got, want := exp(x), math.Exp(x); !(math.Abs(got-want) <= 4.5e-16*want) {
			t.Fatalf("exp(%v) = %v, expected %v", x, got, want)
		}
	}
	for x := 1e-300; x < 1e300; x *= 1.0371 {
		if got, want := log(x), math.Log(x); !(math.Abs(got-want) <= 4.5e-16*math.Abs(want)) {
			t.Fatalf("log(%v) = %v, expected %v", x, got, want)
		}
	}
	for x := 1.0; x < 1.1; x += 0.00013 {
		if got, want := log(x), math.Log(x); !(math.Abs(got-want) <= 4.5e-16*want) {
			t.Fatalf("log(%v) = %v, expected %v", x, got, want)
		}
	}
	if exp(0) != 1 || exp(-709) != 0 || exp(math.Inf(-1)) != 0 || !math.IsNaN(exp(math.NaN())) || log(1) != 0 {
		t.Error("exp(0), exp(-709), exp(-Inf), exp(NaN) or log(1) is wrong")
	}
}
