package train

import (
	"fmt"
	"math"
)

// A Schedule is the learning rate as a function of the position in a run. It is a pure function, so that a resumed run
// needs only its position. [Curve] makes the usual schedules, and [Func] turns any function into one.
type Schedule interface {
	// Rate returns the learning rate at position x, in epochs. Before step s, counted from 0, x is s/n where n is the
	// number of steps in an epoch.
	Rate(x float64) float64
}

// Func is a function as a [Schedule].
type Func func(x float64) float64

// Rate calls the function.
func (f Func) Rate(x float64) float64 { return f(x) }

// Curve holds the numbers that the usual schedules share. Positions and lengths are in epochs or, with [PerStep], in
// steps.
type Curve struct {
	Peak   float64 // the learning rate where warm-up ends
	Min    float64 // the lowest learning rate after warm-up
	Start  float64 // the learning rate at position 0 when there is a warm-up
	Warmup float64 // length of the warm-up, 0 for none
	Length float64 // length of the run, including warm-up; Cosine and Linear need it

	// Beneath lets the fall from Peak begin at position 0, beneath the warm-up, which then ends in a jump down. timm's
	// schedulers do so (without warmup_prefix, timm/scheduler/cosine_lr.py).
	Beneath bool
}

// Constant stays at Peak after the warm-up.
func (c Curve) Constant() Schedule {
	return shape{c, "", 0, func(float64) float64 { return c.Peak }}
}

// Cosine falls from Peak to Min along half a cosine wave, and stays there (Loshchilov and Hutter, arXiv 1608.03983,
// without restarts). With Start 0 it is the schedule of MAE:
//
//	x < Warmup: Peak·x/Warmup
//	otherwise:  Min + (Peak - Min)·(1 + cos(π·(x - Warmup)/(Length - Warmup)))/2
func (c Curve) Cosine() Schedule {
	return shape{c, "Length", c.Length, func(x float64) float64 {
		half := 0.5 * (1 + math.Cos(math.Pi*c.progress(x)))
		return c.Min + float64((c.Peak-c.Min)*half)
	}}
}

// Linear falls from Peak to Min along a line, and stays there. With Min 0 it is the schedule of BERT.
func (c Curve) Linear() Schedule {
	return shape{c, "Length", c.Length, func(x float64) float64 {
		return c.Min + float64((c.Peak-c.Min)*(1-c.progress(x)))
	}}
}

// Steps multiplies Peak by factor once in every period, counted from position 0: Peak·factor^⌊x/period⌋, as PyTorch's
// StepLR. It never goes below Min.
func (c Curve) Steps(period, factor float64) Schedule {
	return shape{c, "period", period, func(x float64) float64 {
		return max(c.Min, c.Peak*power(factor, int64(x/period)))
	}}
}

// PerStep turns s, a schedule in optimizer steps, into one in epochs of stepsPerEpoch steps. The lengths in s are steps: those
// of the whole run are epochs · stepsPerEpoch.
func PerStep(s Schedule, stepsPerEpoch int) Schedule { return perStep{s, stepsPerEpoch} }

type perStep struct {
	Schedule
	steps int
}

// Rate returns the learning rate of the step at position x, in epochs.
func (p perStep) Rate(x float64) float64 { return p.Schedule.Rate(math.Round(x * float64(p.steps))) }

func (p perStep) check(epochs float64, stepsPerEpoch int) error {
	if p.steps != stepsPerEpoch {
		return fmt.Errorf("PerStep: expected %d steps in an epoch, as in the run, found %d", stepsPerEpoch, p.steps)
	}
	if s, ok := p.Schedule.(checked); ok {
		return s.check(epochs*float64(p.steps), 1)
	}
	return nil
}

// checked is a Schedule that knows whether its numbers fit a run of the given length.
type checked interface {
	check(length float64, stepsPerEpoch int) error
}

// shape is a schedule of a Curve: a warm-up, then another function.
type shape struct {
	Curve
	name  string  // of fall, for errors; "" where the rate does not fall
	fall  float64 // the length within which the rate falls
	after func(x float64) float64
}

// Rate returns the learning rate at position x.
func (s shape) Rate(x float64) float64 {
	if x < s.Warmup {
		return s.Start + float64((s.Peak-s.Start)*(x/s.Warmup))
	}
	return s.after(x)
}

func (s shape) check(length float64, _ int) error {
	for _, n := range []struct {
		name  string
		value float64
	}{{"Peak", s.Peak}, {"Min", s.Min}, {"Start", s.Start}, {"Warmup", s.Warmup}, {"Length", s.Length}} {
		if !finite(n.value) || n.value < 0 {
			return fmt.Errorf("Curve: %s: expected 0 or more, found %v", n.name, n.value)
		}
	}
	switch {
	case s.name != "" && !(s.fall > 0 && finite(s.fall)):
		return fmt.Errorf("Curve: %s: expected a length above 0, found %v", s.name, s.fall)
	case s.name != "" && s.fall > length*(1+1e-9):
		return fmt.Errorf("Curve: %s: %v is longer than the run, %v; a Curve in steps needs PerStep", s.name, s.fall, length)
	case s.Min > s.Peak:
		return fmt.Errorf("Curve: Min: expected at most Peak, %v, found %v", s.Peak, s.Min)
	case s.Warmup > length:
		return fmt.Errorf("Curve: Warmup: %v is longer than the run, %v; a Curve in steps needs PerStep", s.Warmup, length)
	case s.name == "Length" && s.Warmup > s.Length:
		return fmt.Errorf("Curve: Warmup: %v is longer than Length, %v", s.Warmup, s.Length)
	}
	return nil
}

// progress is the fraction of the way from the begin of the fall to the end of the run.
func (c Curve) progress(x float64) float64 {
	from := c.Warmup
	if c.Beneath {
		from = 0
	}
	if x >= c.Length {
		return 1
	}
	return (x - from) / (c.Length - from)
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
