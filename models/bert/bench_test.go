package bert

import (
	"math/rand/v2"
	"testing"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/simd"
)

// BenchmarkMixed compares a batch of mixed lengths, 8 to 120 tokens, with one of as many tokens in texts of equal length. Padding
// would take 1.9 times the tokens.
func BenchmarkMixed(b *testing.B) {
	m := New(MiniLM(), Features, 0, rand.New(rand.NewPCG(1, 1)))
	batch := func(lengths ...int) Input {
		in := Input{Starts: []int{0}}
		for _, n := range lengths {
			for range n {
				in.IDs = append(in.IDs, 1000+len(in.IDs))
			}
			in.Starts = append(in.Starts, len(in.IDs))
		}
		return in
	}
	var mixed, equal []int
	for i := range 16 {
		mixed, equal = append(mixed, 8+i*112/15), append(equal, 64)
	}
	for _, c := range []struct {
		name string
		in   Input
	}{{"mixed", batch(mixed...)}, {"equal", batch(equal...)}} {
		b.Run(c.name, func(b *testing.B) {
			tape := autograd.NewTape(autograd.Options{Workers: simd.NewWorkers(2)})
			b.ReportAllocs()
			for b.Loop() {
				m.Hidden(tape, c.in)
				tape.Reset()
			}
			b.ReportMetric(b.Elapsed().Seconds()*1e6/float64(b.N*len(c.in.IDs)), "µs/token")
		})
	}
}
