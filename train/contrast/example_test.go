package contrast_test

import (
	"context"
	"fmt"
	"math/rand/v2"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/metrics"
	"github.com/fovea-ml/fovea/nn"
	"github.com/fovea-ml/fovea/train"
	"github.com/fovea-ml/fovea/train/contrast"
)

// Two linear encoders learn which of 64 points are the same, seen from two sides. Micro-batches of 8 share one loss.
func Example() {
	const n, in, dim = 64, 12, 6
	rng := rand.New(rand.NewPCG(1, 2))
	left, right := make([]float32, n*in), make([]float32, n*in)
	for i := range left {
		left[i] = float32(rng.NormFloat64())
		right[i/in*in+(i+5)%in] = left[i] // the same numbers in other places
	}
	m := struct {
		Left, Right *nn.Linear
		LogScale    *autograd.Parameter
	}{nn.NewLinear(in, dim, false), nn.NewLinear(in, dim, false), autograd.ParameterOf([]float32{2.66})}
	nn.Normal(rng, m.Left.Weight, 0.3)
	nn.Normal(rng, m.Right.Weight, 0.3)
	embed := func(t *autograd.Tape, l *nn.Linear, values []float32) *autograd.Tensor {
		return contrast.Encode(t, n, 8, func(from, to int) *autograd.Tensor {
			return l.Forward(t.Input(values[from*in:to*in], to-from, in))
		})
	}
	report := func() {
		t := autograd.NewTape(autograd.Options{})
		x, y := embed(t, m.Left, left), embed(t, m.Right, right)
		logits := autograd.MatMulT(autograd.L2Normalize(x, 0), autograd.L2Normalize(y, 0), false, true).Floats(nil)
		right := make([]int, n)
		for i := range right {
			right[i] = i
		}
		fmt.Printf("%.0f of %d found\n", n*metrics.Accuracy(logits, right), n)
	}
	report()
	adam := train.NewAdamW(train.Groups(nn.Parameters(&m), train.GroupOptions{}), train.AdamOptions{})
	result, err := train.Run(context.Background(), train.Config{
		Optimizer: contrast.ClampScale(adam, m.LogScale, contrast.MaxLogScale),
		Schedule:  train.Curve{Peak: 0.02}.Constant(),
		Epochs:    100,
		Batches:   1,
		Loss: func(_ context.Context, t *autograd.Tape, _ *train.Batch) (*autograd.Tensor, error) {
			return contrast.Softmax(embed(t, m.Left, left), embed(t, m.Right, right), m.LogScale), nil
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(result.Losses[99] < 0.1)
	report()
	// Output:
	// 0 of 64 found
	// true
	// 64 of 64 found
}
