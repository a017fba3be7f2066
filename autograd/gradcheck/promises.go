package gradcheck

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/simd"
)

func (c *check) readOnly() error {
	for i, p := range c.params {
		if err := sameBits(p.Values(), c.values[i]); err != nil {
			return fmt.Errorf("%s was changed: %w", c.name(i), err)
		}
	}
	return nil
}

func (c *check) repetition() error { return c.same("a second pass", c.recorded(), c.whole) }

func (c *check) inference() error {
	return c.same("without gradients", autograd.Options{Debug: true, Training: c.o.Training}, c.whole)
}

func (c *check) parallel() error {
	for n := 2; n <= c.o.Threads; n++ {
		for _, o := range []autograd.Options{c.recorded(), {Debug: true, Training: c.o.Training}} {
			o.Workers = simd.NewWorkers(n)
			if err := c.same(fmt.Sprintf("%d threads", n), o, c.whole); err != nil {
				return err
			}
		}
	}
	return nil
}

// recomputation runs the function in a segment that runs again, also with gradients from one result alone.
func (c *check) recomputation() error {
	again := c.recorded()
	again.Recompute = true
	segment := func(t *autograd.Tape) []*autograd.Tensor {
		return t.SegmentAll(func([]*autograd.Tensor) []*autograd.Tensor { return c.f(t) })
	}
	err := c.same("in a segment that runs again", again, func(t *autograd.Tape, g *autograd.Gradients) []*autograd.Tensor {
		ys := segment(t)
		autograd.Backward(g, ys, c.seeds)
		return ys
	})
	if err != nil || len(c.base.outs) == 1 {
		return err
	}
	for i := range c.base.outs {
		what := fmt.Sprintf("in a segment that runs again for result %d", i)
		one := func(ys []*autograd.Tensor, g *autograd.Gradients) []*autograd.Tensor {
			for _, y := range ys {
				y.Keep()
			}
			autograd.Backward(g, ys[i:i+1], c.seeds[i:i+1])
			return ys
		}
		want, err := c.run(c.recorded(), func(t *autograd.Tape, g *autograd.Gradients) []*autograd.Tensor { return one(c.f(t), g) })
		if err != nil {
			return fmt.Errorf("gradients of result %d alone: %w", i, err)
		}
		got, err := c.run(again, func(t *autograd.Tape, g *autograd.Gradients) []*autograd.Tensor { return one(segment(t), g) })
		if err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		if err := c.compare(what, got, want, true); err != nil {
			return err
		}
	}
	return nil
}

// accumulation puts numbers as large as the gradients into the table first. Kernels that add as they go round
// differently, so that the sums are compared within a tolerance.
func (c *check) accumulation() error {
	const tolerance = 1e-4
	before := make([][]float32, len(c.params))
	got, err := c.run(c.recorded(), func(t *autograd.Tape, g *autograd.Gradients) []*autograd.Tensor {
		for i, p := range c.params {
			before[i] = normals(p.Len(), 100+uint64(i))
			size := largest(c.base.grads[i])
			for j := range before[i] {
				before[i][j] *= size
			}
			autograd.Backward(g, []*autograd.Tensor{t.Use(p)}, before[i:i+1])
		}
		return c.whole(t, g)
	})
	if err != nil {
		return err
	}
	all := float32(0) // a gradient that vanishes but for rounding is rounded like the others
	for _, base := range c.base.grads {
		all = max(all, largest(base))
	}
	for i, base := range c.base.grads {
		limit := tolerance*float64(largest(base)+largest(before[i])) + 1e-6*float64(all)
		for j, v := range base {
			want := float64(v) + float64(before[i][j])
			if d := math.Abs(float64(got.grads[i][j]) - want); !(d <= limit) && v == v {
				return fmt.Errorf("gradient of %s: element %d became %v, expected %v + %v", c.name(i), j, got.grads[i][j], before[i][j], v)
			}
		}
	}
	return nil
}

func largest(v []float32) float32 {
	size := float32(0)
	for _, x := range v {
		size = max(size, x, -x)
	}
	return size
}

// frozen freezes one parameter after the other.
func (c *check) frozen() error {
	for i, p := range c.params {
		want := *c.base
		want.grads = slices.Clone(want.grads)
		want.grads[i] = nil
		p.Frozen = true
		got, err := c.run(c.recorded(), c.whole)
		p.Frozen = false
		what := c.name(i) + " frozen"
		if err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		if err := c.compare(what, got, &want, true); err != nil {
			return err
		}
	}
	return nil
}

// stale updates one parameter after the other between forward and backward.
func (c *check) stale() error {
	for i, p := range c.params {
		if c.base.grads[i] == nil {
			continue
		}
		_, err := c.run(c.recorded(), func(t *autograd.Tape, g *autograd.Gradients) []*autograd.Tensor {
			ys := c.f(t)
			p.Update(func([]float32) {})
			autograd.Backward(g, ys, c.seeds)
			return ys
		})
		var use *autograd.UseError
		if !errors.As(err, &use) {
			return fmt.Errorf("expected Backward to panic with a UseError after an update of %s", c.name(i))
		}
	}
	return nil
}

// sameBits demands equality bit for bit; any NaN equals any NaN.
func sameBits(got, want []float32) error {
	if len(got) != len(want) {
		return fmt.Errorf("%d values, expected %d", len(got), len(want))
	}
	for i, v := range want {
		if math.Float32bits(got[i]) != math.Float32bits(v) && (got[i] == got[i] || v == v) {
			return fmt.Errorf("value %d is %v, expected %v to the bit", i, got[i], v)
		}
	}
	return nil
}
