package autograd

import "sync/atomic"

// slots returns how many of n tasks may run at once. Each gets scratch memory of its own, which is lent before
// they start. cost is the price of one task, as in each.
func (t *Tape) slots(n, cost int) int {
	return max(1, min(t.workers.Limit(), n, 1+n*cost/grain))
}

// eachSlot runs f for the tasks 0 to n-1. Two tasks that run at once have different slots, numbers below slots.
// Which slot a task gets is left to chance: results must not depend on it.
func (t *Tape) eachSlot(slots, n int, f func(slot, i int)) {
	if slots <= 1 || n <= 1 {
		for i := range n {
			f(0, i)
		}
		return
	}
	var next atomic.Int64
	t.workers.For(slots, func(slot int) {
		for {
			i := int(next.Add(1)) - 1
			if i >= n {
				return
			}
			f(slot, i)
		}
	})
}

// ranges divides n rows, each at the given cost, into ranges that are worth a task: it returns how many
// and the rows of each. They depend on n and cost alone.
func ranges(n, cost int) (tasks, step int) {
	step = max(1, grain/max(1, cost))
	return (n + step - 1) / step, step
}

// eachRange runs f over [0, n) in ranges like each, with n·cost divided among slots that each own size
// elements of scratch.
func (t *Tape) eachRange(n, cost, size int, f func(scratch []float32, lo, hi int)) {
	tasks, step := ranges(n, cost)
	if tasks == 0 {
		return
	}
	slots := t.slots(tasks, step*cost)
	buf := t.scratch(slots * size)
	t.eachSlot(slots, tasks, func(slot, i int) {
		f(buf[slot*size:][:size:size], i*step, min(n, (i+1)*step))
	})
	t.recycle(buf)
}
