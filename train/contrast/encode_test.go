package contrast

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/internal/test/golden"
	"github.com/fovea-ml/fovea/nn"
	"github.com/fovea-ml/fovea/simd"
	"github.com/fovea-ml/fovea/train"
)

const (
	length = 5 // tokens of a sample
	width  = 16
)

// encoder is a small transformer with every kind of dropout.
type encoder struct {
	Blocks nn.Stack
	Norm   *nn.LayerNorm
}

func (e *encoder) forward(x *autograd.Tensor) *autograd.Tensor {
	x = e.Blocks.Forward(autograd.Dropout(x, 0.1), nn.AttentionInput{})
	return autograd.Mean(e.Norm.Forward(x), false, 1)
}

// model has an encoder for each kind of sample.
type model struct {
	Images, Texts *encoder
	LogScale      *autograd.Parameter
}

func newModel(seed uint64, drop float32) *model {
	rng := rand.New(rand.NewPCG(seed, 1))
	block := nn.BlockConfig{Width: width, Heads: 2, Hidden: 2 * width, Act: autograd.ActGelu, Eps: 1e-5, QKVBias: true,
		Dropout: drop, AttentionDropout: drop, DropPath: drop}
	m := &model{LogScale: autograd.ParameterOf([]float32{2})}
	for _, e := range []**encoder{&m.Images, &m.Texts} {
		*e = &encoder{Blocks: nn.NewStack(2, block), Norm: nn.NewLayerNorm(width, 1e-5)}
		for _, l := range nn.Layers[nn.Linear](*e) {
			nn.Normal(rng, l.Weight, 0.3)
		}
	}
	return m
}

// samples returns n samples of both kinds: those of the second resemble those of the first.
func samples(n int) (x, y []float32) {
	rng := rand.New(rand.NewPCG(5, uint64(n)))
	for range n * length * width {
		v := float32(rng.NormFloat64())
		x, y = append(x, v), append(y, v/2+float32(rng.NormFloat64()))
	}
	return x, y
}

// loss encodes n samples of both kinds in ranges of size and compares them.
func (m *model) loss(t *autograd.Tape, x, y []float32, n, size int) *autograd.Tensor {
	embed := func(e *encoder, values []float32) *autograd.Tensor {
		return Encode(t, n, size, func(from, to int) *autograd.Tensor {
			return e.forward(t.Input(values[from*length*width:to*length*width], to-from, length, width))
		})
	}
	return Softmax(embed(m.Images, x), embed(m.Texts, y), m.LogScale)
}

// recorded is loss without caching: it encodes the same ranges, and the tape holds all of them.
func (m *model) recorded(t *autograd.Tape, x, y []float32, n, size int) *autograd.Tensor {
	embed := func(e *encoder, values []float32) *autograd.Tensor {
		var parts []autograd.Operand
		for from := 0; from < n; from += size {
			to := min(n, from+size)
			parts = append(parts, e.forward(t.Input(values[from*length*width:to*length*width], to-from, length, width)))
		}
		return autograd.Concat(0, parts...)
	}
	return Softmax(embed(m.Images, x), embed(m.Texts, y), m.LogScale)
}

// gradients runs a loss forward and backward and returns it, its gradients and the memory of the tape.
func (m *model) gradients(o autograd.Options, n, size int, loss func(t *autograd.Tape, x, y []float32, n, size int) *autograd.Tensor) (float32, [][]float32, int) {
	o.Gradients, o.Debug, o.Seed, o.Step = true, true, 3, 4
	tape, grads := autograd.NewTape(o), autograd.NewGradients()
	x, y := samples(n)
	l := loss(tape, x, y, n, size)
	l.Backward(grads)
	var all [][]float32
	for _, p := range nn.Parameters(m) {
		all = append(all, grads.Of(p))
	}
	return l.Float(), all, tape.MemoryBytes()
}

