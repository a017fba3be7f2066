package bert

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/checkpoint"
	"github.com/fovea-ml/fovea/internal/test/golden"
	"github.com/fovea-ml/fovea/metrics"
	"github.com/fovea-ml/fovea/nn"
	"github.com/fovea-ml/fovea/nn/quant"
	"github.com/fovea-ml/fovea/simd"
)

// TestMiniLMMath compares the similarities of texts in bf16 and int8 with those in float32, for a trained model: their rank
// correlation misses 100 points by at most 0.1 and 0.5. A quantized folder gives the same bits as the model that was saved.
func TestMiniLMMath(t *testing.T) {
	if testing.Short() {
		t.Skip("takes minutes where the processor is emulated")
	}
	ctx := context.Background()
	texts := realTexts(t, 32)
	m := minilm(t)
	before := quant.Bytes(m)
	similarities := func(m *Model) (vectors [][]float32, all []float32) {
		vectors, err := m.Embed(ctx, texts...)
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range vectors {
			for _, w := range vectors[:i] {
				all = append(all, simd.Dot(v, w))
			}
		}
		return vectors, all
	}
	_, strict := similarities(m)
	m.Math = simd.BF16
	_, bf16 := similarities(m)
	if _, err := quant.Quantize(m, quant.Blocks); err != nil {
		t.Fatal(err)
	}
	m.Math = simd.Int8
	vectors, int8s := similarities(m)
	for _, c := range []struct {
		name   string
		values []float32
		least  float64
	}{{"bf16", bf16, 0.999}, {"int8", int8s, 0.995}} {
		r := metrics.Spearman(strict, c.values)
		t.Logf("%s: rank correlation %.6f with float32, %d pairs", c.name, r, len(c.values))
		if !(r >= c.least) {
			t.Errorf("%s: rank correlation %v, expected at least %v", c.name, r, c.least)
		}
	}
	dir := t.TempDir()
	if err := m.Save(dir, SaveOptions{}); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(filepath.Join(dir, checkpoint.SafetensorsName))
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("parameters: %d bytes, then %d; the file has %d", before, quant.Bytes(m), info.Size())
	again, err := Open(dir, LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	got, _ := similarities(again)
	for i := range vectors {
		if !slices.Equal(got[i], vectors[i]) {
			t.Errorf("text %d: the loaded model gives another vector", i)
		}
	}
}

// TestQuantizedHead expects products in float32 of the layers that NewHead adds to a quantized model.
func TestQuantizedHead(t *testing.T) {
	m := minilm(t)
	if _, err := quant.Quantize(m, quant.Blocks); err != nil {
		t.Fatal(err)
	}
	for task, labels := range map[Task][]string{SequenceClassification: {"bad", "good"}, MaskedWords: nil} {
		m.NewHead(task, labels, rng())
		for path, p := range nn.Parameters(m) {
			if want := map[autograd.DType]simd.Math{autograd.Int8: simd.Int8, autograd.Float32: simd.Strict}[p.DType()]; p.MathLimit() != want {
				t.Errorf("%s: %s is %v in %v, expected %v", task, path, p.DType(), p.MathLimit(), want)
			}
		}
	}
}

// realTexts returns sentences of the shared data.
func realTexts(t *testing.T, n int) (texts []string) {
	f, err := os.Open(filepath.Join(golden.SharedData(t, "tokenizers"), "bert_uncased.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for d := json.NewDecoder(f); len(texts) < n; {
		var one struct{ Text string }
		if err := d.Decode(&one); err != nil {
			t.Fatal(err)
		}
		if words := len(strings.Fields(one.Text)); words >= 5 && words < 60 {
			texts = append(texts, one.Text)
		}
	}
	return texts
}
