package quant_test

import (
	"math"
	"strings"
	"testing"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/nn"
	"github.com/fovea-ml/fovea/nn/quant"
	"github.com/fovea-ml/fovea/simd"
)

// TestTables converts a table before and after Quantize, and expects errors that leave the model as it is.
func TestTables(t *testing.T) {
	type model struct {
		Words *nn.Embedding
		Head  *nn.Linear
	}
	fresh := func(value float32) model {
		m := model{nn.NewEmbedding(5, 4), nn.NewLinear(4, 3, false)}
		m.Words.Weight.Update(func(v []float32) { v[0], v[1] = 1.001, value })
		return m
	}
	for _, order := range []string{"tables first", "tables last"} {
		m := fresh(2)
		tables := func() {
			w, err := quant.Tables(m, quant.Halves)
			if err != nil || len(w) != 1 || w[0].Path != "Words.Weight" || w[0].Before != 80 || w[0].After != 40 || math.Abs(w[0].Error-0.001/math.Sqrt(5)) > 1e-4 {
				t.Errorf("found %+v, %v", w, err)
			}
		}
		if order == "tables first" {
			tables()
		}
		if _, err := quant.Quantize(m, quant.All); err != nil {
			t.Fatal(err)
		}
		if order == "tables last" {
			tables()
		}
		w := m.Words.Weight
		if w.DType() != autograd.BFloat16 || w.MathLimit() != simd.BF16 || w.Values()[0] != 1 || m.Head.Weight.DType() != autograd.Int8 {
			t.Errorf("%s: the table is %v in %v", order, w.DType(), w.MathLimit())
		}
	}
	for value, rule := range map[float32]quant.Rule{2: quant.All, float32(math.Inf(1)): quant.Halves} {
		m := fresh(value)
		_, err := quant.Tables(m, rule)
		if err == nil || !strings.HasPrefix(err.Error(), "quant: Words.Weight: ") || m.Words.Weight.DType() != autograd.Float32 {
			t.Errorf("found %v, and a table of %v", err, m.Words.Weight.DType())
		}
	}
	m := fresh(2)
	if w, err := quant.Tables(m, quant.Blocks); err != nil || w[0].Math != simd.Strict || m.Words.Weight.DType() != autograd.Float32 {
		t.Errorf("found %+v, %v", w, err)
	}
}