// distance returns ‖a - b‖/‖b‖ of all gradients together.
func distance(a, b [][]float32) float64 {
	var sum, all float64
	for i := range a {
		for j, v := range a[i] {
			d := float64(v) - float64(b[i][j])
			sum += d * d
			all += float64(b[i][j]) * float64(b[i][j])
		}
	}
	return math.Sqrt(sum / all)
}

// TestEncodeGradients compares the gradients of ranges that are encoded twice with those of the whole batch.
func TestEncodeGradients(t *testing.T) {
	const n = 23
	m := newModel(1, 0)
	wantLoss, want, _ := m.gradients(autograd.Options{}, n, 0, m.loss)
	for _, size := range []int{1, 4, 8, n, 100} {
		for _, o := range []autograd.Options{{}, {Recompute: true}, {Workers: simd.NewWorkers(2)}} {
			loss, got, _ := m.gradients(o, n, size, m.loss)
			if d := distance(got, want); d > 1e-5 || math.Abs(float64(loss-wantLoss)) > 1e-5 {
				t.Errorf("ranges of %d: loss %v, expected %v; gradients differ by %.3g", size, loss, wantLoss, d)
			}
		}
	}
}

// TestEncodeDropout has the bits of a tape that holds every range: the second run draws the random numbers of the
// first.
func TestEncodeDropout(t *testing.T) {
	const n = 23
	m := newModel(2, 0.2)
	for _, size := range []int{1, 4, n} {
		wantLoss, want, _ := m.gradients(autograd.Options{Training: true}, n, size, m.recorded)
		for _, o := range []autograd.Options{{Training: true}, {Training: true, Recompute: true}, {Training: true, Workers: simd.NewWorkers(2)}} {
			loss, got, _ := m.gradients(o, n, size, m.loss)
			if loss != wantLoss || !slices.EqualFunc(got, want, slices.Equal) {
				t.Errorf("ranges of %d: loss %v, expected %v; gradients differ by %.3g, expected equal bits", size, loss, wantLoss, distance(got, want))
			}
		}
	}
	still := newModel(2, 0)
	a, _, _ := m.gradients(autograd.Options{Training: true}, n, 4, m.loss)
	if b, _, _ := still.gradients(autograd.Options{}, n, 4, still.loss); a == b {
		t.Error("dropout changed nothing")
	}
}

// TestEncodeMemory counts what a larger batch adds: embeddings, logits and their gradients.
func TestEncodeMemory(t *testing.T) {
	const size = 8
	m := newModel(3, 0.2)
	bytes := func(n int, loss func(t *autograd.Tape, x, y []float32, n, size int) *autograd.Tensor) int {
		_, _, b := m.gradients(autograd.Options{Training: true}, n, size, loss)
		return b
	}
	one := bytes(size, m.loss)
	for _, n := range []int{64, 256} {
		cached, whole := bytes(n, m.loss), bytes(n, m.recorded)
		// Two encoders have embeddings in ranges, joined, normalized and scaled, and as many gradients. The logits have a
		// gradient. Buffers are up to an eighth larger than asked for, those of a range at least 256 values.
		ranges := 2 * 2 * n / size * max(256, size*width)
		allowed := 4 * (ranges + (2*8*n*width+2*n*n)*9/8)
		if cached-one > allowed {
			t.Errorf("%d samples hold %d bytes more than %d, expected at most %d", n, cached-one, size, allowed)
		}
		if n == 256 && whole < 4*cached {
			t.Errorf("%d samples hold %d bytes, all at once %d: expected at most a quarter", n, cached, whole)
		}
		t.Logf("%d samples: %d bytes, recorded %d; one range %d", n, cached, whole, one)
	}
}

