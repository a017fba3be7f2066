package study

import (
	"fmt"
	"io"
	"math"
)

// sides are the names of the two sides, in the order of their runs.
var sides = [2]string{"Fovea", "PyTorch"}

// Report prints a table of a final measure by seed, of Fovea and of PyTorch, and the difference of the means beside its
// standard error. The values are shares of 1.
func Report(w io.Writer, title, measure string, ours, theirs []float64) {
	fmt.Fprintf(w, "| %s | %s by seed, %% | mean | standard error |\n|---|---|---|---|\n", title, measure)
	var means, errors [2]float64
	for side, list := range [2][]float64{ours, theirs} {
		text, percent := "", make([]float64, len(list))
		for i, a := range list {
			percent[i] = 100 * a
			text += fmt.Sprintf(" %.1f", percent[i])
		}
		means[side], errors[side] = spread(percent)
		fmt.Fprintf(w, "| %s |%s | %.2f | %.2f |\n", sides[side], text, means[side], errors[side])
	}
	fmt.Fprintf(w, "\nThe means differ by %.2f points, with a standard error of %.2f.\n\n", means[0]-means[1], math.Hypot(errors[0], errors[1]))
}

// Final returns the last value of each run.
func Final(runs []Outcome, values func(Outcome) []float64) []float64 {
	var last []float64
	for _, o := range runs {
		v := values(o)
		last = append(last, v[len(v)-1])
	}
	return last
}

// spread returns the mean of values and its standard error.
func spread(v []float64) (mean, se float64) {
	for _, x := range v {
		mean += x / float64(len(v))
	}
	if len(v) < 2 {
		return mean, math.NaN()
	}
	for _, x := range v {
		se += (x - mean) * (x - mean)
	}
	return mean, math.Sqrt(se / float64(len(v)-1) / float64(len(v)))
}
