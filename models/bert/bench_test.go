package bert

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/simd"
)

// BenchmarkMixed compares a batch of mixed lengths, 8 to 120 tokens, with one of as many tokens in texts of equal
// length. It reports the ratio of the shortest times of both, which take turns. Padding would take 1.9 times the
// tokens.
func BenchmarkMixed(b *testing.B) {
	m := New(MiniLM(), Features, 0, rand.New(rand.NewPCG(1, 1)))
	batch := func(length func(i int) int) Input {
		in := Input{Starts: []int{0}}
		for i := range 16 {
			for range length(i) {
				in.IDs = append(in.IDs, 1000+len(in.IDs))
			}
			in.Starts = append(in.Starts, len(in.IDs))
		}
		return in
	}
	inputs := []Input{batch(func(i int) int { return 8 + i*112/15 }), batch(func(int) int { return 64 })}
	shortest := []float64{math.Inf(1), math.Inf(1)} // of a token
	tape := autograd.NewTape(autograd.Options{Workers: simd.NewWorkers(2)})
	b.ReportAllocs()
	for b.Loop() {
		for i, in := range inputs {
			start := time.Now()
			m.Hidden(tape, in)
			shortest[i] = min(shortest[i], time.Since(start).Seconds()/float64(len(in.IDs)))
			tape.Reset()
		}
	}
	b.ReportMetric(shortest[0]*1e6, "µs/token")
	b.ReportMetric(shortest[0]/shortest[1], "ratio")
}

// BenchmarkVariants encodes 8 sequences of 128 tokens with two layers of each variant.
func BenchmarkVariants(b *testing.B) {
	for _, c := range []Config{Base(), MPNet(), DeBERTa(), ModernBERT()} {
		c.NumHiddenLayers, c.VocabSize, c.PadTokenID = 2, 1000, new(0)
		m := New(c, Features, 0, rand.New(rand.NewPCG(1, 1)))
		in := Input{Starts: []int{0}}
		for range 8 {
			for i := range 128 {
				in.IDs = append(in.IDs, 5+i)
			}
			in.Starts = append(in.Starts, len(in.IDs))
		}
		b.Run(c.ModelType, func(b *testing.B) {
			shortest := math.Inf(1)
			tape := autograd.NewTape(autograd.Options{})
			for b.Loop() {
				start := time.Now()
				m.Hidden(tape, in)
				shortest = min(shortest, time.Since(start).Seconds())
				tape.Reset()
			}
			b.ReportMetric(shortest*1e3, "ms-shortest")
		})
	}
}