// TestEncodeRun trains with caching, is stopped in the second run of an encoder, and resumes to the same bits.
func TestEncodeRun(t *testing.T) {
	const n, size = 12, 5
	x, y := samples(n)
	fit := func(ctx context.Context, file string, start train.Start, ranges func()) (*model, error) {
		m := newModel(4, 0.1)
		o := train.NewAdamW(train.Groups(nn.Parameters(m), train.GroupOptions{}), train.AdamOptions{})
		_, err := train.Run(ctx, train.Config{
			Model: m, Optimizer: ClampScale(o, m.LogScale, 2.01), Schedule: train.Curve{Peak: 0.01}.Constant(), Epochs: 2, Batches: 3,
			File: file, Start: start, Seed: 8,
			Loss: func(_ context.Context, t *autograd.Tape, b *train.Batch) (*autograd.Tensor, error) {
				b.Samples = n
				embed := func(e *encoder, values []float32) *autograd.Tensor {
					return Encode(t, n, size, func(from, to int) *autograd.Tensor {
						ranges()
						return e.forward(t.Input(values[from*length*width:to*length*width], to-from, length, width))
					})
				}
				return Softmax(embed(m.Images, x), embed(m.Texts, y), m.LogScale), nil
			},
		})
		return m, err
	}
	whole, err := fit(context.Background(), "", train.NewRun, func() {})
	if err != nil {
		t.Fatal(err)
	}
	if got := whole.LogScale.Values()[0]; got > 2.01 {
		t.Errorf("the scale is %v, expected at most 2.01", got)
	}
	// A step calls the encoders twice for each of 2·3 ranges. The run stops in the second run of the fourth step.
	for _, stop := range []int{3*12 + 8, 3*12 + 12, 3*12 + 2} {
		file := filepath.Join(t.TempDir(), "run.safetensors")
		ctx, cancel := context.WithCancel(context.Background())
		calls := 0
		_, err := fit(ctx, file, train.NewRun, func() {
			if calls++; calls == stop {
				cancel()
			}
		})
		if !errors.Is(err, context.Canceled) || calls > stop {
			t.Fatalf("%v after %d calls, expected the context's error after %d", err, calls, stop)
		}
		resumed, err := fit(context.Background(), file, train.Resume, func() {})
		if err != nil {
			t.Fatal(err)
		}
		compareModels(t, resumed, whole)
	}
}

func compareModels(t *testing.T, got, want *model) {
	t.Helper()
	values := map[string][]float32{}
	for path, p := range nn.Parameters(want) {
		values[path] = p.Values()
	}
	for path, p := range nn.Parameters(got) {
		if !slices.Equal(p.Values(), values[path]) {
			t.Errorf("%s differs after resuming", path)
		}
	}
}

// TestEncodeReads ends a pass when samples cannot be read, in the first run or in the second.
func TestEncodeReads(t *testing.T) {
	broken := errors.New("a broken file")
	m := newModel(5, 0)
	for _, fails := range []int{1, 3, 4, 6} {
		tape := autograd.NewTape(autograd.Options{Gradients: true, Debug: true})
		calls := 0
		err := tape.Try(func() error {
			x := Encode(tape, 6, 2, func(from, to int) *autograd.Tensor {
				if calls++; calls == fails {
					panic(&autograd.CanceledError{Cause: broken})
				}
				return m.Images.forward(tape.Full(1, to-from, length, width))
			})
			autograd.Sum(x, false).Backward(autograd.NewGradients())
			return nil
		})
		if !errors.Is(err, broken) || calls != fails {
			t.Errorf("call %d of %d: expected %v, found %v", calls, fails, broken, err)
		}
	}
}

// TestEncodeShapes refuses embeddings of other samples than asked for.
func TestEncodeShapes(t *testing.T) {
	tape := autograd.NewTape(autograd.Options{})
	for _, size := range []int{0, 2} {
		err := tape.Try(func() error {
			Encode(tape, 5, size, func(_, _ int) *autograd.Tensor { return tape.Full(1, 2, 3) })
			return nil
		})
		if bad := (*autograd.ShapeError)(nil); !errors.As(err, &bad) {
			t.Errorf("ranges of %d: expected a ShapeError, found %v", size, err)
		}
	}
	inference := Encode(tape, 5, 2, func(from, to int) *autograd.Tensor { return tape.Full(float32(from), to-from, 1) })
	golden.Output(t, "inference", inference.Floats(nil), []float32{0, 0, 2, 2, 4})
}
