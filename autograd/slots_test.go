package autograd

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/fovea-ml/fovea/simd"
)

// Every task runs once, and no two at once in one slot.
func TestEachSlot(t *testing.T) {
	tape := NewTape(Options{Workers: simd.NewWorkers(2)})
	for _, n := range []int{0, 1, 2, 50} {
		slots := tape.slots(n, grain)
		if slots > max(1, min(2, n)) {
			t.Fatalf("%d slots for %d tasks of two workers", slots, n)
		}
		busy := make([]atomic.Bool, slots)
		runs := make([]atomic.Int32, n)
		tape.eachSlot(slots, n, func(slot, i int) {
			if !busy[slot].CompareAndSwap(false, true) {
				t.Errorf("task %d found slot %d in use", i, slot)
			}
			runs[i].Add(1)
			time.Sleep(50 * time.Microsecond) // lets the other worker in
			busy[slot].Store(false)
		})
		for i := range runs {
			if runs[i].Load() != 1 {
				t.Errorf("task %d ran %d times", i, runs[i].Load())
			}
		}
	}
	if slots := tape.slots(3, 10); slots != 1 {
		t.Errorf("%d slots for next to no work", slots)
	}
}

func TestEachRange(t *testing.T) {
	for _, w := range []*simd.Workers{nil, simd.NewWorkers(2)} {
		tape := NewTape(Options{Workers: w})
		for _, n := range []int{0, 1, 1000, 1025} {
			runs := make([]atomic.Int32, n)
			tape.eachRange(n, 16, 3, func(s []float32, lo, hi int) {
				if len(s) != 3 || hi-lo > grain/16 {
					t.Errorf("rows %d to %d with %d elements of scratch", lo, hi, len(s))
				}
				for i := lo; i < hi; i++ {
					runs[i].Add(1)
				}
			})
			for i := range runs {
				if runs[i].Load() != 1 {
					t.Errorf("row %d ran %d times", i, runs[i].Load())
				}
			}
		}
		if n := tape.Lent(); n != 0 {
			t.Errorf("%d scratch buffers leaked", n)
		}
	}
}
