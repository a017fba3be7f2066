package metrics

import (
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/fovea-ml/fovea/internal/test/golden"
)

// TestSklearn compares every figure with scikit-learn's: random logits, ties, and classes without samples or
// predictions.
func TestSklearn(t *testing.T) {
	g := golden.Load(t, "testdata/sklearn.safetensors")
	for _, name := range []string{"random", "two", "ties", "skewed", "absent", "neither", "single"} {
		t.Run(name, func(t *testing.T) {
			logits, shape := g.Tensor(name + "/logits")
			labels, classes := g.Ints(name+"/labels"), shape[1]
			top := g.Floats(name + "/top")
			for k := 1; k <= classes+1; k++ {
				equal(t, "top-k accuracy", TopKAccuracy(logits, labels, k), top[min(k, classes)-1])
			}

			whole, parts := NewConfusion(classes), NewConfusion(classes)
			if err := whole.AddLogits(logits, labels); err != nil {
				t.Fatal(err)
			}
			for i, label := range labels { // in batches of one, each merged
				one := NewConfusion(classes)
				if err := one.AddLogits(logits[i*classes:(i+1)*classes], []int{label}); err != nil {
					t.Fatal(err)
				}
				parts.Merge(one)
			}
			if want := g.Ints(name + "/counts"); !slices.Equal(whole.counts, want) || !slices.Equal(parts.counts, want) {
				t.Errorf("counts %d and %d in batches, expected %d", whole.counts, parts.counts, want)
			}
			class := g.Floats(name + "/class")
			for i := range classes {
				equal(t, "recall", whole.Recall(i), class[i])
				equal(t, "precision", whole.Precision(i), class[classes+i])
				equal(t, "F1", whole.F1(i), class[2*classes+i])
			}
			mean := g.Floats(name + "/mean")
			equal(t, "accuracy", whole.Accuracy(), mean[0])
			equal(t, "accuracy of the logits", Accuracy(logits, labels), mean[0])
			equal(t, "balanced accuracy", whole.BalancedAccuracy(), mean[1])
			equal(t, "macro F1", whole.MacroF1(), mean[2])
			if whole.Total() != len(labels) || whole.Classes() != classes {
				t.Errorf("%d samples of %d classes, expected %d of %d", whole.Total(), whole.Classes(), len(labels), classes)
			}
		})
	}
}

func equal(t *testing.T, what string, got float64, want float32) {
	t.Helper()
	if !(math.Abs(got-float64(want)) <= 1e-7) {
		t.Errorf("%s %v, expected %v", what, got, want)
	}
}

func TestEmpty(t *testing.T) {
	c := NewConfusion(2)
	if err := c.AddLogits(nil, nil); err != nil {
		t.Fatal(err)
	}
	for name, v := range map[string]float64{
		"Accuracy": Accuracy(nil, nil), "TopKAccuracy": TopKAccuracy(nil, nil, 5), "Confusion.Accuracy": c.Accuracy(),
		"BalancedAccuracy": c.BalancedAccuracy(), "MacroF1": c.MacroF1(),
	} {
		if !math.IsNaN(v) {
			t.Errorf("%s of nothing is %v, expected NaN", name, v)
		}
	}
	if c.Recall(0) != 0 || c.Precision(0) != 0 || c.F1(0) != 0 || len(c.MostConfused(3)) != 0 {
		t.Errorf("recall %v, precision %v, F1 %v, pairs %v of nothing, expected zeros", c.Recall(0), c.Precision(0), c.F1(0), c.MostConfused(3))
	}
}

// TestLabelBeyond checks that a batch with a wrong label is an error and leaves the counts alone.
func TestLabelBeyond(t *testing.T) {
	for _, label := range []int{-1, 2, math.MaxInt} {
		c := NewConfusion(2)
		err := c.AddLogits([]float32{1, 0, 0, 1}, []int{0, label})
		if err == nil || !strings.Contains(err.Error(), "label of sample 1 in 0 to 1, found") {
			t.Errorf("label %d gives %v", label, err)
		}
		if c.Total() != 0 {
			t.Errorf("%d samples were counted", c.Total())
		}
	}
}

func TestMostConfused(t *testing.T) {
	c := NewConfusion(3)
	for _, p := range []Confused{{0, 0, 9}, {2, 1, 3}, {0, 2, 1}, {1, 0, 3}, {0, 1, 1}} {
		for range p.Count {
			c.Add(p.Label, p.Predicted)
		}
	}
	want := []Confused{{1, 0, 3}, {2, 1, 3}, {0, 1, 1}, {0, 2, 1}}
	for _, n := range []int{-1, 0, 2, 4, 100} {
		if got := c.MostConfused(n); !slices.Equal(got, want[:min(max(n, 0), 4)]) {
			t.Errorf("MostConfused(%d) = %v", n, got)
		}
	}
}

// TestTable aligns names by characters, not bytes.
func TestTable(t *testing.T) {
	c := NewConfusion(2)
	c.Add(0, 0)
	c.Add(1, 0)
	const numbers = "" +
		"   0  1  recall  precision    F1\n" +
		"0  1  0   100.0       50.0  66.7\n" +
		"1  1  0     0.0        0.0   0.0\n"
	if got := c.String(); got != numbers {
		t.Errorf("found\n%sexpected\n%s", got, numbers)
	}
	c.Names = []string{"Käse", "ham"}
	const names = "" +
		"        0  1  recall  precision    F1\n" +
		"0 Käse  1  0   100.0       50.0  66.7\n" +
		"1 ham   1  0     0.0        0.0   0.0\n"
	if got := c.String(); got != names {
		t.Errorf("found\n%sexpected\n%s", got, names)
	}
}

func TestRows(t *testing.T) {
	c := NewConfusion(2)
	c.Add(0, 1)
	c.Add(0, 1)
	c.Add(1, 1)
	if got, want := c.Rows(), [][]int{{0, 2}, {0, 1}}; !reflect.DeepEqual(got, want) {
		t.Errorf("found %v, expected %v", got, want)
	}
}
