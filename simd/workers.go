package simd

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// Workers bounds the cores that a computation may use. It is a value that callers pass down: nil is serial,
// and any number of goroutines may share one *Workers. The goroutines behind it are one set for the process,
// started when first needed and parked when idle. So a Workers costs nothing to make and needs no Close.
type Workers struct {
	limit   int          // with the caller; 0 follows GOMAXPROCS
	helping atomic.Int32 // helpers at work for this value now, over all its calls
}

// NewWorkers returns a value that lets a computation use up to limit cores, the caller's own included.
// A limit of 0 or less follows GOMAXPROCS; a limit above 65536 counts as 65536.
func NewWorkers(limit int) *Workers {
	const most = 1 << 16 // so that products with it cannot overflow
	return &Workers{limit: min(max(limit, 0), most)}
}

// Limit returns how many cores a computation may use: at least 1, and 1 for nil.
func (w *Workers) Limit() int {
	switch {
	case w == nil || serialOnly:
		return 1
	case w.limit == 0:
		return runtime.GOMAXPROCS(0)
	}
	return w.limit
}

// For calls f(0) to f(n-1), each once, in no particular order, and returns when all have returned.
//
// Indices are claimed one at a time from a counter. The caller works too. It waits only for helpers in the
// middle of an index, never for a helper that has not begun, so a call inside f cannot deadlock. One Workers has
// at most its limit minus one helpers, nested calls included. No helper joins where callers and helpers are already as
// many as the cores (GOMAXPROCS, or the processors if they are fewer): it would take the core of another caller. A call
// inside f counts its caller again, and so gets fewer helpers. When f panics, the indices not yet claimed are dropped, and
// the first panic value is raised again on the caller.
func (w *Workers) For(n int, f func(i int)) {
	if n <= 0 {
		return
	}
	if n == 1 || w.Limit() == 1 {
		for i := range n {
			f(i)
		}
		return
	}
	j := jobs.get()
	j.run(w, n, f)
}

// A job is one For: a counter that the caller and its helpers claim indices from.
type job struct {
	f    func(int)
	n    int64
	next atomic.Int64
	w    *Workers

	helpers atomic.Int32  // helpers inside; the caller waits for 0 after closing the job
	waiting atomic.Bool   // the caller is parked on idle
	idle    chan struct{} // the last helper leaves a token when the caller is parked

	open     bool // guarded by pool.mu: helpers may still join
	mu       sync.Mutex
	panicked bool
	value    any
}

// run does the work of For on a job taken from the free list, and gives the job back.
func (j *job) run(w *Workers, n int, f func(int)) {
	j.f, j.n, j.w = f, int64(n), w
	j.next.Store(0)
	pool.callers.Add(1)
	pool.publish(j, min(w.Limit(), n)-1)
	done := false
	defer func() {
		if !done { // f panicked, or ended the goroutine, on the caller
			j.next.Store(j.n)
			pool.callers.Add(-1)
			j.finish()
		}
	}()
	j.claim()
	done = true
	pool.callers.Add(-1)
	panicked, value := j.finish()
	if panicked {
		panic(value)
	}
}

// claim runs indices until none is left.
func (j *job) claim() {
	for {
		i := j.next.Add(1) - 1
		if i >= j.n {
			return
		}
		j.f(int(i))
	}
}

// finish closes the job to helpers, waits for those inside, and recycles it.
func (j *job) finish() (panicked bool, value any) {
	pool.withdraw(j)
	start := time.Now()
	for i := 1; j.helpers.Load() != 0; i++ {
		if i%128 != 0 {
			continue
		}
		runtime.Gosched()
		if time.Since(start) < spinFor {
			continue
		}
		j.waiting.Store(true)
		if j.helpers.Load() == 0 && j.waiting.CompareAndSwap(true, false) {
			break
		}
		<-j.idle
	}
	panicked, value = j.panicked, j.value
	jobs.put(j)
	return panicked, value
}

// help does a helper's share of a job that it has joined.
func (j *job) help() {
	done := false
	defer func() {
		if !done {
			v := recover()
			if v == nil {
				v = "simd: a task of Workers.For called runtime.Goexit"
			}
			j.mu.Lock()
			if !j.panicked {
				j.panicked, j.value = true, v
			}
			j.mu.Unlock()
			j.next.Store(j.n)
		}
		j.w.helping.Add(-1)
		pool.working.Add(-1)
		if j.helpers.Add(-1) == 0 && j.waiting.CompareAndSwap(true, false) {
			j.idle <- struct{}{}
		}
	}()
	j.claim()
	done = true
}

var jobs = freeList[job]{
	most: 64,
	make: func() *job { return &job{idle: make(chan struct{}, 1)} },
	wipe: func(j *job) { j.f, j.w, j.panicked, j.value = nil, nil, false, nil },
}

