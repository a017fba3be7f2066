package train

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/nn"
)

func TestRunDoesNotDependOnWorkers(t *testing.T) {
	want, res := whole(t, 1)
	if res.Steps != 12 || len(res.Losses) != 3 || !(res.Losses[2] < res.Losses[0]) {
		t.Errorf("expected 12 steps and falling losses, found %+v", res)
	}
	start := newMLP().config()
	if b := bits(start); b["parameters/W1"][0] == want["parameters/W1"][0] {
		t.Error("training left the first weight as it was")
	}
	for _, workers := range []int{2, 4} {
		got, again := whole(t, workers)
		sameBits(t, fmt.Sprintf("%d workers", workers), got, want)
		if fmt.Sprint(again) != fmt.Sprint(res) {
			t.Errorf("%d workers: expected %+v, found %+v", workers, res, again)
		}
	}
}

// A run is stopped at every step, in four ways, and continued by a new process in all but name: a new
// model, optimizer and average.
func TestResumedRunHasTheSameBits(t *testing.T) {
	want, res := whole(t, 1)
	stop := errors.New("stop")
	for _, how := range []string{"after a step", "within a step", "in OnEpoch", "by an error"} {
		for k := 1; k <= 12; k++ {
			if how == "in OnEpoch" && k%4 != 0 {
				continue
			}
			what := fmt.Sprintf("stopped %s %d", how, k)
			file := filepath.Join(t.TempDir(), "run.safetensors")
			ctx, cancel := context.WithCancelCause(context.Background())
			epochs := map[int]int{}
			type history struct{ Loss []float64 }

			m := newMLP()
			c := m.config()
			c.File, c.SaveEvery = file, 5
			h := &history{}
			c.Extra = h
			c.OnStep = func(r Record) error {
				h.Loss = append(h.Loss, r.Loss)
				if how == "after a step" && r.Step == k {
					cancel(stop)
				}
				return nil
			}
			c.OnEpoch = func(_ context.Context, e Epoch) error {
				if how == "in OnEpoch" && e.Number == k/4-1 {
					return stop
				}
				epochs[e.Number]++
				return nil
			}
			c.Loss = func(_ context.Context, t *autograd.Tape, b *Batch) (*autograd.Tensor, error) {
				x := m.loss(t, b)
				if b.Step == k-1 && b.Key%2 == 1 { // the first batch's statistics are in the buffers by now
					if how == "within a step" {
						cancel(stop)
						t.Segment(func(x *autograd.Tensor) *autograd.Tensor { return x }, x)
					}
					if how == "by an error" {
						return nil, stop
					}
				}
				return x, nil
			}
			part, err := Run(ctx, c)
			if !errors.Is(err, stop) {
				t.Fatalf("%s: expected to be stopped, found %v", what, err)
			}
			done := k
			if how == "within a step" || how == "by an error" {
				done--
			}
			if part.Steps != done || !strings.Contains(err.Error(), fmt.Sprintf("stopped after step %d of 12", done)) {
				t.Errorf("%s: found %+v, %v", what, part, err)
			}

			c = newMLP().config()
			c.File, c.Start, c.SaveEvery = file, Resume, 5
			h = &history{}
			c.Extra = h
			c.OnStep = func(r Record) error { h.Loss = append(h.Loss, r.Loss); return nil }
			c.OnEpoch = func(_ context.Context, e Epoch) error { epochs[e.Number]++; return nil }
			again, err := Run(context.Background(), c)
			if err != nil {
				t.Fatalf("%s: %v", what, err)
			}
			sameBits(t, what, bits(c), want)
			if fmt.Sprint(again) != fmt.Sprint(res) {
				t.Errorf("%s: expected %+v, found %+v", what, res, again)
			}
			if len(h.Loss) != 12 {
				t.Errorf("%s: expected the history of 12 steps, found %d", what, len(h.Loss))
			}
			if !maps.Equal(epochs, map[int]int{0: 1, 1: 1, 2: 1}) {
				t.Errorf("%s: expected every epoch to end once, found %v", what, epochs)
			}

			c = newMLP().config()
			c.File, c.Start, c.Extra = file, Resume, &history{}
			c.OnStep = func(Record) error { return errors.New("a step after the end") }
			if again, err = Run(context.Background(), c); err != nil || fmt.Sprint(again) != fmt.Sprint(res) {
				t.Errorf("%s: resuming a finished run: %+v, %v", what, again, err)
			}
			sameBits(t, what+", finished", bits(c), want)
		}
	}
}

