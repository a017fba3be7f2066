package autograd_test

import (
	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/autograd/gradcheck"
)

func init() {
	autograd.CheckGradients = func(f func(t *autograd.Tape) []*autograd.Tensor, params []*autograd.Parameter, seeds [][]float32) error {
		return gradcheck.Check(f, params, gradcheck.Options{Seeds: seeds})
	}
}
