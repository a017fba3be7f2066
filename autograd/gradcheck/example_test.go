package gradcheck_test

import (
	"errors"
	"fmt"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/autograd/gradcheck"
)

// An operation written outside autograd is checked, and its twin with a wrong sign is found.
func ExampleCheck() {
	cube := autograd.Op{
		Name: "cube",
		Forward: func(f *autograd.ForwardStep) {
			x, y := f.In(0), f.NewOut(f.Shape(0)...)
			for i, v := range x {
				y[i] = v * v * v
			}
		},
		Backward: func(b *autograd.BackwardStep) {
			x, dy := b.In(0), b.OutGrad(0)
			b.Add(0, func(dx []float32) {
				for i, v := range x {
					dx[i] = 3 * v * v * dy[i]
				}
			})
		},
	}
	wrong := cube
	wrong.Backward = func(b *autograd.BackwardStep) {
		cube.Backward(b)
		b.Add(0, func(dx []float32) {
			for i, v := range b.In(0) {
				dx[i] = -6 * v * v * b.OutGrad(0)[i]
			}
		})
	}

	x := autograd.ParameterOf([]float32{-1, 0.5, 2}, 3)
	for _, op := range []autograd.Op{cube, wrong} {
		err := gradcheck.Check(func(t *autograd.Tape) []*autograd.Tensor {
			return []*autograd.Tensor{autograd.Custom(op, t.Use(x))}
		}, []*autograd.Parameter{x}, gradcheck.Options{})
		var broken *gradcheck.Error
		if errors.As(err, &broken) {
			fmt.Println("wrong:", broken.Kind)
			continue
		}
		fmt.Println("right")
	}
	// Output:
	// right
	// wrong: finite differences
}
