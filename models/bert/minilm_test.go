package bert

import (
	"context"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/internal/test/golden"
	"github.com/fovea-ml/fovea/simd"
)

// minilmTexts are those of testdata/gen/bert_minilm.py.
var minilmTexts = []string{"A dog runs in the park.", "Ein Hund läuft im Park.", "", strings.Repeat("The cat sat on the mat. ", 100),
	"What is the capital of France?", "Paris is the capital of France.", "東京は日本の首都です。"}

// minilm opens all-MiniLM-L6-v2.
func minilm(t testing.TB) *Model {
	m, err := Open(golden.SharedData(t, "minilm"), LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	m.Workers = simd.NewWorkers(2)
	return m
}

// TestMiniLM expects the hidden states and embeddings of transformers for a trained model, from a batch of mixed
// lengths.
func TestMiniLM(t *testing.T) {
	if testing.Short() {
		t.Skip("takes minutes where the processor is emulated")
	}
	m := minilm(t)
	g := golden.Load(t, "testdata/minilm.safetensors")
	e, err := m.Embedder(EmbedOptions{})
	if err != nil {
		t.Fatal(err)
	}
	encodings, err := e.Tokens(context.Background(), minilmTexts...)
	if err != nil {
		t.Fatal(err)
	}
	in := m.pack(encodings)
	if n := in.Starts[4] - in.Starts[3]; n != 256 {
		t.Errorf("a long text has %d tokens, expected 256", n)
	}
	tape := autograd.NewTape(autograd.Options{Debug: true})
	hidden := m.Hidden(tape, in).Floats(nil)
	const width = 384
	for i := range minilmTexts {
		want := g.Floats(fmt.Sprintf("hidden/%d", i))
		golden.Output(t, minilmTexts[i], hidden[in.Starts[i]*width:][:len(want)], want)
	}
	vectors, err := m.Embed(context.Background(), minilmTexts...)
	if err != nil {
		t.Fatal(err)
	}
	golden.Within(t, "embeddings", slices.Concat(vectors...), g.Floats("embeddings"), 2e-6) // unit vectors: 1e-4 would be coarse
}

// TestMiniLMBatches demands of a text the same bits alone, in a batch of mixed lengths, in a stream, and on any number
// of threads.
func TestMiniLMBatches(t *testing.T) {
	if testing.Short() {
		t.Skip("takes minutes where the processor is emulated")
	}
	m := minilm(t)
	texts := slices.Repeat([]string{minilmTexts[0], minilmTexts[2], minilmTexts[3][:300], minilmTexts[4], minilmTexts[6]}, 12)
	batch, err := m.Embed(context.Background(), texts...)
	if err != nil {
		t.Fatal(err)
	}
	m.Workers = nil
	e, err := m.Embedder(EmbedOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for i, text := range texts[:5] {
		alone, err := e.Embed(context.Background(), text)
		if err != nil {
			t.Fatal(err)
		}
		same(t, fmt.Sprint("text ", i), batch[i], alone[0])
		same(t, fmt.Sprint("text ", i, " again"), batch[55+i], alone[0])
	}
	n := 0
	for v, err := range e.Stream(context.Background(), func(yield func(string, error) bool) {
		for i := range 260 {
			if !yield(texts[i%2], nil) {
				return
			}
		}
		yield("", os.ErrClosed)
	}) {
		if n == 260 {
			if err != os.ErrClosed {
				t.Errorf("found %v, expected the error of the texts", err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		same(t, "stream", v, batch[n%2])
		n++
	}
	if n != 260 {
		t.Errorf("the stream has %d vectors", n)
	}
}

// same expects equal bits.
func same(t *testing.T, name string, got, want []float32) {
	t.Helper()
	if !slices.EqualFunc(got, want, func(a, b float32) bool { return math.Float32bits(a) == math.Float32bits(b) }) {
		t.Errorf("%s: the bits differ", name)
	}
}
