package train

import "math"

// A Schedule gives the learning rate at position x of a run. The loop counts x in epochs, as a fraction: at
// step s of n steps an epoch, x = s/n. A schedule is a pure function, so that a resumed run needs nothing
// but its position.
type Schedule func(x float64) float64

// Curve holds the numbers that the usual schedules share. Positions and lengths are in one unit: epochs,
// or steps with [PerStep].
type Curve struct {
	Peak   float64 // the learning rate where warm-up ends
	Min    float64 // the least learning rate after warm-up
	Start  float64 // the learning rate at position 0 when there is a warm-up
	Warmup float64 // length of the warm-up, 0 for none
	Length float64 // length of the run, the warm-up included
}

// Constant stays at Peak after the warm-up.
func (c Curve) Constant() Schedule {
	return c.after(func(float64) float64 { return c.Peak })
}

// Cosine falls from Peak to Min along half a wave, and stays there (Loshchilov and Hutter, arXiv
// 1608.03983, without restarts). With Start 0 it is the schedule of MAE, stepped by the fraction of an
// epoch:
//
//	x < Warmup: Peak·x/Warmup
//	otherwise:  Min + (Peak - Min)·(1 + cos(π·(x - Warmup)/(Length - Warmup)))/2
func (c Curve) Cosine() Schedule {
	return c.after(func(x float64) float64 {
		half := 0.5 * (1 + math.Cos(math.Pi*c.progress(x)))
		return c.Min + float64((c.Peak-c.Min)*half)
	})
}

// Linear falls from Peak to Min along a line, and stays there: with Min 0 the schedule of BERT.
func (c Curve) Linear() Schedule {
	return c.after(func(x float64) float64 {
		return c.Min + float64((c.Peak-c.Min)*(1-c.progress(x)))
	})
}

// Steps multiplies Peak by factor once in every period, counted from position 0, and never goes below
// Min: Peak·factor^⌊x/period⌋, as PyTorch's StepLR.
func (c Curve) Steps(period, factor float64) Schedule {
	return c.after(func(x float64) float64 {
		return max(c.Min, c.Peak*power(factor, int64(x/period)))
	})
}

// PerStep is for a schedule whose unit is the optimizer step, of which an epoch has stepsPerEpoch: it
// turns a position in epochs into one in steps.
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

// progress is the part of the way from the end of warm-up to the end of the run.
func (c Curve) progress(x float64) float64 {
	if x >= c.Length {
		return 1
	}
	return (x - c.Warmup) / (c.Length - c.Warmup)
}

// power is b to the n. Unlike math.Pow it is one sequence of products, each rounded once, and so has the
// same bits on every processor.
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
