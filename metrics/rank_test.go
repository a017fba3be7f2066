package metrics

import (
	"math"
	"slices"
	"testing"
)

var (
	nan = float32(math.NaN())
	inf = float32(math.Inf(1))
)

// TestRank has the results of torch.argmax, and of torch.topk apart from ties, whose order torch leaves open.
func TestRank(t *testing.T) {
	for _, c := range []struct {
		values []float32
		order  []int
	}{
		{[]float32{3}, []int{0}},
		{[]float32{1, 3, 2}, []int{1, 2, 0}},
		{[]float32{2, 3, 3, 1, 3}, []int{1, 2, 4, 0, 3}},
		{[]float32{-inf, -inf, 0}, []int{2, 0, 1}},
		{[]float32{-inf, inf, inf}, []int{1, 2, 0}},
		{[]float32{1, nan, inf, nan}, []int{1, 3, 2, 0}},
		{[]float32{nan, nan}, []int{0, 1}},
		{[]float32{0, float32(math.Copysign(0, -1))}, []int{0, 1}},
	} {
		if got := Argmax(c.values); got != c.order[0] {
			t.Errorf("Argmax(%v) = %d, expected %d", c.values, got, c.order[0])
		}
		for k := range len(c.values) + 2 {
			if got, want := TopK(c.values, k), c.order[:min(k, len(c.order))]; !slices.Equal(got, want) {
				t.Errorf("TopK(%v, %d) = %d, expected %d", c.values, k, got, want)
			}
		}
		for want, index := range c.order {
			if got := rank(c.values, index); got != want {
				t.Errorf("rank(%v, %d) = %d, expected %d", c.values, index, got, want)
			}
		}
	}
}

func TestArgmaxRows(t *testing.T) {
	for _, c := range []struct {
		values  []float32
		columns int
		want    []int
	}{
		{nil, 3, nil},
		{[]float32{1, 2, 0, 5, 5, 4}, 3, []int{1, 0}},
		{[]float32{1, 2, 0}, 1, []int{0, 0, 0}},
	} {
		if got := ArgmaxRows(c.values, c.columns); !slices.Equal(got, c.want) {
			t.Errorf("ArgmaxRows(%v, %d) = %d, expected %d", c.values, c.columns, got, c.want)
		}
	}
}

func TestPanics(t *testing.T) {
	named := NewConfusion(2)
	named.Names = []string{"one"}
	for name, f := range map[string]func(){
		"argmax of nothing":      func() { Argmax(nil) },
		"rows of no columns":     func() { ArgmaxRows(nil, 0) },
		"rows that do not fit":   func() { ArgmaxRows(make([]float32, 5), 2) },
		"negative k":             func() { TopK(nil, -1) },
		"k of zero":              func() { TopKAccuracy([]float32{1}, []int{0}, 0) },
		"logits without labels":  func() { Accuracy([]float32{1}, nil) },
		"labels without logits":  func() { Accuracy(nil, []int{0}) },
		"logits that do not fit": func() { Accuracy(make([]float32, 5), []int{0, 0}) },
		"label beyond":           func() { Accuracy(make([]float32, 4), []int{0, 2}) },
		"negative label":         func() { Accuracy(make([]float32, 4), []int{0, -1}) },
		"no classes":             func() { NewConfusion(0) },
		"prediction beyond":      func() { NewConfusion(2).Add(0, 2) },
		"added label beyond":     func() { NewConfusion(2).Add(2, 0) },
		"negative prediction":    func() { NewConfusion(2).Add(0, -1) },
		"class beyond":           func() { NewConfusion(2).Recall(2) },
		"logits of a batch":      func() { _ = NewConfusion(2).AddLogits(make([]float32, 3), []int{0}) },
		"labels of a batch":      func() { _ = NewConfusion(2).AddLogits(make([]float32, 4), []int{0}) },
		"merged classes":         func() { NewConfusion(2).Merge(NewConfusion(3)) },
		"names":                  func() { _ = named.String() },
		"nothing relevant":       func() { new(Retrieval).Add([]float32{1}) },
		"relevant beyond":        func() { new(Retrieval).Add([]float32{1}, 1) },
		"lists of relevant":      func() { Retrieve([][]float32{{1}}, nil, nil, nil) },
		"widths of embeddings":   func() { Retrieve([][]float32{{1}}, [][]float32{{1, 2}}, [][]int{{0}}, nil) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if _, ok := recover().(string); !ok {
					t.Error("expected a panic with a message")
				}
			}()
			f()
		})
	}
}
