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
	"github.com/fovea-ml/fovea/internal/test/modeltest"
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

// TestQuantizedTables expects a model whose tables are bfloat16 to be loaded with the same bits, from a file of less than half
// the size.
func TestQuantizedTables(t *testing.T) {
	m := minilm(t)
	whole := quant.Bytes(m)
	if _, err := quant.Quantize(m, quant.Blocks); err != nil {
		t.Fatal(err)
	}
	if _, err := quant.Tables(m, quant.Halves); err != nil {
		t.Fatal(err)
	}
	m.Math = simd.Int8
	dir := t.TempDir()
	if err := m.Save(dir, SaveOptions{}); err != nil {
		t.Fatal(err)
	}
	again, err := Open(dir, LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := quant.Bytes(again), quant.Bytes(m); got != want || 2*got > whole {
		t.Errorf("%d bytes, saved %d, before %d", got, want, whole)
	}
	var vectors [2][][]float32
	for i, m := range []*Model{m, again} {
		if vectors[i], err = m.Embed(context.Background(), "A dog runs."); err != nil {
			t.Fatal(err)
		}
	}
	if !slices.Equal(vectors[0][0], vectors[1][0]) {
		t.Errorf("the loaded model gives %v, expected %v", vectors[1][0][:3], vectors[0][0][:3])
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

// TestQuantizedLibrary expects transformers and compressed-tensors to load quantized folders: of MiniLM, and of a masked
// language model, whose decoder is an embedding here and in the list "ignore" of the folder.
func TestQuantizedLibrary(t *testing.T) {
	words := minilm(t)
	words.NewHead(MaskedWords, nil, rng())
	words.Pooler = nil // the class of transformers has none
	var saved []modeltest.Quantized
	for class, m := range map[string]*Model{"BertModel": minilm(t), "BertForMaskedLM": words} {
		if _, err := quant.Quantize(m, quant.Blocks); err != nil {
			t.Fatal(err)
		}
		if _, err := quant.Tables(m, quant.Halves); err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		if err := m.Save(dir, SaveOptions{}); err != nil {
			t.Fatal(err)
		}
		ids := []int64{101, 7592, 2088, 103, 2003, 1037, 3231, 102}
		saved = append(saved, modeltest.Quantized{
			Class: class, Folder: dir, Inputs: []checkpoint.Entry{{Name: "ids", Shape: []int{1, len(ids)}, Ints: ids}},
			Outputs: func(math simd.Math) []float32 {
				tape, in := autograd.NewTape(autograd.Options{Math: math}), Input{}
				for _, id := range ids {
					in.IDs = append(in.IDs, int(id))
				}
				if class == "BertModel" {
					return m.Hidden(tape, in).Floats(nil)
				}
				return m.Forward(tape, in).Floats(nil)
			},
		})
	}
	modeltest.CompressedTensors(t, saved...)
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

// TestQuantizedDecoder expects that the list of layers that are not quantized leaves out a decoder of integers.
func TestQuantizedDecoder(t *testing.T) {
	for _, integers := range []bool{false, true} {
		c := tiny("bert")
		c.TieWordEmbeddings = false
		m := New(c, MaskedWords, 0, rng())
		if _, err := quant.Quantize(m, quant.Blocks); err != nil {
			t.Fatal(err)
		}
		if w := m.Masked.Decoder.Weight; integers {
			w.MapInt8([][]int8{make([]int8, w.Len())}, make([]float32, w.Shape()[0]), nil, nil)
			w.LimitMath(simd.Int8)
		}
		dir := t.TempDir()
		if err := m.Save(dir, SaveOptions{}); err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(filepath.Join(dir, "config.json"))
		if err != nil {
			t.Fatal(err)
		}
		var config struct {
			Quantization struct {
				Ignore []string `json:"ignore"`
			} `json:"quantization_config"`
		}
		if err := json.Unmarshal(data, &config); err != nil {
			t.Fatal(err)
		}
		if ignored := slices.Contains(config.Quantization.Ignore, "cls.predictions.decoder"); ignored == integers {
			t.Errorf("decoder of integers %t: ignored %q", integers, config.Quantization.Ignore)
		}
		back, err := Open(dir, LoadOptions{})
		if err != nil || (back.Masked.Decoder.Weight.DType() == autograd.Int8) != integers {
			t.Errorf("decoder of integers %t: %v", integers, err)
		}
	}
}

// TestQuantizedDense expects an error for a module of sentence-transformers that cannot be saved as it computes.
func TestQuantizedDense(t *testing.T) {
	m := New(tiny("bert"), Features, 0, rng())
	m.Sentences = &Sentences{Pooling: []Pooling{PoolMean}, Modules: []Module{Normalize{}, &Dense{Linear: nn.NewLinear(16, 12, true), Act: autograd.ActTanh}}}
	if _, err := quant.Quantize(m, quant.All); err != nil {
		t.Fatal(err)
	}
	const want = "bert: module 1: expected float32 weights, found quantized ones"
	if err := m.Save(t.TempDir(), SaveOptions{}); err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("found %v, expected %s", err, want)
	}
}
