package metrics

import (
	"math"
	"testing"
)

// TestInterval compares with SciPy 1.17.1: binomtest(correct, n).proportion_ci(method="wilson").
func TestInterval(t *testing.T) {
	for _, c := range []struct {
		correct, n int
		low, high  float64
	}{
		{0, 0, 0, 1},
		{0, 10, 0, 0.2775327998628892},
		{10, 10, 0.7224672001371108, 1},
		{5, 10, 0.23659309051256394, 0.763406909487436},
		{830, 1000, 0.805465935038086, 0.8520084043614475},
	} {
		low, high := Interval(c.correct, c.n)
		if math.Abs(low-c.low) > 1e-9 || math.Abs(high-c.high) > 1e-9 {
			t.Errorf("%d of %d: found %v to %v, expected %v to %v", c.correct, c.n, low, high, c.low, c.high)
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("3 of 2 samples did not panic")
		}
	}()
	Interval(3, 2)
}
