package train

import (
	"runtime"
	"testing"
)

// TestGarbage expects a collection once the limit is passed, and none before.
func TestGarbage(t *testing.T) {
	var g garbage
	g.collect() // whatever the process did before
	cycles := func() uint32 {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.NumForcedGC
	}
	before := cycles()
	keep := make([]byte, garbageLimit/2)
	g.collect()
	if n := cycles(); n != before {
		t.Errorf("%d collections below the limit", n-before)
	}
	keep = append(keep, make([]byte, garbageLimit)...)
	g.collect()
	if n := cycles(); n != before+1 {
		t.Errorf("%d collections beyond the limit, expected 1", n-before)
	}
	runtime.KeepAlive(keep)
}
