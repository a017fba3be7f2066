// Package growth finds memory that grows with the number of calls:
//
//	growth.Check(t, 10000, func(i int) {
//		model.Embed(ctx, texts[i%len(texts)])
//	})
package growth

import (
	"runtime"
	"testing"

	"github.com/fovea-ml/fovea/internal/peak"
)

// Check calls f with 0 to n-1. It fails the test when the memory in use grows from the first half of the calls to the
// second: by more than a quarter and 2 MB. It looks eight times, after a garbage collection. On Linux it also bounds the
// resident memory.
func Check(t testing.TB, n int, f func(i int)) {
	t.Helper()
	const looks = 8
	var live, resident [2]int64 // the most of each half
	for i := range looks {
		for k := i * n / looks; k < (i+1)*n/looks; k++ {
			f(k)
		}
		var s runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&s)
		half := 2 * i / looks
		live[half] = max(live[half], int64(s.HeapAlloc))
		resident[half] = max(resident[half], peak.Resident())
	}
	if live[1] > live[0]*5/4+2<<20 {
		t.Errorf("%d calls: %d bytes are in use after the first half, %d at the end", n, live[0], live[1])
	}
	if resident[1] > resident[0]*5/4+32<<20 { // it includes garbage
		t.Errorf("%d calls: %d bytes are resident after the first half, %d at the end", n, resident[0], resident[1])
	}
}
