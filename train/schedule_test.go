package train

import (
	"encoding/json"
	"math"
	"os"
	"testing"
)

func TestSchedulesAgreeWithPyTorch(t *testing.T) {
	data, err := os.ReadFile("testdata/schedules.json")
	if err != nil {
		t.Fatal(err)
	}
	var golden map[string]json.RawMessage
	if err := json.Unmarshal(data, &golden); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		s    Schedule
		unit float64 // positions a value
	}{
		{"cosine", Curve{Peak: 0.5, Min: 0.01, Length: 25}.Cosine(), 1},
		{"warmup_cosine", Curve{Peak: 0.5, Start: 0.05, Warmup: 5, Length: 25}.Cosine(), 1},
		{"timm_cosine", Curve{Peak: 0.5, Min: 0.01, Start: 0.05, Warmup: 5, Length: 25, Beneath: true}.Cosine(), 1},
		{"timm_cosine_prefix", Curve{Peak: 0.5, Min: 0.01, Start: 0.05, Warmup: 5, Length: 25}.Cosine(), 1},
		{"step", Curve{Peak: 0.5}.Steps(7, 0.3), 1},
		{"warmup_linear", Curve{Peak: 0.5, Warmup: 4, Length: 20}.Linear(), 1},
		{"warmup_constant", Curve{Peak: 0.5, Warmup: 6}.Constant(), 1},
		{"mae", Curve{Peak: 1.5e-3, Min: 1e-5, Warmup: 5, Length: 30}.Cosine(), 0.25},
		{"mae", PerStep(Curve{Peak: 1.5e-3, Min: 1e-5, Warmup: 20, Length: 120}.Cosine(), 4), 0.25},
	} {
		var want []float64
		if err := json.Unmarshal(golden[c.name], &want); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		for i, w := range want {
			if got := c.s.Rate(float64(i) * c.unit); math.Abs(got-w) > 1e-12 {
				t.Errorf("%s: at %v expected %v, found %v", c.name, float64(i)*c.unit, w, got)
			}
		}
	}
}

func TestSchedulesStayAtTheirMinimum(t *testing.T) {
	c := Curve{Peak: 1, Min: 0.25, Warmup: 2, Length: 10}
	for name, s := range map[string]Schedule{"cosine": c.Cosine(), "linear": c.Linear(), "steps": c.Steps(1, 0.5)} {
		for _, x := range []float64{10, 11, 1e6} {
			if got := s.Rate(x); got != 0.25 {
				t.Errorf("%s at %v: expected 0.25, found %v", name, x, got)
			}
		}
	}
	whole := Curve{Peak: 1, Warmup: 10, Length: 10} // warm-up takes the whole run
	if got := whole.Cosine().Rate(10); math.IsNaN(got) || got != 0 {
		t.Errorf("a warm-up as long as the run: expected 0 at its end, found %v", got)
	}
}

func TestPower(t *testing.T) {
	for _, n := range []int64{0, 1, 2, 3, 10, 1000, 123457} {
		want := math.Pow(0.999, float64(n))
		if got := power(0.999, n); math.Abs(got-want) > 1e-12*want {
			t.Errorf("0.999^%d: expected %v, found %v", n, want, got)
		}
	}
}
