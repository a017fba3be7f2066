package bert

import (
	"context"
	"math"
	"slices"
	"sync"
	"testing"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/nn"
	"github.com/fovea-ml/fovea/train"
)

// TestVectors gives the encoder rows of its own word embeddings in the place of ids, and expects the same bits.
func TestVectors(t *testing.T) {
	for _, modelType := range modelTypes {
		m := New(tiny(modelType), Features, 0, rng())
		in := Pack([]int{5, 6, 7}, []int{8}, []int{9, 10, 11, 12})
		tape := autograd.NewTape(autograd.Options{})
		want := m.Hidden(tape, in).Floats(nil)
		vectors := m.Encoder.Embeddings.Words.Forward(tape, in.IDs, len(in.IDs))
		same(t, modelType, m.Hidden(tape, Input{Vectors: vectors, Starts: in.Starts}).Floats(nil), want)
	}
}

// TestMaskedVectors trains an encoder to fill in missing values of waves: a masked task on a sequence that is no text.
func TestMaskedVectors(t *testing.T) {
	if testing.Short() {
		t.Skip("600 steps")
	}
	c := tiny("bert")
	c.VocabSize, c.HiddenDropoutProb, c.AttentionProbsDropoutProb, c.InitializerRange = 1, 0, 0, 0.1
	model := struct {
		Bert     *Model
		In, Out  *nn.Linear
		MaskedAt *autograd.Parameter // the vector that stands for a missing value, [1, width]
	}{New(c, Features, 0, rng()), nn.NewLinear(1, c.HiddenSize, true), nn.NewLinear(c.HiddenSize, 1, true), autograd.NewParameter(1, c.HiddenSize)}
	for _, p := range []*autograd.Parameter{model.In.Weight, model.Out.Weight, model.MaskedAt} {
		nn.Normal(rng(), p, 0.2)
	}
	const waves, length = 16, 12
	random := rng()
	opt := train.NewAdamW(train.Groups(nn.Parameters(model), train.GroupOptions{}), train.AdamOptions{})
	grads := autograd.NewGradients()
	tape := autograd.NewTape(autograd.Options{Gradients: true, Training: true})
	var losses []float32
	for range 600 {
		values, hidden, starts := make([]float32, 0, waves*length), make([]float32, 0, waves*length), []int{0}
		var missing []int
		for i := range waves {
			phase, speed := random.Float64()*6, 0.3+random.Float64()*0.3
			for k := range length {
				values = append(values, float32(math.Sin(phase+speed*float64(k))))
				hidden = append(hidden, 0)
				if random.IntN(4) == 0 {
					missing = append(missing, i*length+k)
					hidden[i*length+k] = 1
				}
			}
			starts = append(starts, (i+1)*length)
		}
		x := model.In.Forward(tape.Input(values, len(values), 1))
		x = autograd.Where(tape.Input(hidden, len(hidden), 1), model.MaskedAt, x)
		h := model.Bert.Hidden(tape, Input{Vectors: x, Starts: starts})
		want := autograd.GatherRows(tape.Input(values, len(values), 1), missing)
		loss := autograd.MSE(model.Out.Forward(autograd.GatherRows(h, missing)), want)
		losses = append(losses, loss.Floats(nil)[0])
		loss.Backward(grads)
		opt.Step(grads, 3e-3, 1, nil)
		tape.Commit()
		grads.Zero()
		tape.Reset()
	}
	// The mean alone has the variance of a sine, 1/2.
	if mean := meanOf(losses[len(losses)-20:]); !(mean < 0.1) {
		t.Errorf("the loss ends at %v, expected less than 0.1; it began at %v", mean, losses[0])
	}
}

func meanOf(values []float32) float32 {
	sum := float32(0)
	for _, v := range values {
		sum += v
	}
	return sum / float32(len(values))
}

// TestConcurrent lets goroutines share a model. Each text has the vector that it has alone.
func TestConcurrent(t *testing.T) {
	m := minilm(t)
	list := []string{"one", "two words", "and three words", ""}
	want, err := m.Embed(context.Background(), list...)
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			got, err := m.Embed(context.Background(), list[i%4])
			if err != nil || !slices.Equal(got[0], want[i%4]) {
				t.Errorf("text %d: the vector differs, %v", i%4, err)
			}
		})
	}
	group.Wait()
}
