package gradcheck

import (
	"errors"
	"fmt"
	"math"

	"github.com/fovea-ml/fovea/autograd"
)

// rounding is the error of a result of float32 arithmetic, relative to its terms, that a difference allows for.
const rounding = 3e-7

// differences compares the gradient of every parameter with central differences along two directions, and
// puts the parameters back.
func (c *check) differences() error {
	var all []error
	for i := range c.params {
		grad := c.base.grads[i]
		if grad == nil {
			grad = make([]float32, c.params[i].Len())
		}
		for _, dir := range [][]float32{normals(len(grad), uint64(len(grad))), signs(grad)} {
			err := c.difference(i, grad, dir)
			c.set(i, nil, 0)
			if err != nil {
				all = append(all, fmt.Errorf("%s: %w", c.name(i), err))
				break
			}
		}
	}
	return errors.Join(all...)
}

// signs returns a direction along which no element's contribution cancels another's: a gradient that is wrong
// by a factor cannot hide in it.
func signs(grad []float32) []float32 {
	dir := make([]float32, len(grad))
	for i, g := range grad {
		switch {
		case g > 0:
			dir[i] = 1
		case g < 0:
			dir[i] = -1
		}
	}
	return dir
}

// difference compares the derivative along dir with a central difference.
func (c *check) difference(i int, grad, dir []float32) error {
	want := 0.0
	for j, g := range grad {
		want += float64(g) * float64(dir[j])
	}
	h := c.o.Step
	var at [3]float64 // the weighted sum of the results to the left, at the values, and to the right
	var scale float64
	for k := range at {
		c.set(i, dir, h*float64(k-1))
		sum, size, err := c.weighted()
		if err != nil {
			return err
		}
		at[k], scale = sum, max(scale, size)
	}
	got := (at[2] - at[0]) / (2 * h)
	limit := c.o.Tolerance*max(length(grad), math.Abs(want)) + rounding*scale/h
	if d := math.Abs(got - want); d <= limit {
		return nil
	}
	left, right := (at[1]-at[0])/h, (at[2]-at[1])/h
	hint := ""
	if math.Abs(left-right) > 0.2*max(math.Abs(left), math.Abs(right)) {
		hint = fmt.Sprintf(" (the difference to the left is %.6g, to the right %.6g: the values may be too near a kink, or Options.Step too large for functions that curve as much)", left, right)
	}
	return fmt.Errorf("the gradient gives a derivative of %.6g, a central difference %.6g, more than %.2g apart%s", want, got, limit, hint)
}

// set gives parameter i its first values, moved by h along dir.
func (c *check) set(i int, dir []float32, h float64) {
	c.params[i].Update(func(v []float32) {
		copy(v, c.values[i])
		for j, d := range dir {
			v[j] += float32(h) * d
		}
	})
}

// weighted returns Σ seed·result in float64 and the sum of the terms' sizes.
func (c *check) weighted() (sum, size float64, err error) {
	p, err := c.run(autograd.Options{Debug: true, Training: c.o.Training}, c.whole)
	if err != nil {
		return 0, 0, err
	}
	for i, y := range p.outs {
		for j, v := range y {
			term := float64(c.seeds[i][j]) * float64(v)
			sum += term
			size += math.Abs(term)
		}
	}
	return sum, size, nil
}

func length(v []float32) float64 {
	s := 0.0
	for _, x := range v {
		s += float64(x) * float64(x)
	}
	return math.Sqrt(s)
}
