package train

import "math"

// A Schedule returns the learning rate at position x of a run, in epochs. Before step s, counted from 0, x is s/n where
// n is the number of steps in an epoch. A schedule is a pure function, so that a resumed run needs only its position.
type Schedule func(x float64) float64

// Curve holds the numbers that the usual schedules share. Positions and lengths are in epochs or, with [PerStep], in
// steps.
type Curve struct {
	Peak   float64 // the learning rate where warm-up ends
	Min    float64 // the lowest learning rate after warm-up
	Start  float64 // the learning rate at position 0 when there is a warm-up
	Warmup float64 // length of the warm-up, 0 for none
	Length float64 // length of the run, including warm-up
}

// Constant stays at Peak after the warm-up.
func (c Curve) Constant() Schedule {
	return c.after(func(float64) float64 { return c.Peak })
}

// Cosine falls from Peak to Min along half a cosine wave, and stays there (Loshchilov and Hutter, arXiv 1608.03983,
// without restarts). With Start 0 it is the schedule of MAE:
//
//	x < Warmup: Peak·x/Warmup
//	otherwise:  Min + (Peak - Min)·(1 + cos(π·(x - Warmup)/(Length - Warmup)))/2
func (c Curve) Cosine() Schedule {
	return c.after(func(x float64) float64 {
		half := 0.5 * (1 + math.Cos(math.Pi*c.progress(x)))
		return c.Min + float64((c.Peak-c.Min)*half)
	})
}

// Linear falls from Peak to Min along a line, and stays there. With Min 0 it is the schedule of BERT.
func (c Curve) Linear() Schedule {
	return c.after(func(x float64) float64 {
		return c.Min + float64((c.Peak-c.Min)*(1-c.progress(x)))
	})
}

// Steps multiplies Peak by factor once in every period, counted from position 0: Peak·factor^⌊x/period⌋, as PyTorch's
// StepLR. It never goes below Min.
func (c Curve) Steps(period, factor float64) Schedule {
	return c.after(func(x float64) float64 {
		return max(c.Min, c.Peak*power(factor, int64(x/period)))
	})
}

// PerStep turns s, a schedule in optimizer steps, into one in epochs of stepsPerEpoch steps.
func PerStep(s Schedule, stepsPerEpoch int) Schedule {
	return func(x float64) float64 { return s(math.Round(x * float64(stepsPerEpoch))) }
}

// after puts the linear warm-up before a schedule.
func (c Curve) after(s Schedule) Schedule {
	return func(x float64) float64 {
		if x < c.Warmup {
			return c.Start + float64((c.Peak-c.Start)*(x/c.Warmup))
		}
		return s(x)
	}
}

// progress is the fraction of the way from the end of warm-up to the end of the run.
func (c Curve) progress(x float64) float64 {
	if x >= c.Length {
		return 1
	}
	return (x - c.Warmup) / (c.Length - c.Warmup)
}

// power is b to the n. Unlike math.Pow it is one sequence of products, each rounded once, with the same bits on every
// processor.
func power(b float64, n int64) float64 {
	r := 1.0
	for ; n > 0; n >>= 1 {
		if n&1 != 0 {
			r *= b
		}
		b *= b
	}
	return r
}
