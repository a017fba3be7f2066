package train

import (
	"context"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/nn"
	"github.com/fovea-ml/fovea/simd"
)

// mlp is a small network with all that makes a run hard to continue: dropout, running statistics, and
// layers large enough to be divided between workers.
type mlp struct {
	W1, B1, Gamma, Beta, W2, B2 *autograd.Parameter
	Mean, Variance              *autograd.Buffer
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
		W1: random(0.3, mlpHidden, mlpIn), B1: random(0, mlpHidden),
		Gamma: autograd.NewParameter(mlpHidden), Beta: autograd.NewParameter(mlpHidden),
		W2: random(0.1, 1, mlpHidden), B2: random(0, 1),
		Mean: autograd.NewBuffer(0, mlpHidden), Variance: autograd.NewBuffer(1, mlpHidden),
	}
	m.Gamma.Update(func(v []float32) { simd.Fill(v, 1) })
	return m
}

// loss fits a product of two inputs on data keyed by the batch.
func (m *mlp) loss(t *autograd.Tape, b *Batch) *autograd.Tensor {
	b.Samples = mlpBatch
	rng := rand.New(rand.NewPCG(b.Seed, b.Key))
	x, y := make([]float32, mlpBatch*mlpIn), make([]float32, mlpBatch)
	for i := range y {
		row := x[i*mlpIn:][:mlpIn]
		for j := range row {
			row[j] = float32(rng.NormFloat64())
		}
		y[i] = row[0] * row[1]
	}
	h := autograd.Linear(t.Input(x, mlpBatch, mlpIn), m.W1, m.B1)
	h = autograd.Relu(autograd.BatchNorm(h, m.Gamma, m.Beta, m.Mean, m.Variance, autograd.BatchNormOptions{}))
	h = autograd.Dropout(h, 0.1)
	h = autograd.Linear(h, m.W2, m.B2)
	d := autograd.Sub(h, t.Input(y, mlpBatch, 1))
	return autograd.Mean(autograd.Square(d), false)
}

// config is a run of three epochs of four steps of two batches, with everything turned on.
func (m *mlp) config() Config {
	opt := NewAdamW(Groups(nn.Parameters(m), GroupOptions{WeightDecay: 0.05}), AdamOptions{Beta2: new(0.95)})
	return Config{
		Optimizer: opt, Schedule: Curve{Peak: 1e-2, Warmup: 1, Length: 3}.Cosine(),
		Model: m, Epochs: 3, Batches: 8, Accumulate: 2, ClipNorm: 4, Seed: 5,
		EMA:  NewEMA(nn.Parameters(m), nn.Buffers(m), EMAOptions{Decay: new(0.9), Warmup: true}),
		Tape: autograd.Options{Debug: true},
		Loss: func(_ context.Context, t *autograd.Tape, b *Batch) (*autograd.Tensor, error) {
			return m.loss(t, b), nil
		},
	}
}

// bits returns everything that a run leaves behind.
func bits(c Config) map[string][]uint32 {
	all := map[string][]uint32{}
	for name, v := range newRun(c.withDefaults()).tensors() {
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
