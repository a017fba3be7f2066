package main

import (
	"context"
	"math"

	"github.com/fovea-ml/fovea/checkpoint"
	"github.com/fovea-ml/fovea/examples/internal/console"
)

// stats are statistics of the values of one or several tensors. Minimum, maximum and mean are NaN without a finite
// value.
type stats struct {
	Min      console.Double `json:"min"`
	Max      console.Double `json:"max"`
	Mean     console.Double `json:"mean"`
	NaN      int            `json:"nan"`
	Infinite int            `json:"infinite"`

	finite int
	sum    float64
	part   float64 // the sum times tiny, which cannot overflow
}

// tiny is a power of two. Even 2^64 values of the size of the largest float64 have a finite sum when each is multiplied by it.
const tiny = 0x1p-64

func newStats() *stats {
	nan := console.Double(math.NaN())
	return &stats{Min: nan, Max: nan, Mean: nan}
}

func (s *stats) add(v float64) {
	switch {
	case v != v:
		s.NaN++
		return
	case math.IsInf(v, 0):
		s.Infinite++
		return
	}
	f := console.Double(v)
	if !(s.Min <= f) {
		s.Min = f
	}
	if !(s.Max >= f) {
		s.Max = f
	}
	s.finite++
	s.sum += v
	s.part += v * tiny
}

// end computes the mean. It has the precision of float32, as the values of most files have.
func (s *stats) end() *stats {
	if s.finite == 0 {
		return s
	}
	mean := s.sum / float64(s.finite)
	if math.IsInf(s.sum, 0) {
		mean = s.part / float64(s.finite) / tiny
	}
	if rounded := float64(float32(mean)); !math.IsInf(rounded, 0) && (rounded != 0 || mean == 0) {
		mean = rounded
	}
	s.Mean = console.Double(mean)
	return s
}

// merged returns the statistics of all values together, or nil if the statistics of a tensor are missing.
func merged(list []*stats) *stats {
	m := newStats()
	for _, s := range list {
		if s == nil {
			return nil
		}
		if !(m.Min <= s.Min) && s.finite > 0 {
			m.Min = s.Min
		}
		if !(m.Max >= s.Max) && s.finite > 0 {
			m.Max = s.Max
		}
		m.NaN += s.NaN
		m.Infinite += s.Infinite
		m.finite += s.finite
		m.sum += s.sum
		m.part += s.part
	}
	return m.end()
}

// piece is the number of elements read at once.
const piece = 1 << 18

// readStats reads all tensors of a file and returns their statistics by name. Complex tensors, and tensors with an
// integer beyond int64, have no statistics.
func readStats(ctx context.Context, c *console.Console, f *checkpoint.File) (map[string]*stats, error) {
	total := int64(0)
	for t := range f.Tensors() {
		total += int64(t.Len() * t.DType.Size())
	}
	show := c.Phase("reading", console.Bytes, total)
	defer show.End()
	all := map[string]*stats{}
	done := int64(0)
	floats, ints := make([]float64, piece), make([]int64, piece)
	for t := range f.Tensors() {
		if !t.DType.IsFloat() && !t.DType.IsInt() {
			continue
		}
		s := newStats()
		for at := 0; at < t.Len() && s != nil; at += piece {
			if err := context.Cause(ctx); err != nil {
				return nil, err
			}
			n := min(piece, t.Len()-at)
			if t.DType.IsFloat() {
				if err := t.Float64sAt(floats[:n], at); err != nil {
					return nil, err
				}
				for _, v := range floats[:n] {
					s.add(v)
				}
			} else if t.IntsAt(ints[:n], at) == nil {
				for _, v := range ints[:n] {
					s.add(float64(v))
				}
			} else {
				s = nil
			}
			done += int64(n * t.DType.Size())
			show.At(done)
		}
		if s != nil {
			all[t.Name] = s.end()
		}
	}
	return all, nil
}
