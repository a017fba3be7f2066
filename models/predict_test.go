package models

import (
	"encoding/json"
	"math"
	"testing"
)

// TestPredict scores the logits 2, -1 and 0.5 as transformers' image-classification pipeline does.
func TestPredict(t *testing.T) {
	logits := []float32{2, -1, 0.5}
	for _, c := range []struct {
		logits  []float32
		problem Problem
		of      Problem
		want    []float64 // the scores, in the order of Top
	}{
		{logits, "", SingleLabel, []float64{0.7855970345892274, 0.17529039, 0.03911257}},
		{logits, SingleLabel, SingleLabel, []float64{0.7855970345892274, 0.17529039, 0.03911257}},
		{logits, MultiLabel, MultiLabel, []float64{0.8807970779778823, 0.6224593312018546, 0.2689414213699951}},
		{logits, Regression, Regression, []float64{2, 0.5, -1}},
		{logits[:1], "", MultiLabel, []float64{0.8807970779778823}},
		{logits[:1], Regression, Regression, []float64{2}},
		{nil, "", SingleLabel, nil},
	} {
		p := Predict(c.logits, []string{"a", "b", "c"}, c.problem)
		if p.Problem != c.of || len(p.Top) != len(c.want) {
			t.Errorf("%q: found %+v", c.problem, p)
			continue
		}
		for i, class := range p.Top {
			if math.Abs(float64(class.Probability)-c.want[i]) > 1e-6 || class.Label != string(rune('a'+class.Index)) {
				t.Errorf("%q: found %+v, expected %v", c.problem, p.Top, c.want)
			}
		}
	}
}

// TestClassesJSON reads numbers of classes in the forms that Python's int takes. Of equal numbers, the last counts.
func TestClassesJSON(t *testing.T) {
	for text, want := range map[string]string{
		`{"0": "a", "1": "b"}`:             "ab",
		`{" 1 ": "b", "+0": "a"}`:          "ab",
		`{"1": "x", "0": "a", "01": "b"}`:  "ab",
		`{"1e0": "b"}`:                     "",
		`{"0": null}`:                      "",
		`["a"]`:                            "",
		`{"0": "a", "1": "b", "-1": "no"}`: "ab",
	} {
		var c Classes
		err := json.Unmarshal([]byte(`{"id2label": `+text+`}`), &c)
		if (err == nil) != (want != "") {
			t.Errorf("%s: found %v", text, err)
		}
		got := ""
		for _, name := range c.Labels() {
			got += name
		}
		if err == nil && got != want {
			t.Errorf("%s: found %q", text, got)
		}
	}
	var c Classes
	if err := json.Unmarshal([]byte(`{"id2label": null, "label2id": null, "problem_type": null}`), &c); err != nil || c.ID2Label != nil || c.Problem != "" {
		t.Errorf("null: found %+v, %v", c, err)
	}
}
