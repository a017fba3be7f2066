package train

import (
	"fmt"
	"hash/crc32"
	"math"
)

// A span describes the learning rates of some steps of a run: a function cannot be stored, but its values can be
// compared.
type span struct {
	First int    `json:"first"` // step; the span ends where the next begins
	LR    number `json:"lr"`    // of the first step
	Sum   string `json:"sum"`   // CRC-32C of all rates, rounded to float32: cosines may differ in the last bit between processors
}

// scheduleSpans is the number of spans of a long run. It decides how closely a difference can be located.
const scheduleSpans = 32

// spans describes the schedule of the run.
func (r *run) spans() []span {
	n := min(scheduleSpans, r.steps())
	s := make([]span, n)
	for i := range s {
		s[i] = r.span(i*r.steps()/n, (i+1)*r.steps()/n)
	}
	return s
}

// span describes the learning rates of steps first to end-1.
func (r *run) span(first, end int) span {
	h := crc32.New(crc32.MakeTable(crc32.Castagnoli))
	var b [4]byte
	for step := first; step < end; step++ {
		x := math.Float32bits(float32(r.rate(step)))
		b = [4]byte{byte(x), byte(x >> 8), byte(x >> 16), byte(x >> 24)}
		h.Write(b[:])
	}
	return span{first, number(r.rate(first)), fmt.Sprintf("%08x", h.Sum32())}
}

// compareSchedule returns the first difference between the file's schedule and that of this run, in the spans that lie in
// both runs.
func (r *run) compareSchedule(h *header) (d Difference, differ bool) {
	next := 0
	for i, was := range h.Schedule {
		end := h.Steps
		if i+1 < len(h.Schedule) {
			end = h.Schedule[i+1].First
		}
		if was.First != next || end > r.steps() || was.First >= end {
			break
		}
		next = end
		is := r.span(was.First, end)
		switch {
		case is.Sum == was.Sum:
		case float32(is.LR) != float32(was.LR):
			at := fmt.Sprintf(" at step %d", was.First)
			return Difference{scheduleSetting, fmt.Sprint("learning rate ", float64(was.LR), at), fmt.Sprint(float64(is.LR))}, true
		default:
			return Difference{scheduleSetting, fmt.Sprintf("other learning rates from one of the steps %d to %d on", was.First, end-1), "those of this Schedule"}, true
		}
	}
	return Difference{}, false
}

const scheduleSetting = "schedule"
