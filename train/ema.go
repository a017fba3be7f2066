package train

import (
	"fmt"
	"iter"
	"math"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/checkpoint"
	"github.com/fovea-ml/fovea/simd"
)

// EMAOptions are the settings of an [EMA]. The zero value is timm's default.
type EMAOptions struct {
	// Decay is the share of the old average in the new one; nil means 0.9999. The average takes about 1/(1-Decay) updates to
	// leave the initial weights: a short run needs less, or Warmup.
	Decay *float64

	// Warmup lets the decay grow as 1 - (1 + s/WarmupGamma)^-WarmupPower, between MinDecay and Decay. In update n,
	// counted from 1, s is n - After - 1. A nil WarmupGamma means 1, a nil WarmupPower 2/3.
	Warmup      bool
	WarmupGamma *float64
	WarmupPower *float64
	MinDecay    float64

	// After is the number of first updates that only copy. With Warmup or After, the next update copies too.
	After int
}

// EMA is an exponential moving average of a model's parameters and buffers. It computes what timm's ModelEmaV2 does or,
// with Warmup or After, ModelEmaV3 with its step given:
//
//	average ← average + (1 - decay)·(value - average)
//
// The average is kept beside the model; [EMA.Swap] exchanges the two, to evaluate or to save.
type EMA struct {
	o       EMAOptions
	decay   float64
	gamma   float64
	power   float64
	updates int64
	swapped bool
	entries []averaged
}

type averaged struct {
	path   string
	value  versioned
	kept   *autograd.Buffer
	values []float32 // of kept
	began  [2]uint64 // the versions of value and kept at first
	same   bool      // neither had been written at the last Swap
}

// versioned is a parameter or a buffer.
type versioned interface {
	checkpoint.Value
	Version() uint64
}

// unchanged reports whether neither the model nor a resumed run wrote what NewEMA copied: a frozen parameter, for example.
func (a *averaged) unchanged() bool { return a.versions() == a.began }

func (a *averaged) versions() [2]uint64 {
	return [2]uint64{a.value.Version(), a.kept.Version()}
}

// NewEMA returns an average that starts at the values of the parameters and buffers, given as (path, value). Either may
// be nil. A buffer may have the path of a parameter.
func NewEMA(params iter.Seq2[string, *autograd.Parameter], buffers iter.Seq2[string, *autograd.Buffer], o EMAOptions) *EMA {
	e := &EMA{o: o, decay: orElse(o.Decay, 0.9999), gamma: orElse(o.WarmupGamma, 1), power: orElse(o.WarmupPower, 2.0/3)}
	if params != nil {
		for path, p := range params {
			e.add("parameters/"+path, p)
		}
	}
	if buffers != nil {
		for path, b := range buffers {
			e.add("buffers/"+path, b)
		}
	}
	return e
}

// Err returns the first mistake in the settings, or nil. [Run] returns it before the first step.
func (e *EMA) Err() error {
	for _, share := range []struct {
		name  string
		value float64
	}{{"Decay", e.decay}, {"MinDecay", e.o.MinDecay}} {
		if !(share.value >= 0 && share.value <= 1) {
			return fmt.Errorf("train: EMA: %s: expected 0 to 1, found %v", share.name, share.value)
		}
	}
	switch {
	case e.o.MinDecay > e.decay:
		return fmt.Errorf("train: EMA: MinDecay: expected at most Decay, %v, found %v", e.decay, e.o.MinDecay)
	case !(e.gamma > 0 && finite(e.gamma)):
		return fmt.Errorf("train: EMA: WarmupGamma: expected a number above 0, found %v", e.gamma)
	case !(e.power >= 0 && finite(e.power)):
		return fmt.Errorf("train: EMA: WarmupPower: expected 0 or more, found %v", e.power)
	case e.o.After < 0:
		return fmt.Errorf("train: EMA: After: expected 0 or more, found %d", e.o.After)
	}
	return nil
}

func (e *EMA) add(path string, v versioned) {
	a := averaged{path: path, value: v, kept: autograd.NewBuffer(0, v.Shape()...)}
	a.kept.Update(func(kept []float32) {
		copy(kept, v.Values())
		a.values = kept
	})
	a.began = a.versions()
	e.entries = append(e.entries, a)
}

// Decay returns the decay of update number n, counted from 1.
func (e *EMA) Decay(n int64) float64 {
	if !e.o.Warmup && e.o.After == 0 {
		return e.decay
	}
	s := n - int64(e.o.After) - 1
	if s <= 0 {
		return 0
	}
	if !e.o.Warmup {
		return e.decay
	}
	d := 1 - math.Pow(1+float64(s)/e.gamma, -e.power)
	return max(min(d, e.decay), e.o.MinDecay)
}

// Update moves the average towards the present values. It panics while model and average are swapped.
func (e *EMA) Update(w *simd.Workers) {
	if e.swapped {
		panic("train: EMA.Update: the model holds the average; swap back first")
	}
	e.updates++
	weight := 1 - e.Decay(e.updates)
	for i := range e.entries {
		a := &e.entries[i]
		if a.unchanged() {
			continue
		}
		avg, now := a.values, a.value.Values()
		chunks(w, len(avg), func(lo, hi int) { lerp(avg[lo:hi], now[lo:hi], float32(weight), float32(1-weight)) })
	}
}

// lerp moves a towards b by weight, computed from the nearer end, as in PyTorch. The product is rounded before it is
// added, so that every processor finds the same bits.
func lerp(a, b []float32, weight, rest float32) {
	if weight < 0.5 {
		for i, y := range b {
			a[i] += float32(weight * (y - a[i]))
		}
		return
	}
	for i, y := range b {
		a[i] = y - float32(rest*(y-a[i]))
	}
}

// Swap exchanges the values of the model and the average. A second call undoes the first. What was not written since NewEMA is
// not written now: frozen weights in half precision or of integers keep their type.
func (e *EMA) Swap() {
	for i := range e.entries {
		a := &e.entries[i]
		if !e.swapped {
			a.same = a.unchanged()
		}
		if a.same {
			continue
		}
		a.value.Update(func(v []float32) {
			for j, x := range v {
				v[j], a.values[j] = a.values[j], x
			}
		})
	}
	e.swapped = !e.swapped
}

// Swapped reports whether the model holds the average now.
func (e *EMA) Swapped() bool { return e.swapped }

// Memory yields the average under "parameters/" or "buffers/" and the path.
func (e *EMA) Memory() iter.Seq2[string, *autograd.Buffer] {
	return func(yield func(string, *autograd.Buffer) bool) {
		for i := range e.entries {
			if !yield(e.entries[i].path, e.entries[i].kept) {
				return
			}
		}
	}
}

// Describe returns the settings, for a resumed run to compare.
func (e *EMA) Describe() string {
	if !e.o.Warmup && e.o.After == 0 {
		return fmt.Sprintf("decay %v", e.decay)
	}
	return fmt.Sprintf("decay %v, warm-up %v, gamma %v, power %v, at least %v, after %v",
		e.decay, e.o.Warmup, e.gamma, e.power, e.o.MinDecay, e.o.After)
}
