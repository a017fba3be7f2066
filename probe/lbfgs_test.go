package probe

import (
	"context"
	"math"
	"testing"
)

// TestMinimizer finds minima that are known: of quadratic functions whose curvatures differ by 10⁴, of Rosenbrock's valley,
// of a function with a kink, where the search ends at the limit of float64, and of one that is NaN beside its valley.
func TestMinimizer(t *testing.T) {
	for _, c := range []struct {
		name     string
		value    func(x, grad []float64) float64
		start    []float64
		minimum  []float64
		accuracy float64
	}{
		{"at the minimum", func(x, grad []float64) float64 {
			grad[0] = 2 * x[0]
			return x[0] * x[0]
		}, []float64{0}, []float64{0}, 0},
		{"quadratic", func(x, grad []float64) float64 {
			f := 0.0
			for i, v := range x {
				curvature := math.Pow(10, 0.5*float64(i-4))
				grad[i] = curvature * (v - 3)
				f += curvature / 2 * (v - 3) * (v - 3)
			}
			return f
		}, make([]float64, 9), []float64{3, 3, 3, 3, 3, 3, 3, 3, 3}, 1e-4},
		{"far away", func(x, grad []float64) float64 {
			grad[0] = (x[0] - 1e9) / 1e9
			return (x[0] - 1e9) * (x[0] - 1e9) / 2e9
		}, []float64{0}, []float64{1e9}, 1},
		{"valley", func(x, grad []float64) float64 {
			a, b := 1-x[0], x[1]-x[0]*x[0]
			grad[0], grad[1] = -2*a-400*x[0]*b, 200*b
			return a*a + 100*b*b
		}, []float64{-1.2, 1}, []float64{1, 1}, 1e-6},
		{"kink", func(x, grad []float64) float64 {
			grad[0] = math.Copysign(1, x[0]-0.3)
			return math.Abs(x[0] - 0.3)
		}, []float64{-7}, []float64{0.3}, 1e-6},
		{"logarithm", func(x, grad []float64) float64 {
			grad[0] = 1 - 0.01/x[0]
			return x[0] - 0.01*math.Log(x[0])
		}, []float64{5}, []float64{0.01}, 1e-6},
	} {
		t.Run(c.name, func(t *testing.T) {
			calls := 0
			m := &minimizer{tolerance: 1e-9, iterations: 200, value: func(x, grad []float64) float64 {
				calls++
				return c.value(x, grad)
			}}
			n, converged, err := m.run(t.Context(), c.start)
			if err != nil || !converged || calls > 500 {
				t.Errorf("%d steps, %d calls, converged %v, error %v", n, calls, converged, err)
			}
			for i, x := range c.start {
				if !(math.Abs(x-c.minimum[i]) <= c.accuracy) {
					t.Errorf("found %v, expected %v", c.start, c.minimum)
					break
				}
			}
		})
	}
}

// A direction that leads nowhere, of steps that do not fit the function, is given up for that of the gradient.
func TestMinimizerStartsAgain(t *testing.T) {
	m := &minimizer{tolerance: 1e-9, iterations: 100, steps: []step{{s: []float64{1, 0}, y: []float64{-1, 0}, rho: 1}, {s: []float64{0, 1}, y: []float64{0, -1}, rho: 1}},
		value: func(x, grad []float64) float64 {
			grad[0], grad[1] = 2*(x[0]-3), 20*(x[1]+1)
			return (x[0]-3)*(x[0]-3) + 10*(x[1]+1)*(x[1]+1)
		}}
	x := []float64{0, 0}
	if _, converged, err := m.run(context.Background(), x); err != nil || !converged || math.Abs(x[0]-3) > 1e-6 || math.Abs(x[1]+1) > 1e-6 {
		t.Errorf("found %v, converged %v, %v", x, converged, err)
	}
}