// The loop does what one would write by hand.
func TestRunIsThePlainLoop(t *testing.T) {
	want, _ := whole(t, 1)
	m := newMLP()
	c := m.config()
	tape := autograd.NewTape(autograd.Options{Gradients: true, Training: true, Seed: 5})
	grads := autograd.NewGradients()
	clipped := 0
	for step := range 12 {
		grads.Zero()
		for i := range 2 {
			key := uint64(step*2 + i)
			tape.Step(key)
			loss := m.loss(tape, &Batch{Seed: 5, Key: key})
			tape.Commit()
			loss.Backward(grads)
			tape.Reset()
		}
		norm := GradNorm(grads, nn.Parameters(m), nil) / 2
		if norm > 4 {
			clipped++
		}
		c.Optimizer.Step(grads, c.Schedule.Rate(float64(step)/4), ClipScale(norm, 4)/2, nil)
		c.EMA.Update(nil)
	}
	sameBits(t, "by hand", bits(c), want)
	if clipped == 0 || clipped == 12 {
		t.Errorf("expected gradients on both sides of the limit, %d of 12 were clipped", clipped)
	}
	if v := m.Variance.Values()[0]; v == 1 {
		t.Error("training left the running variance as it was")
	}
}

func TestLog(t *testing.T) {
	c := newMLP().config()
	var log bytes.Buffer
	c.Log = &log
	var records []Record
	c.OnStep = func(r Record) error { records = append(records, r); return nil }
	if _, err := Run(context.Background(), c); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(log.String(), "\n"), "\n")
	if len(lines) != 12 || len(records) != 12 {
		t.Fatalf("expected 12 lines and records, found %d and %d", len(lines), len(records))
	}
	for i, line := range lines {
		var v struct {
			Step            int
			Epoch, Loss, LR float64
			GradNorm        float64 `json:"grad_norm"`
			Speed           float64 `json:"samples_per_second"`
		}
		d := json.NewDecoder(strings.NewReader(line))
		d.DisallowUnknownFields()
		if err := d.Decode(&v); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		r := records[i]
		if v.Step != i+1 || v.Epoch != float64(i+1)/4 || v.Loss != r.Loss || v.LR != c.Schedule.Rate(float64(i)/4) ||
			v.GradNorm != r.GradNorm || !(v.GradNorm > 0) || !(v.Speed > 0) {
			t.Errorf("line %d: %s", i, line)
		}
	}
	r := Record{Step: 3, Loss: math.NaN(), GradNorm: math.Inf(1), LR: 0.5}
	if got, want := string(r.AppendJSON(nil)), `{"step":3,"epoch":0,"loss":null,"lr":0.5,"grad_norm":null}`; got != want {
		t.Errorf("expected %s, found %s", want, got)
	}
}

