package autograd

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/fovea-ml/fovea/simd"
)

// attentionRun is one causal attention: queries [b, tq, h·d], keys and values [b, tk, 2·h·d], and the gradient of the
// result. mask may be nil.
type attentionRun struct {
	b, tq, tk, h, d int
	q, kv, dy       []float32
	mask            []bool
	dropout         float32
	workers         int
	twice           bool // gradients of a second attention are added
}

func (r attentionRun) run() (y, dq, dkv []float32) {
	tape := NewTape(Options{Gradients: true, Training: true, Seed: 5, Workers: simd.NewWorkers(r.workers)})
	width := r.h * r.d
	q, kv := tape.Input(r.q, r.b, r.tq, width).WantGradient(), tape.Input(r.kv, r.b, r.tk, 2*width).WantGradient()
	attend := func() *Tensor {
		return Attention(Columns{q, 0}, Columns{kv, 0}, Columns{kv, width},
			AttentionOptions{Heads: r.h, Causal: true, KeyMask: r.mask, Dropout: r.dropout})
	}
	outs, seeds := []*Tensor{attend()}, [][]float32{r.dy}
	if r.twice {
		outs, seeds = append(outs, attend()), append(seeds, r.dy)
	}
	y = outs[0].Floats(nil)
	g := NewGradients()
	Backward(g, outs, seeds)
	return y, g.OfTensor(q), g.OfTensor(kv)
}

// firstRows returns the first n of t rows of each of b sequences.
func firstRows[T any](x []T, b, t, n int) []T {
	width := len(x) / (b * t)
	var out []T
	for i := range b {
		out = append(out, x[i*t*width:][:n*width]...)
	}
	return out
}

// An earlier query has the bits that it has without the later keys, although one of these holds NaN or an infinity.
// So has the gradient of that query.
func TestAttentionCausalNonFinite(t *testing.T) {
	const h, d = 2, 8
	const width = h * d
	inf := float32(math.Inf(1))
	step := 1
	if testing.Short() {
		step = 3
	}
	for _, size := range []struct{ b, tq, tk, at int }{
		{1, 50, 50, 49}, {3, 50, 50, 20}, {1, 150, 150, 149}, {2, 150, 150, 70}, {1, 40, 60, 50}, {2, 60, 40, 30},
	} {
		for _, kind := range []string{"", "end masked", "holes", "dropout", "twice"} {
			for name, bad := range map[string]float32{"NaN": float32(math.NaN()), "Inf": inf, "-Inf": -inf} {
				for _, part := range []string{"key", "value"} {
					r := attentionRun{b: size.b, tq: size.tq, tk: size.tk, h: h, d: d,
						q: normal(1, size.b*size.tq*width), kv: normal(2, size.b*size.tk*2*width), dy: normal(3, size.b*size.tq*width)}
					switch kind {
					case "":
					case "dropout":
						r.dropout = 0.3
					case "twice":
						r.twice = true
					default:
						r.mask = make([]bool, size.b*size.tk)
						for i := range r.mask {
							at := i % size.tk
							r.mask[i] = at < size.tk-3 && kind == "end masked" || at == size.at || kind == "holes" && at%3 != 1
						}
					}
					column := 3
					if part == "value" {
						column += width
					}
					finite, _, _ := r.run()
					r.kv[((size.b-1)*size.tk+size.at)*2*width+column] = bad // of the last sequence's first head
					var first [3][]float32
					for workers := 0; workers < 4; workers += step {
						r.workers = workers + 1
						y, dq, dkv := r.run()
						if workers == 0 {
							first = [3][]float32{y, dq, dkv}
						}
						what := fmt.Sprintf("%v %s %s %s on %d threads", size, kind, name, part, workers+1)
						sameBits(t, what+": result", y, first[0])
						sameBits(t, what+": dq", dq, first[1])
						sameBits(t, what+": dkv", dkv, first[2])
					}
					n := size.at + size.tq - size.tk // queries that do not see the key
					what := fmt.Sprintf("%v %s %s %s", size, kind, name, part)
					sameBits(t, what+": earlier queries", firstRows(first[0], size.b, size.tq, n), firstRows(finite, size.b, size.tq, n))
					if y := first[0][((size.b-1)*size.tq+n)*width:][:d]; part == "value" && r.dropout == 0 && !slices.ContainsFunc(y, func(v float32) bool { return v-v != 0 }) {
						t.Errorf("%s: the query that sees it gives %v", what, y)
					}
					if kind == "dropout" { // it drops by place, and a shorter sequence has other places
						continue
					}
					short := r
					short.tq, short.tk = n, size.at
					short.q, short.dy = firstRows(r.q, size.b, size.tq, n), firstRows(r.dy, size.b, size.tq, n)
					short.kv = firstRows(r.kv, size.b, size.tk, size.at)
					if r.mask != nil {
						short.mask = firstRows(r.mask, size.b, size.tk, size.at)
					}
					y, dq, _ := short.run()
					sameBits(t, what+": result without later keys", firstRows(first[0], size.b, size.tq, n), y)
					sameBits(t, what+": dq without later keys", firstRows(first[1], size.b, size.tq, n), dq)
					if t.Failed() {
						return
					}
				}
			}
		}
	}
}

// A query with NaN, or with a gradient that is NaN, changes no gradient of a key that it does not see.
func TestAttentionCausalNonFiniteQuery(t *testing.T) {
	const b, n, h, d = 2, 90, 2, 8
	const width = h * d
	for i, part := range []string{"query", "gradient", "query", "gradient", "query", "gradient"} {
		at := []int{20, 20, 70, 70, 70, 70}[i] // in the first or in the last block of queries
		r := attentionRun{b: b, tq: n, tk: n, h: h, d: d, q: normal(1, b*n*width), kv: normal(2, b*n*2*width), dy: normal(3, b*n*width), twice: i >= 4}
		_, _, want := r.run()
		x := r.q
		if part == "gradient" {
			x = r.dy
		}
		x[at*width] = float32(math.NaN())
		_, _, got := r.run()
		sameBits(t, part+": later keys", got[(at+1)*2*width:], want[(at+1)*2*width:])
		if seen := got[at*2*width+width]; seen == seen {
			t.Errorf("%s: the key that it sees has the gradient %v", part, seen)
		}
	}
}

// The result of the reported case: only the last of 50 queries sees the NaN in the last value.
func TestAttentionCausalLastValue(t *testing.T) {
	const n, width = 50, 16
	x := make([]float32, n*3*width)
	for i := range x {
		x[i] = float32(i%7) * 0.1
	}
	x[(n-1)*3*width+2*width] = float32(math.NaN())
	for _, workers := range []int{1, 2, 7} {
		tape := NewTape(Options{Workers: simd.NewWorkers(workers)})
		y := packed(tape.Input(x, 1, n, 3*width), AttentionOptions{Heads: 4, Causal: true}).Floats(nil)
		var bad []int
		for i, v := range y {
			if v != v {
				bad = append(bad, i)
			}
		}
		if !slices.Equal(bad, []int{(n - 1) * width}) {
			t.Errorf("%d threads: NaN at %v, expected it at %d alone", workers, bad, (n-1)*width)
		}
	}
}
