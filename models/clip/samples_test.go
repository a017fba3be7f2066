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
func clouds(seed uint64, n, dim int, noise float64) (Samples, [][]float32) {
	centers := make([][]float32, 3)
	fixed := rand.New(rand.NewPCG(7, 7))
	for c := range centers {
		centers[c] = make([]float32, dim)
		for i := range centers[c] {
			centers[c][i] = float32(fixed.NormFloat64())
		}
	}
	rng := rand.New(rand.NewPCG(seed, 1))
	var s Samples
	for range n {
		for c, center := range centers {
			v := make([]float32, dim)
			for i := range v {
				v[i] = center[i] + float32(noise*rng.NormFloat64())
			}
			s.Vectors, s.Labels = append(s.Vectors, v), append(s.Labels, c)
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

// TestProbe chooses the penalty by held-out samples and fits all. Noise calls for a strong penalty.
func TestProbe(t *testing.T) {
	labels := []string{"cat", "dog", "owl"}
	samples, _ := clouds(1, 20, 30, 3)
	test, _ := clouds(2, 200, 30, 3)
	p, err := FitProbe(context.Background(), samples, labels, ProbeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	chosen := accuracy(p.Predict(test.Vectors...), test.Labels)
	weak, err := FitProbe(context.Background(), samples, labels, ProbeOptions{C: 1e6})
	if err != nil {
		t.Fatal(err)
	}
	if loose := accuracy(weak.Predict(test.Vectors...), test.Labels); chosen < loose || chosen < 0.6 {
		t.Errorf("C %v: accuracy %v, and %v with C 1e6", p.C, chosen, loose)
	}
	if steps := math.Log10(p.C) * 8; math.Abs(steps-math.Round(steps)) > 1e-9 || !(p.Accuracy > 0.4) || !math.IsNaN(weak.Accuracy) {
		t.Errorf("C %v, accuracy %v on held-out samples, %v without", p.C, p.Accuracy, weak.Accuracy)
	}
	if got := p.Predict(test.Vectors[0])[0].Top[0].Label; got != labels[0] && got != labels[1] && got != labels[2] {
		t.Errorf("found the label %q", got)
	}
	held, _ := clouds(3, 5, 30, 3)
	with, err := FitProbe(context.Background(), samples, labels, ProbeOptions{Held: held})
	if err != nil || !(with.Accuracy > 0.4) {
		t.Errorf("found %v, %v", with, err)
	}
}

func TestProbeMistakes(t *testing.T) {
	samples, _ := clouds(1, 3, 4, 1)
	labels := []string{"a", "b", "c"}
	ended, end := context.WithCancel(context.Background())
	end()
	for _, c := range []struct {
		ctx     context.Context
		samples Samples
		labels  []string
		want    string
	}{
		{context.Background(), Samples{}, labels, "expected samples, found none"},
		{context.Background(), Samples{samples.Vectors, samples.Labels[:2]}, labels, "a label for each of 9 vectors, found 2"},
		{context.Background(), samples, labels[:2], "expected a label from 0 to 1, found 2"},
		{context.Background(), samples, labels, "5 samples of a class or more"},
		{ended, Samples{append(samples.Vectors, samples.Vectors...), append(samples.Labels, samples.Labels...)}, labels, "context canceled"},
	} {
		if _, err := FitProbe(c.ctx, c.samples, c.labels, ProbeOptions{}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("expected %q, found %v", c.want, err)
		}
	}
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

// TestTipAdapter compares the logits with the formula of the paper in float64, and the accuracies of the classifier, of the
// cache and of trained keys.
func TestTipAdapter(t *testing.T) {
	samples, centers := clouds(1, 16, 24, 1.5)
	test, _ := clouds(2, 200, 24, 1.5)
	c := zeroShot(t, centers)
	a, err := c.TipAdapter(context.Background(), samples, TipAdapterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	query := test.Vectors[0]
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
	for i, v := range samples.Vectors {
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
	zero, cached, tuned := accuracy(c.Predict(test.Vectors...), test.Labels), accuracy(a.Predict(test.Vectors...), test.Labels), accuracy(trained.Predict(test.Vectors...), test.Labels)
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
	samples, centers := clouds(1, 2, 6, 1)
	c := zeroShot(t, centers)
	a, err := c.TipAdapter(context.Background(), samples, TipAdapterOptions{})
	if err != nil || a.Alpha != startAlpha || a.Beta != startBeta || a.Accuracy == a.Accuracy {
		t.Errorf("two samples of a class: found %+v, %v", a, err)
	}
	other, _ := clouds(1, 2, 5, 1)
	if _, err := c.TipAdapter(context.Background(), other, TipAdapterOptions{}); err == nil || !strings.Contains(err.Error(), "expected embeddings of 6 values, found 5") {
		t.Error(err)
	}
	ended, end := context.WithCancel(context.Background())
	end()
	if _, err := c.TipAdapter(ended, samples, TipAdapterOptions{Epochs: 3}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