// A loss or gradient that is not finite stops the run before anything changes.
func TestNonFinite(t *testing.T) {
	for _, kind := range []string{"loss", "gradient"} {
		bad := func(m *mlp) func(context.Context, *autograd.Tape, *Batch) (*autograd.Tensor, error) {
			return func(_ context.Context, t *autograd.Tape, b *Batch) (*autograd.Tensor, error) {
				x := m.loss(t, b)
				if b.Key == 7 && kind == "loss" {
					x = autograd.Scale(x, float32(math.NaN()))
				}
				if b.Key == 7 && kind == "gradient" { // √0 has an infinite slope
					x = autograd.Add(x, autograd.Sqrt(autograd.Scale(x, 0)))
				}
				return x, nil
			}
		}
		m := newMLP()
		c := m.config()
		c.Loss = bad(m)
		c.File = filepath.Join(t.TempDir(), "run.safetensors")
		var before map[string][]uint32
		c.OnStep = func(Record) error { before = bits(c); return nil }
		_, err := Run(context.Background(), c)
		var e *NonFiniteError
		if !errors.As(err, &e) || e.Record.Step != 4 || !strings.Contains(err.Error(), "step 4 of 12: the "+map[string]string{"loss": "loss is NaN", "gradient": "norm of the gradient is"}[kind]) {
			t.Fatalf("%s: expected an error that names step 4, found %v", kind, err)
		}
		sameBits(t, kind, bits(c), before)

		m = newMLP()
		c = m.config()
		c.Loss = bad(m)
		skipped := 0
		c.OnNonFinite = func(r Record) error { skipped++; return nil }
		c.OnStep = func(r Record) error {
			if r.Step == 3 {
				before = bits(c)
			}
			if r.Step == 4 {
				sameBits(t, kind+", skipped", bits(c), before)
			}
			return nil
		}
		res, err := Run(context.Background(), c)
		if err != nil || skipped != 1 || res.Steps != 12 || !finite(res.Losses[0]) {
			t.Errorf("%s: expected to skip one step, found %d, %+v, %v", kind, skipped, res, err)
		}
	}
}

// Two batches accumulated are one batch of both: with plain descent and a mean loss, up to rounding.
func TestAccumulationIsTheMean(t *testing.T) {
	final := func(accumulate int) float32 {
		w := autograd.ParameterOf([]float32{1}, 1)
		c := Config{
			Optimizer: NewSGD(Groups(named([]Param{{"w", w}}), GroupOptions{}), SGDOptions{}),
			Schedule:  Curve{Peak: 0.1}.Constant(), Epochs: 2, Batches: 3 * accumulate, Accumulate: accumulate,
			Loss: func(_ context.Context, t *autograd.Tape, b *Batch) (*autograd.Tensor, error) {
				if b.Index != b.Step%3*accumulate+int(b.Key)%accumulate || b.Epoch != b.Step/3 {
					return nil, fmt.Errorf("unexpected %+v", b)
				}
				x := make([]float32, 4/accumulate)
				for i := range x {
					x[i] = float32(int(b.Key)*len(x)+i) / 8
				}
				return autograd.Mean(autograd.Square(autograd.Mul(t.Input(x, len(x)), t.Use(w))), false), nil
			},
		}
		if _, err := Run(context.Background(), c); err != nil {
			t.Fatal(err)
		}
		return w.Values()[0]
	}
	one, two, four := final(1), final(2), final(4)
	if math.Abs(float64(one-two)) > 1e-6 || math.Abs(float64(one-four)) > 1e-6 || one == 1 {
		t.Errorf("one batch gives %v, two %v, four %v", one, two, four)
	}
}

// Gradients of a contrastive loss from cached embeddings, over batches that do not fit a tape together,
// are those of the direct way.
func TestCachedGradientsFitTheLoop(t *testing.T) {
	const n, in, dim, parts = 8, 6, 4, 4
	data := make([]float32, n*in)
	rng := rand.New(rand.NewPCG(9, 9))
	for i := range data {
		data[i] = float32(rng.NormFloat64())
	}
	final := func(cached bool) []float32 {
		rng := rand.New(rand.NewPCG(1, 1))
		w := autograd.NewParameter(dim, in)
		w.Update(func(v []float32) {
			for i := range v {
				v[i] = float32(rng.NormFloat64())
			}
		})
		encode := func(t *autograd.Tape, from, to int) *autograd.Tensor {
			return autograd.L2Normalize(autograd.Linear(t.Input(data[from*in:to*in], to-from, in), w, nil), 1e-12)
		}
		pull := func(z *autograd.Tensor) *autograd.Tensor { // every pair but a row with itself, apart
			s := autograd.MatMulT(z, z, false, true)
			return autograd.Mean(autograd.LogSumExp(autograd.Scale(s, 5)), false)
		}
		c := Config{
			Optimizer: NewSGD(Groups(named([]Param{{"w", w}}), GroupOptions{}), SGDOptions{Momentum: 0.9}),
			Schedule:  Curve{Peak: 0.1}.Constant(), Epochs: 1, Batches: 5,
		}
		if cached {
			c.Gradients = func(_ context.Context, t *autograd.Tape, _ *Batch, g *autograd.Gradients) (float64, error) {
				z := make([]float32, n*dim)
				for i := 0; i < n; i += n / parts {
					encode(t, i, i+n/parts).Floats(z[i*dim : (i+n/parts)*dim])
					t.Reset()
				}
				cache := autograd.NewGradients()
				x := t.Input(z, n, dim).WantGradient()
				loss := pull(x)
				value := float64(loss.Float())
				loss.Backward(cache)
				dz := append([]float32(nil), cache.OfTensor(x)...)
				t.Reset()
				for i := 0; i < n; i += n / parts {
					y := encode(t, i, i+n/parts)
					autograd.Backward(g, []*autograd.Tensor{y}, [][]float32{dz[i*dim : (i+n/parts)*dim]})
					t.Reset()
				}
				return value, nil
			}
		} else {
			c.Loss = func(_ context.Context, t *autograd.Tape, _ *Batch) (*autograd.Tensor, error) {
				return pull(encode(t, 0, n)), nil
			}
		}
		if _, err := Run(context.Background(), c); err != nil {
			t.Fatal(err)
		}
		return w.Values()
	}
	direct, cached := final(false), final(true)
	for i := range direct {
		if math.Abs(float64(direct[i]-cached[i])) > 1e-5 {
			t.Errorf("weight %d: %v directly, %v cached", i, direct[i], cached[i])
		}
	}
}

