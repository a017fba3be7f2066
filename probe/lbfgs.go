package probe

import (
	"context"
	"math"
)

// memory is the number of steps that L-BFGS remembers, as in SciPy and PyTorch.
const memory = 10

// minimizer finds the minimum of a smooth convex function by L-BFGS (Nocedal and Wright, Numerical Optimization, 2nd
// edition, algorithm 7.5).
type minimizer struct {
	value      func(x, grad []float64) float64 // of the function; it sets its gradient
	tolerance  float64                         // ends the search: the largest magnitude of a gradient's element
	iterations int                             // at most

	x, grad       []float64
	f             float64
	next, newGrad []float64
	direction     []float64
	steps         []step // the newest last
}

// step is a remembered step s, the change y of the gradient along it, and 1/(s·y).
type step struct {
	s, y []float64
	rho  float64
}

// run starts at x and leaves the minimum there. It returns the number of steps. converged is false after the largest
// number of them.
func (m *minimizer) run(ctx context.Context, x []float64) (n int, converged bool, err error) {
	m.x = x
	for _, v := range []*[]float64{&m.grad, &m.next, &m.newGrad, &m.direction} {
		*v = make([]float64, len(x))
	}
	m.f = m.value(x, m.grad)
	for ; n < m.iterations; n++ {
		if err := ctx.Err(); err != nil {
			return n, false, err
		}
		if largest(m.grad) <= m.tolerance {
			return n, true, nil
		}
		before := m.f
		slope := m.aim()
		if !m.search(slope) {
			if len(m.steps) == 0 {
				return n, true, nil // even the gradient leads no further: the limit of float64
			}
			m.steps = m.steps[:0]
			continue
		}
		if before-m.f <= 4e-16*math.Abs(before) {
			return n + 1, true, nil
		}
	}
	return n, largest(m.grad) <= m.tolerance, nil
}

// aim sets the direction to that of L-BFGS, and returns the slope along it, which is negative.
func (m *minimizer) aim() float64 {
	p := m.direction
	for i, g := range m.grad {
		p[i] = -g
	}
	if len(m.steps) == 0 {
		length := math.Sqrt(dot(p, p))
		for i := range p {
			p[i] /= length
		}
		return -length
	}
	var alphas [memory]float64
	for i := len(m.steps) - 1; i >= 0; i-- {
		s := m.steps[i]
		alphas[i] = float64(s.rho * dot(s.s, p))
		axpy(p, -alphas[i], s.y)
	}
	last := m.steps[len(m.steps)-1]
	scale := 1 / float64(last.rho*dot(last.y, last.y))
	for i := range p {
		p[i] = float64(p[i] * scale)
	}
	for i, s := range m.steps {
		beta := float64(s.rho * dot(s.y, p))
		axpy(p, alphas[i]-beta, s.s)
	}
	return dot(p, m.grad)
}

// point is the function at one length along the direction.
type point struct{ t, f, slope float64 }

// search moves along the direction to a point under the strong Wolfe conditions (algorithms 3.5 and 3.6 as one loop), or
// else to the lowest that it met, and remembers the step. It returns false when it met none below the start.
func (m *minimizer) search(slope float64) bool {
	const (
		decrease  = 1e-4 // the first condition: at least this share of the decrease that the slope promises
		flatter   = 0.9  // the second condition: at most this share of the slope
		expansion = 4
	)
	if !(slope < 0) {
		return false
	}
	attempts := 30
	if len(m.steps) == 0 {
		attempts = 130 // along the gradient, the minimum may be closer by as many powers of 2: float32 has 126
	}
	start := point{0, m.f, slope}
	low, high := start, point{t: math.Inf(1)} // low is the best so far; the minimum is between them
	slack := float64(1e-15 * math.Abs(m.f))   // rounding in f
	t := 1.0
	for range attempts {
		at := m.look(t)
		if !(at.f <= start.f+float64(decrease*t*slope)+slack) || !(at.f <= low.f+slack) { // NaN is too far as well
			high = at
		} else {
			if math.Abs(at.slope) <= -flatter*slope {
				m.accept(at.f)
				return true
			}
			if (at.slope > 0) == (high.t > low.t) {
				high = low
			}
			low = at
		}
		if math.IsInf(high.t, 1) {
			t *= expansion
		} else {
			t = between(low, high)
		}
	}
	if low.f < start.f { // a decrease without the second condition
		m.accept(m.look(low.t).f)
		return true
	}
	return false
}

// look computes the function at length t along the direction.
func (m *minimizer) look(t float64) point {
	for i, p := range m.direction {
		m.next[i] = m.x[i] + float64(t*p)
	}
	f := m.value(m.next, m.newGrad)
	return point{t, f, dot(m.newGrad, m.direction)}
}

// accept moves to the next point and remembers the step.
func (m *minimizer) accept(f float64) {
	var s step
	if len(m.steps) == memory {
		s = m.steps[0]
		copy(m.steps, m.steps[1:])
		m.steps = m.steps[:memory-1]
	} else {
		s = step{s: make([]float64, len(m.x)), y: make([]float64, len(m.x))}
	}
	for i := range m.x {
		s.s[i] = m.next[i] - m.x[i]
		s.y[i] = m.newGrad[i] - m.grad[i]
	}
	copy(m.x, m.next)
	copy(m.grad, m.newGrad)
	m.f = f
	if curvature := dot(s.s, s.y); curvature > 0 {
		s.rho = 1 / curvature
		m.steps = append(m.steps, s)
	}
}

// between returns the minimum of the cubic through two points (3.59), or the middle when that is not well inside.
func between(a, b point) float64 {
	middle := a.t + 0.5*(b.t-a.t)
	d1 := a.slope + b.slope - 3*(a.f-b.f)/(a.t-b.t)
	square := float64(d1*d1) - float64(a.slope*b.slope)
	if !(square >= 0) {
		return middle
	}
	d2 := math.Copysign(math.Sqrt(square), b.t-a.t)
	t := b.t - float64((b.t-a.t)*(b.slope+d2-d1))/(b.slope-a.slope+2*d2)
	margin := float64(0.1 * math.Abs(b.t-a.t))
	if !(t >= min(a.t, b.t)+margin && t <= max(a.t, b.t)-margin) {
		return middle
	}
	return t
}

// largest returns the largest magnitude, NaN if any is NaN.
func largest(x []float64) float64 {
	most := 0.0
	for _, v := range x {
		most = max(most, math.Abs(v))
	}
	return most
}
