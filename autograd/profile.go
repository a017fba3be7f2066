package autograd

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Profile counts time and work by operation, over any number of passes. Several tapes may use it, one at a time. On a tape
// whose Options ask for another arithmetic than simd.Strict, the name of an operation with products ends with the one that
// they had in the forward step, as in "linear bf16" or "conv2d strict".
type Profile struct {
	entries map[string]*profileEntry
}

type profileEntry struct {
	name  string
	calls int
	time  time.Duration
	bytes int
	flops int
}

func (p *Profile) add(name string, d time.Duration, bytes, flops int) {
	if p.entries == nil {
		p.entries = map[string]*profileEntry{}
	}
	e := p.entries[name]
	if e == nil {
		e = &profileEntry{name: name}
		p.entries[name] = e
	}
	e.calls++
	e.time += d
	e.bytes += bytes
	e.flops += flops
}

// Reset sets all counts to zero.
func (p *Profile) Reset() { clear(p.entries) }

// String prints a table, the slowest operation first. Its columns are the share of the time, the time, the
// number of calls, the bytes of the results, and the rate where the operation counts floating-point operations.
func (p *Profile) String() string {
	es := make([]*profileEntry, 0, len(p.entries))
	var total time.Duration
	for _, e := range p.entries {
		es = append(es, e)
		total += e.time
	}
	slices.SortFunc(es, func(a, b *profileEntry) int {
		return cmp.Or(cmp.Compare(b.time, a.time), strings.Compare(a.name, b.name))
	})
	var b strings.Builder
	fmt.Fprintf(&b, "%-28s %6s %12s %8s %12s %10s\n", "operation", "share", "time", "calls", "MB out", "GFLOP/s")
	for _, e := range es {
		rate := ""
		if e.flops > 0 && e.time > 0 {
			rate = fmt.Sprintf("%.1f", float64(e.flops)/float64(e.time.Nanoseconds()))
		}
		fmt.Fprintf(&b, "%-28s %5.1f%% %12s %8d %12.2f %10s\n", e.name, 100*float64(e.time)/float64(max(total, 1)),
			e.time.Round(time.Microsecond), e.calls, float64(e.bytes)/1e6, rate)
	}
	return b.String()
}