// spinFor is the time for which an idle helper watches for work before it parks, and a caller for its helpers. Both let
// other goroutines run meanwhile. Waking a parked goroutine takes about 5 µs, or 60 where the scheduler of Go steals it
// from the one that woke it. Where a core of a virtual machine goes idle, it may lose its place on the host as well: on
// such a machine, 50 products of 1 ms after a pause took 64 ms with 30 µs, and 58 with 300 µs (medians; 53 alone).
// ONNX Runtime spins for 40 ms, PyTorch for 10.
const spinFor = 300 * time.Microsecond

// helperPool is the process-wide set of helpers and the jobs open to them.
type helperPool struct {
	epoch    atomic.Uint32 // counts publications, for helpers that spin
	cores    atomic.Int32  // that there were at the last publication
	callers  atomic.Int32  // goroutines that claim indices of a job of their own, nested ones counted again
	working  atomic.Int32  // helpers inside a job
	spinning atomic.Int32

	mu      sync.Mutex
	jobs    []*job
	wake    sync.Cond // helpers park here
	started int
	parked  int
}

var pool = func() *helperPool {
	p := &helperPool{}
	p.wake.L = &p.mu
	return p
}()

// publish opens j to up to helpers helpers, starting or waking them as needed.
func (p *helperPool) publish(j *job, helpers int) {
	cores := cores()
	p.cores.Store(int32(cores))
	most := cores - 1
	helpers = min(helpers, most)
	if helpers <= 0 {
		return
	}
	p.mu.Lock()
	j.open = true
	p.jobs = append(p.jobs, j)
	p.epoch.Add(1)
	helpers = min(helpers, p.idleCores()) - int(p.spinning.Load())
	for ; helpers > 0 && p.parked > 0; helpers-- {
		p.parked--
		p.wake.Signal()
	}
	for ; helpers > 0 && p.started < most; helpers-- {
		p.started++
		go p.helper()
	}
	p.mu.Unlock()
}

// processors is the number of processors that the system gives to the process.
var processors = runtime.NumCPU()

// cores returns how many callers and helpers can make progress at once. With more, the system would suspend some in the
// middle of an index, and others would wait for them.
func cores() int { return min(runtime.GOMAXPROCS(0), processors) }

// idleCores returns the number of cores on which neither a caller nor a helper works.
func (p *helperPool) idleCores() int {
	return int(p.cores.Load() - p.callers.Load() - p.working.Load())
}

// withdraw closes j: no helper joins it after this.
func (p *helperPool) withdraw(j *job) {
	p.mu.Lock()
	if j.open {
		j.open = false
		for i, o := range p.jobs {
			if o == j {
				last := len(p.jobs) - 1
				copy(p.jobs[i:], p.jobs[i+1:])
				p.jobs[last] = nil
				p.jobs = p.jobs[:last]
				break
			}
		}
	}
	p.mu.Unlock()
}

// join picks a job with work left and room under its Workers' limit; nil when there is none.
// Called with mu held.
func (p *helperPool) join() *job {
	if len(p.jobs) == 0 || p.idleCores() <= 0 {
		return nil
	}
	for i := len(p.jobs) - 1; i >= 0; i-- { // the newest first: nested work unblocks its caller
		j := p.jobs[i]
		if j.next.Load() >= j.n {
			continue
		}
		if int(j.w.helping.Add(1)) > j.w.Limit()-1 {
			j.w.helping.Add(-1)
			continue
		}
		j.helpers.Add(1)
		p.working.Add(1)
		return j
	}
	return nil
}

// helper is the life of one helper goroutine.
func (p *helperPool) helper() {
	normal := false
	defer func() {
		if !normal { // a task ended the goroutine; the next publish starts another
			p.mu.Lock()
			p.started--
			p.mu.Unlock()
		}
	}()
	for {
		seen := p.epoch.Load()
		p.mu.Lock()
		j := p.join()
		p.mu.Unlock()
		if j != nil {
			j.help()
			continue
		}
		if p.spin(seen) {
			continue
		}
		// A publication does not wake spinning helpers, so each looks once more before it parks or leaves.
		p.mu.Lock()
		if j = p.join(); j == nil {
			if p.started > cores()-1 { // GOMAXPROCS was lowered
				p.started--
				p.mu.Unlock()
				normal = true
				return
			}
			p.parked++
			p.wake.Wait()
		}
		p.mu.Unlock()
		if j != nil {
			j.help()
		}
	}
}

// spin watches for a publication after seen for a little while and reports whether there was one.
func (p *helperPool) spin(seen uint32) bool {
	p.spinning.Add(1)
	defer p.spinning.Add(-1)
	start := time.Now()
	for i := 1; p.epoch.Load() == seen; i++ {
		if i%128 == 0 {
			runtime.Gosched()
			if time.Since(start) > spinFor {
				return false
			}
		}
	}
	return true
}
