package modeltest

import (
	"math"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/fovea-ml/fovea/checkpoint"
	"github.com/fovea-ml/fovea/internal/test/golden"
	"github.com/fovea-ml/fovea/simd"
)

// Quantized is a saved model with quantized weights.
type Quantized struct {
	Class  string             // of transformers
	Folder string             // with config.json
	Inputs []checkpoint.Entry // "pixels" or "ids", as testdata/gen/check_quantized.py takes them
	// Outputs are the logits, or the last hidden state of a model without a head, with products in a mode.
	Outputs func(m simd.Math) []float32
}

// CompressedTensors loads models by transformers and compressed-tensors and compares the outputs with ours. Without rounded
// activations they are equal. With them each has an error of its own, as scales of rows differ a little there: a row's
// largest magnitude is 127.5 times the scale, and 127 times here. Our error is at most 1.2 times theirs. Without FOVEA_PYTHON
// the test is skipped.
func CompressedTensors(t *testing.T, saved ...Quantized) {
	t.Helper()
	dir := t.TempDir()
	var args, outputs []string
	for i, s := range saved {
		in, out := filepath.Join(dir, strconv.Itoa(i)+".in"), filepath.Join(dir, strconv.Itoa(i)+".out")
		if err := checkpoint.Write(in, s.Inputs, checkpoint.WriteOptions{}); err != nil {
			t.Fatal(err)
		}
		args, outputs = append(args, s.Class, s.Folder, in, out), append(outputs, out)
	}
	Python(t, "check_quantized.py", args...)
	for i, s := range saved {
		f := golden.Load(t, outputs[i])
		exact := f.Floats("weights")
		golden.Output(t, s.Class+" with rounded weights", s.Outputs(simd.Strict), exact)
		got, want := distance(s.Outputs(simd.Int8), exact), distance(f.Floats("outputs"), exact)
		t.Logf("%s: rounded activations change outputs by %.3g, in compressed-tensors by %.3g", s.Class, got, want)
		if !(got <= 1.2*want) {
			t.Errorf("%s: rounded activations change outputs by %.3g, expected at most 1.2 times %.3g", s.Class, got, want)
		}
	}
}

// distance returns the norm of the difference of two vectors.
func distance(a, b []float32) float64 {
	var sum float64
	for i := range a {
		d := float64(a[i]) - float64(b[i])
		sum += float64(d * d)
	}
	return math.Sqrt(sum)
}
