package train

import (
	"context"
	"iter"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/simd"
)

// mlp is a small network with all that makes a run hard to continue: dropout, running statistics, and
// layers large enough to be divided between workers.
type mlp struct {
	w1, b1, gamma, beta, w2, b2 *autograd.Parameter
	mean, variance              *autograd.Buffer
}

const (
	mlpIn, mlpHidden, mlpBatch = 12, 192, 96
)

func newMLP() *mlp {
	rng := rand.New(rand.NewPCG(7, 8))
	random := func(scale float64, shape ...int) *autograd.Parameter {
		p := autograd.NewParameter(shape...)
		p.Update(func(v []float32) {
			for i := range v {
				v[i] = float32(scale * rng.NormFloat64())
			}
		})
		return p
	}
	m := &mlp{
		w1: random(0.3, mlpHidden, mlpIn), b1: random(0, mlpHidden),
		gamma: autograd.NewParameter(mlpHidden), beta: autograd.NewParameter(mlpHidden),
		w2: random(0.1, 1, mlpHidden), b2: random(0, 1),
		mean: autograd.NewBuffer(0, mlpHidden), variance: autograd.NewBuffer(1, mlpHidden),
	}
	m.gamma.Update(func(v []float32) { simd.Fill(v, 1) })
	return m
}

func (m *mlp) params() iter.Seq2[string, *autograd.Parameter] {
	return named([]Param{{"w1", m.w1}, {"b1", m.b1}, {"gamma", m.gamma}, {"beta", m.beta}, {"w2", m.w2}, {"b2", m.b2}})
}

func (m *mlp) buffers() iter.Seq2[string, *autograd.Buffer] {
	return func(yield func(string, *autograd.Buffer) bool) {
		_ = yield("mean", m.mean) && yield("variance", m.variance)
	}
}

// loss fits a product of two inputs on data keyed by the batch.
func (m *mlp) loss(t *autograd.Tape, b Batch) *autograd.Tensor {
	rng := rand.New(rand.NewPCG(b.Seed, b.Key))
	x, y := make([]float32, mlpBatch*mlpIn), make([]float32, mlpBatch)
	for i := range y {
		row := x[i*mlpIn:][:mlpIn]
		for j := range row {
			row[j] = float32(rng.NormFloat64())
		}
		y[i] = row[0] * row[1]
	}
	h := autograd.Linear(t.Input(x, mlpBatch, mlpIn), m.w1, m.b1)
	h = autograd.Relu(autograd.BatchNorm(h, m.gamma, m.beta, m.mean, m.variance, autograd.BatchNormOptions{}))
	h = autograd.Dropout(h, 0.1)
	h = autograd.Linear(h, m.w2, m.b2)
	d := autograd.Sub(h, t.Input(y, mlpBatch, 1))
	return autograd.Mean(autograd.Square(d), false)
}

// config is a run of three epochs of four steps of two batches, with everything turned on.
func (m *mlp) config() Config {
	opt := NewAdamW(Groups(m.params(), GroupOptions{WeightDecay: 0.05}), AdamOptions{Beta2: 0.95})
	return Config{
		Optimizer: opt, Schedule: Curve{Peak: 1e-2, Warmup: 1, Length: 3}.Cosine(),
		Epochs: 3, StepsPerEpoch: 4, Accumulate: 2, ClipNorm: 4, Seed: 5, BatchSize: mlpBatch,
		EMA:    NewEMA(m.params(), m.buffers(), EMAOptions{Decay: 0.9, Warmup: true}),
		Params: m.params(), Buffers: m.buffers(),
		Tape: autograd.Options{Debug: true},
		Loss: func(_ context.Context, t *autograd.Tape, b Batch) (*autograd.Tensor, error) { return m.loss(t, b), nil },
	}
}

// bits returns everything that a run leaves behind.
func bits(c Config) map[string][]uint32 {
	all := map[string][]uint32{}
	for name, v := range newRun(c).tensors() {
		for _, x := range v.Values() {
			all[name] = append(all[name], math.Float32bits(x))
		}
	}
	return all
}

// sameBits compares two runs.
func sameBits(t *testing.T, what string, got, want map[string][]uint32) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: expected %d tensors, found %d", what, len(want), len(got))
	}
	for name, w := range want {
		for i := range w {
			if got[name][i] != w[i] {
				t.Errorf("%s: %s: value %d is %v, expected %v", what, name, i,
					math.Float32frombits(got[name][i]), math.Float32frombits(w[i]))
				break
			}
		}
	}
}

// whole runs the configuration in one go.
func whole(t *testing.T, workers int) (map[string][]uint32, Result) {
	t.Helper()
	c := newMLP().config()
	c.Tape.Workers = simd.NewWorkers(workers)
	res, err := Run(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	return bits(c), res
}
