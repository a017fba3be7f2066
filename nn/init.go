package nn

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/fovea-ml/fovea/autograd"
)

// TruncatedNormal fills p with normal values of mean 0 and standard deviation std, cut to [low, high]. The distribution is
// that of torch.nn.init.trunc_normal_. The bounds are values, not multiples of std: PyTorch's defaults are -2 and 2.
//
// A value outside the bounds is drawn again. So it panics with an autograd.UseError when most would be: when the bounds
// do not hold 0 or are narrower than a hundredth of std.
func TruncatedNormal(rng *rand.Rand, p *autograd.Parameter, std, low, high float64) {
	if !(low <= 0 && high >= 0 && high-low >= std/100) {
		panic(&autograd.UseError{Op: "truncated normal", Reason: fmt.Sprintf("bounds %v and %v are too narrow for a deviation of %v", low, high, std)})
	}
	p.Update(func(values []float32) {
		for i := range values {
			x := rng.NormFloat64() * std
			for x < low || x > high {
				x = rng.NormFloat64() * std
			}
			values[i] = float32(x)
		}
	})
}

// Normal fills p with normal values of mean 0 and standard deviation std.
func Normal(rng *rand.Rand, p *autograd.Parameter, std float64) {
	p.Update(func(values []float32) {
		for i := range values {
			values[i] = float32(rng.NormFloat64() * std)
		}
	})
}

// Uniform fills p with uniform values in ±bound. PyTorch initializes all parameters of recurrent layers with 1/√width.
func Uniform(rng *rand.Rand, p *autograd.Parameter, bound float64) {
	p.Update(func(values []float32) {
		for i := range values {
			values[i] = float32((2*rng.Float64() - 1) * bound)
		}
	})
}

// XavierUniform fills p with uniform values in ±√(6/(fanIn+fanOut)) (Glorot and Bengio, AISTATS 2010). A parameter of
// more than two dimensions is a convolution kernel [out, in, ...]: both fans are multiplied by the size of its field. A
// parameter of fewer than two dimensions has as many values as each fan.
func XavierUniform(rng *rand.Rand, p *autograd.Parameter) {
	in, out := fans(p.Shape())
	Uniform(rng, p, math.Sqrt(6/float64(in+out)))
}

// KaimingUniform fills p with uniform values in ±√(3/fanIn)·gain, where gain is √(2/(1+slope²)) (He et al.,
// arXiv 1502.01852). The slope is that of the leaky ReLU that follows, 0 for ReLU. PyTorch initializes its linear and
// convolution layers with √5, which gives ±1/√fanIn.
func KaimingUniform(rng *rand.Rand, p *autograd.Parameter, slope float64) {
	in, _ := fans(p.Shape())
	Uniform(rng, p, math.Sqrt(2/(1+slope*slope))*math.Sqrt(3/float64(in)))
}

// KaimingNormal fills p with normal values of standard deviation √(2/fan) for a ReLU that follows (arXiv 1502.01852).
// The fan is the number of outputs with fanOut, of inputs without. For a convolution kernel [out, in/groups, kh, kw] these
// are out·kh·kw and in/groups·kh·kw, as in PyTorch.
func KaimingNormal(rng *rand.Rand, p *autograd.Parameter, fanOut bool) {
	in, out := fans(p.Shape())
	if fanOut {
		in = out
	}
	Normal(rng, p, math.Sqrt(2/float64(in)))
}

// Constant fills p with a value.
func Constant(p *autograd.Parameter, value float32) {
	p.Update(func(values []float32) {
		for i := range values {
			values[i] = value
		}
	})
}

// fans returns the number of inputs and outputs a weight [out, in, ...] connects.
func fans(shape []int) (in, out int) {
	if len(shape) < 2 {
		return max(1, elementCount(shape)), max(1, elementCount(shape))
	}
	field := elementCount(shape[2:])
	return max(1, shape[1]*field), max(1, shape[0]*field)
}

func elementCount(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}

// filled returns a parameter of n equal values.
func filled(n int, value float32) *autograd.Parameter {
	p := autograd.NewParameter(n)
	Constant(p, value)
	return p
}
