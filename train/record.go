package train

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"
)

// A Record describes one step.
type Record struct {
	Step     int     // steps done, this one included
	Steps    int     // steps of the whole run
	Epoch    float64 // epochs done, as a fraction
	Loss     float64 // mean over the samples of the step
	LR       float64 // before the scales of groups
	GradNorm float64 // of the mean gradient, before clipping

	// Samples is the number of samples in the step, and SamplesPerSecond its speed, making the batches included. Both are 0
	// when Loss does not set [Batch.Samples].
	Samples          int
	SamplesPerSecond float64
}

// Finite reports whether both the loss and the norm of the gradient are finite.
func (r *Record) Finite() bool { return finite(r.Loss) && finite(r.GradNorm) }

// AppendJSON appends the record as one JSON object without a line break. Numbers are printed in full. NaN and infinities
// are null.
func (r *Record) AppendJSON(b []byte) []byte {
	b = strconv.AppendInt(append(b, `{"step":`...), int64(r.Step), 10)
	b = appendNumber(append(b, `,"epoch":`...), r.Epoch)
	b = appendNumber(append(b, `,"loss":`...), r.Loss)
	b = appendNumber(append(b, `,"lr":`...), r.LR)
	b = appendNumber(append(b, `,"grad_norm":`...), r.GradNorm)
	if r.SamplesPerSecond > 0 {
		b = appendNumber(append(b, `,"samples_per_second":`...), math.Round(r.SamplesPerSecond*100)/100)
	}
	return append(b, '}')
}

// MarshalJSON is AppendJSON for package json.
func (r Record) MarshalJSON() ([]byte, error) { return r.AppendJSON(nil), nil }

// UnmarshalJSON reads a line that AppendJSON made, for a history in [Config.Extra]. Steps and Samples, which it does not
// hold, stay 0, and null is NaN.
func (r *Record) UnmarshalJSON(b []byte) error {
	var v struct {
		Step             int    `json:"step"`
		Epoch            number `json:"epoch"`
		Loss             number `json:"loss"`
		LR               number `json:"lr"`
		GradNorm         number `json:"grad_norm"`
		SamplesPerSecond number `json:"samples_per_second"`
	}
	if err := json.Unmarshal(b, &v); err != nil {
		return err
	}
	*r = Record{Step: v.Step, Epoch: float64(v.Epoch), Loss: float64(v.Loss), LR: float64(v.LR), GradNorm: float64(v.GradNorm),
		SamplesPerSecond: float64(v.SamplesPerSecond)}
	return nil
}

// epochJSON is an Epoch with numbers that have a JSON when they are not finite.
type epochJSON struct {
	Number int    `json:"number"`
	Loss   number `json:"loss"`
	Score  number `json:"score"`
	Best   bool   `json:"best"`
}

// MarshalJSON returns an object with the fields in lower case. NaN is null.
func (e Epoch) MarshalJSON() ([]byte, error) {
	return json.Marshal(epochJSON{e.Number, number(e.Loss), number(e.Score), e.Best})
}

// UnmarshalJSON reads what MarshalJSON made.
func (e *Epoch) UnmarshalJSON(b []byte) error {
	var v epochJSON
	if err := json.Unmarshal(b, &v); err != nil {
		return err
	}
	*e = Epoch{v.Number, float64(v.Loss), float64(v.Score), v.Best}
	return nil
}

func appendNumber(b []byte, x float64) []byte {
	if !finite(x) {
		return append(b, "null"...)
	}
	return strconv.AppendFloat(b, x, 'g', -1, 64)
}

func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }

// number is a float64 whose JSON is null when it is NaN, and text when it is infinite: a score may be.
type number float64

func (n number) MarshalJSON() ([]byte, error) {
	if x := float64(n); math.IsInf(x, 0) {
		return strconv.AppendQuote(nil, strconv.FormatFloat(x, 'g', -1, 64)), nil
	}
	return appendNumber(nil, float64(n)), nil
}

func (n *number) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		*n = number(math.NaN())
		return nil
	}
	x, err := strconv.ParseFloat(strings.Trim(string(b), `"`), 64)
	*n = number(x)
	return err
}
