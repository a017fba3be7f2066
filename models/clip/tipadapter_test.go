package clip

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/fovea-ml/fovea/metrics"
)

// clouds returns n samples of each of three classes around centers of the given noise, and the centers.
func clouds(seed uint64, n, dim int, noise float64) (*Features, [][]float32) {
	centers := make([][]float32, 3)
	fixed := rand.New(rand.NewPCG(7, 7))
	for c := range centers {
		centers[c] = make([]float32, dim)
		for i := range centers[c] {
			centers[c][i] = float32(fixed.NormFloat64())
		}
	}
	rng := rand.New(rand.NewPCG(seed, 1))
	s := &Features{Classes: []string{"cat", "dog", "owl"}}
	for range n {
		for c, center := range centers {
			v := make([]float32, dim)
			for i := range v {
				v[i] = center[i] + float32(noise*rng.NormFloat64())
			}
			s.Embeddings = append(s.Embeddings, unit([][]float32{v})...)
			s.Labels, s.Indices = append(s.Labels, c), append(s.Indices, len(s.Indices))
		}
	}
	return s, centers
}

func accuracy(predictions []Prediction, labels []int) float64 {
	var logits []float32
	for _, p := range predictions {
		logits = append(logits, p.Logits...)
	}
	return metrics.Accuracy(logits, labels)
}

// zeroShot returns a classifier whose text vectors are centers with noise.
func zeroShot(t *testing.T, centers [][]float32) *Classifier {
	m, _ := load(t, "tiny")
	rng := rand.New(rand.NewPCG(5, 5))
	c := &Classifier{Labels: []string{"cat", "dog", "owl"}, model: m}
	for _, center := range centers {
		v := make([]float32, len(center))
		for i := range v {
			v[i] = center[i] + 2*float32(rng.NormFloat64())
		}
		c.Weights = append(c.Weights, unit([][]float32{v})[0])
	}
	return c
}

// TestTipAdapter compares the logits with the formula of the paper in float64, and the accuracies of the classifier, of
// the cache and of trained keys.
func TestTipAdapter(t *testing.T) {
	samples, centers := clouds(1, 16, 24, 1.5)
	test, _ := clouds(2, 200, 24, 1.5)
	c := zeroShot(t, centers)
	a, err := c.TipAdapter(context.Background(), samples, TipAdapterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	query := test.Embeddings[0]
	cos := func(x, y []float32) float64 {
		var xy, xx, yy float64
		for i := range x {
			xy += float64(x[i]) * float64(y[i])
			xx += float64(x[i]) * float64(x[i])
			yy += float64(y[i]) * float64(y[i])
		}
		return xy / math.Sqrt(xx*yy)
	}
	want := make([]float64, 3)
	for i := range want {
		want[i] = math.Exp(float64(c.model.LogitScale.Values()[0])) * cos(query, c.Weights[i])
	}
	for i, v := range samples.Embeddings {
		want[samples.Labels[i]] += float64(a.Alpha) * math.Exp(-float64(a.Beta)*(1-cos(query, v)))
	}
	for i, got := range a.Predict(query)[0].Logits {
		if math.Abs(float64(got)-want[i]) > 1e-4 {
			t.Errorf("logit %d: expected %v, found %v", i, want[i], got)
		}
	}
	trained, err := c.TipAdapter(context.Background(), samples, TipAdapterOptions{Epochs: 20})
	if err != nil {
		t.Fatal(err)
	}
	zero, cached, tuned := accuracy(c.Predict(test.Embeddings...), test.Labels), accuracy(a.Predict(test.Embeddings...), test.Labels), accuracy(trained.Predict(test.Embeddings...), test.Labels)
	t.Logf("accuracy: zero-shot %.3f, cache %.3f (alpha %.2f, beta %.2f), trained %.3f", zero, cached, a.Alpha, a.Beta, tuned)
	if cached < zero+0.1 || tuned < zero+0.1 || trained.Keys.Values()[0] == a.Keys.Values()[0] {
		t.Errorf("accuracy: zero-shot %v, cache %v, trained %v", zero, cached, tuned)
	}
	again, err := c.TipAdapter(context.Background(), samples, TipAdapterOptions{Epochs: 20})
	if err != nil || again.Alpha != trained.Alpha || again.Keys.Values()[5] != trained.Keys.Values()[5] {
		t.Errorf("the same seed gave other keys: %v", err)
	}
}

func TestTipAdapterMistakes(t *testing.T) {
	samples, centers := clouds(1, 1, 6, 1)
	c := zeroShot(t, centers)
	a, err := c.TipAdapter(context.Background(), samples, TipAdapterOptions{})
	if err != nil || a.Alpha != startAlpha || a.Beta != startBeta || a.Accuracy == a.Accuracy {
		t.Errorf("one image of a class: found %+v, %v", a, err)
	}
	other, _ := clouds(1, 2, 5, 1)
	two, _ := clouds(1, 4, 6, 1)
	two.Classes = two.Classes[:2]
	for want, f := range map[string]*Features{"expected features of 3 classes, as many as labels, found 2": two, "found none": nil} {
		if _, err := c.TipAdapter(context.Background(), f, TipAdapterOptions{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("found error %v, expected %q", err, want)
		}
	}
	if _, err := c.TipAdapter(context.Background(), other, TipAdapterOptions{}); err == nil || !strings.Contains(err.Error(), "expected embeddings of 6 values, found 5") {
		t.Error(err)
	}
	ended, end := context.WithCancel(context.Background())
	end()
	if _, err := c.TipAdapter(ended, samples, TipAdapterOptions{Epochs: 3}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