// A warm step of the loop allocates next to nothing.
func TestStepAllocatesLittle(t *testing.T) {
	m := newMLP()
	c := m.config()
	c.Tape.Debug = false
	c.Log = &bytes.Buffer{}
	var before, after runtime.MemStats
	var worst uint64
	c.OnStep = func(r Record) error {
		runtime.ReadMemStats(&after)
		if r.Step > 3 {
			worst = max(worst, after.TotalAlloc-before.TotalAlloc)
		}
		runtime.ReadMemStats(&before)
		return nil
	}
	if _, err := Run(context.Background(), c); err != nil {
		t.Fatal(err)
	}
	const limit = 200 << 10
	if t.Logf("%d bytes a step", worst); worst > limit {
		t.Errorf("expected at most %d bytes a step, found %d", limit, worst)
	}
}

func TestConfigIsChecked(t *testing.T) {
	m := newMLP()
	for want, change := range map[string]func(*Config){
		"an Optimizer":             func(c *Config) { c.Optimizer = nil },
		"a Schedule":               func(c *Config) { c.Schedule = nil },
		"one of Loss and":          func(c *Config) { c.Loss = nil },
		"at least one epoch":       func(c *Config) { c.Epochs = 0 },
		"at least one batch":       func(c *Config) { c.Batches = -1 },
		"Accumulate: expected":     func(c *Config) { c.Accumulate = -1 },
		"resuming needs a File":    func(c *Config) { c.Start = Resume },
		"expected a pointer":       func(c *Config) { c.Extra = map[string]int{} },
		"found *int":               func(c *Config) { c.Extra = (*int)(nil) },
		`"W1" of the optimizer is`: func(c *Config) { c.Model = &struct{ W *autograd.Parameter }{autograd.NewParameter(1)} },
	} {
		c := m.config()
		change(&c)
		if _, err := Run(context.Background(), c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("expected an error about %q, found %v", want, err)
		}
	}
}

func TestOrder(t *testing.T) {
	a, b := Order(make([]int, 100), 1, 2), Order(make([]int, 100), 1, 2)
	other := Order(make([]int, 100), 1, 3)
	seen := make([]bool, 100)
	for _, i := range a {
		seen[i] = true
	}
	for i := range seen {
		if !seen[i] {
			t.Errorf("%d does not occur", i)
		}
	}
	if fmt.Sprint(a) != fmt.Sprint(b) || fmt.Sprint(a) == fmt.Sprint(other) {
		t.Error("expected the order to follow from seed and epoch")
	}
	if got, want := fmt.Sprint(Order(make([]int, 8), 1, 0)), "[0 1 2 3 4 5 6 7]"; got == want {
		t.Errorf("expected a shuffled order, found %s", got)
	}
}
