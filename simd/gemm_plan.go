package simd

// A gemmRun is one call of Gemm, GemmPacked or GemmBatch: its operands, and how C is divided into tasks.
//
// A task covers some rows and panels of one C, or several whole problems. It works slab by slab along K. A slab is
// a whole number of K blocks. In it, a group of panels of B stays in cache while the task's rows of A pass by.
type gemmRun struct {
	kern     *gemmKernel
	m, n, k  int
	block    int // length of a K block
	chain    int // length of a chain of multiply-adds in it
	beta     float32
	one      gemmOperands
	operands func(int) (a, b Matrix, c []float32, ldc int)
	packed   *Packed
	gather   *Gather // in place of B
	ep       Epilogue
	hasEp    bool
	rest     Epilogue            // what is left of ep where tiles add the bias and the residual
	rows     func(int) []float32 // of B, in place of B
	planes   []*float32          // of channels: where the rows of B begin, in place of B, in a product of pixels
	window   bool                // tiles read B in place

	// In another arithmetic than Strict, k counts words of numbers. numbers is k before that.
	word    *wordKernel
	numbers int
	made    bool         // A has words already
	plain   gemmOperands // one, with A as numbers
	quant   quantized    // of one
	blockA  int          // rows of A that are converted at once

	panels   int // of B, as wide as a tile
	depth    int // rows of a slab
	taskRows int // rows of C that a task covers
	taskCols int // panels that a task covers
	rowTasks int
	colTasks int

	blockRows int // rows of A that stay in cache while a group of panels passes by
	groupCols int // panels in a group
	group     int // problems a task covers, when a task is at least one problem
	count     int
	threads   int

	sharedA []float32 // A laid out ahead of the tasks, when several need the same rows
	sharedB Packed    // B packed ahead of the tasks, when several need the same columns

	// Bound once, so that a steady state allocates nothing.
	task     func(int) // g.do
	layTask  func(int) // g.layShared
	packTask func(int) // g.packShared

	convertTask func(int) // g.convertBlock
	scaleTask   func(int) // g.scaleGroup
}

var gemmRuns = freeList[gemmRun]{
	most: 64,
	make: func() *gemmRun {
		g := new(gemmRun)
		g.task, g.layTask, g.packTask = g.do, g.layShared, g.packShared
		g.convertTask, g.scaleTask = g.convertBlock, g.scaleGroup
		return g
	},
	wipe: func(g *gemmRun) {
		clear(g.planes)
		*g = gemmRun{planes: g.planes[:0], task: g.task, layTask: g.layTask, packTask: g.packTask, convertTask: g.convertTask, scaleTask: g.scaleTask}
	},
}

// gemmOperands are the views of one problem.
type gemmOperands struct {
	a, b Matrix
	c    []float32
	ldc  int
}

func (g *gemmRun) setEpilogue(ep *Epilogue) {
	if g.hasEp = ep != nil; g.hasEp {
		g.ep = *ep
		g.rest = ep.afterTiles()
	}
}

// run divides the work, does it and recycles g.
func (g *gemmRun) run(w *Workers, count int) {
	if g.word != nil && !g.made && g.operands == nil && g.m > g.wordRows() {
		defer gemmRuns.put(g)
		for i := 0; i < g.m; i += g.wordRows() {
			g.part(i, min(i+g.wordRows(), g.m)).run(w, 1)
		}
		return
	}
	g.plan(w.Limit(), count)
	defer gemmRuns.put(g)
	words, tasks := g.word != nil && !g.made, g.rowTasks*g.colTasks
	if g.operands == nil && !g.window && (words || tasks > 1 || g.scalesPixels()) {
		shared := sharedScratches.get()
		defer sharedScratches.put(shared)
		if words {
			g.convert(w, shared)
		}
		if g.scalesPixels() {
			shared.scales = grow(shared.scales, 2*g.n)
			g.quant.cols, g.quant.inverses = shared.scales[:g.n], shared.scales[g.n:][:g.n]
			if g.rowTasks > 1 {
				w.For(ceilDiv(g.n, groupWidth), g.scaleTask)
			}
		}
		if tasks > 1 {
			g.share(w, shared)
		}
	}
	problems := ceilDiv(g.count, g.group)
	if tasks := problems * g.rowTasks * g.colTasks; tasks == 1 {
		g.task(0)
	} else {
		w.For(tasks, g.task)
	}
}

// share makes once the copies that several tasks would otherwise each make.
func (g *gemmRun) share(w *Workers, s *gemmScratch) {
	if g.colTasks > 1 && g.copiesA(g.one.a) {
		if size := g.sharedSize(); size <= sharedMost {
			s.a = grow(s.a, size)
			g.sharedA = s.a
			w.For(g.rowTasks*g.slabs(), g.layTask)
		}
	}
	if g.rowTasks > 1 && g.packed == nil && g.taskRows < taskRowsMost/2 {
		if size := g.k * g.panels * g.kern.nr; size <= sharedMost {
			s.b = grow(s.b, size)
			g.sharedB = Packed{rows: g.k, n: g.n, kern: g.kern, kc: g.depth, data: s.b}
			w.For(g.slabs()*g.panelGroups(), g.packTask)
			g.packed = &g.sharedB
		}
	}
}

// From serialCost nanoseconds of work on, a second core pays; a task should take taskCost at least.
const (
	serialCost = 15000
	taskCost   = 8000
)

// taskRowsMost bounds the rows of a task, and with them its copy of A. Beyond it, packing B again pays.
const taskRowsMost = 1024

// TaskRows is the number of rows from which a thread multiplies by a packed B at full speed: reading B from the third-level cache
// costs nothing then.
const TaskRows = 112

// groupWidth is the number of columns in a group of panels. It is large enough that a row of it is worth a
// call of the epilogue. It is small enough that the group fits a quarter of the second-level cache.
const groupWidth = 256

// plan chooses the tasks. Their shape changes where numbers are computed, never their bits.
func (g *gemmRun) plan(threads, count int) {
	kern := g.kern
	g.count, g.group, g.threads = count, 1, threads
	g.window = g.rows != nil || g.windows() || g.inPlace()
	g.panels = ceilDiv(g.n, kern.nr)
	g.depth = slabDepth(g.k, g.block, kern.kc)
	if g.packed != nil {
		g.depth = g.packed.kc
	}
	if g.gather != nil || g.pointwise() || kern.rows && g.m <= 2*kern.mr && g.packed == nil {
		// Few rows use each number of B a few times only. What is packed of a single block is still in a near cache
		// when it is used. A gathered B has its planes in the cache as well.
		g.depth = min(g.depth, g.block)
	}
	// A model of one core: flops at 150 GFLOP/s, or reading B at 12 GB/s.
	flops := 2 * float64(g.m) * float64(g.n) * float64(g.k)
	cost := max(flops/150, 4*float64(g.n)*float64(g.k)/12) + float64(g.m)*float64(g.n)/4
	g.blockRows = roundUp(ceilDiv(g.m, ceilDiv(g.m, kern.mc)), kern.mr)
	g.taskRows = g.m
	if n := ceilDiv(g.m, taskRowsMost); n > 1 {
		g.taskRows = roundUp(ceilDiv(g.m, n), kern.mr)
	}
	if n := min(g.m/TaskRows, int(cost/taskCost)); n >= 2*threads && kern.rows && g.packed != nil && g.packed.half == nil && g.gather == nil {
		// Such tasks read A, or copy it, once for all columns, and it stays in the second-level cache. B is packed already.
		g.taskRows = min(g.taskRows, ceilDiv(g.m, n/threads*threads))
	}
	if g.word != nil && g.operands != nil {
		g.taskRows = min(g.taskRows, g.batchRows())
	}
	if g.window && g.gather == nil && g.m*g.k > windowWeights && g.m > windowTiles*kern.mr {
		g.taskRows = ceilDiv(g.m, ceilDiv(g.m*g.k, windowWeights))
	}
	// A strip of C stays in the second-level cache from one slab to the next; wider strips repeat a
	// copy of A less often.
	stripCols := 512
	if g.operands == nil && g.copiesA(g.one.a) {
		stripCols = 1024
	}
	g.taskCols = ceilDiv(g.panels, max(1, ceilDiv(g.panels*kern.nr, stripCols)))

	if total := cost * float64(count); threads > 1 && total > serialCost {
		each := 4
		if kern.rows && g.packed != nil && g.gather == nil && g.m <= taskRowsMost/2 {
			// No task prefetches its first panel. With few rows that costs more than threads that do not end together.
			each = 2
		}
		want := min(each*threads, int(total/taskCost))
		if (g.gather != nil || g.pointwise()) && g.m > g.n {
			// The weights of a convolution with many channels are larger than its B. Tasks that divide columns would
			// each read them all; tasks that divide rows share a packed B.
			want = min(want, 2*threads)
			for g.tasksEach() < want && g.taskRows > 2*kern.mr {
				g.taskRows = roundUp((g.taskRows+1)/2, kern.mr)
			}
		}
		for count*g.tasksEach() < want && g.taskCols > 1 {
			g.taskCols = (g.taskCols + 1) / 2
		}
		for count*g.tasksEach() < want && g.taskRows > 2*kern.mr {
			g.taskRows = roundUp((g.taskRows+1)/2, kern.mr)
		}
		if count == 1 && g.taskRows >= g.m {
			g.taskCols = evenTask(g.panels, g.taskCols, threads)
		}
	}
	g.blockRows = min(g.blockRows, roundUp(g.taskRows, kern.mr))
	g.groupCols = max(1, groupWidth/kern.nr)
	if kern.rows && g.m <= 2*kern.mr {
		if g.packed == nil && (g.word != nil || g.gather != nil || g.operands != nil || g.one.b.Trans) {
			g.groupCols = 4 // in the first-level cache
		} else {
			g.groupCols = g.panels
		}
	}
	g.rowTasks, g.colTasks = ceilDiv(g.m, g.taskRows), ceilDiv(g.panels, g.taskCols)
	if count > 1 && g.rowTasks*g.colTasks == 1 {
		g.group = max(1, int(taskCost/cost))
		if threads > 1 {
			g.group = max(1, min(g.group, count/(4*threads)))
		}
	}
}

// evenTask returns the number of panels of a task, at most most and more than half of that, with which threads that take
// one task after the other are done first. There are at least two threads.
func evenTask(panels, most, threads int) int {
	best, least := most, panels
	for size := most; 2*size > most; size-- {
		tasks := ceilDiv(panels, size)
		span := ceilDiv(tasks, threads) * size
		if tasks%threads == 1 {
			span -= size*tasks - panels // the last task is the rest, alone
		}
		if span < least {
			best, least = size, span
		}
	}
	return best
}

// tasksEach is the number of tasks of one problem.
func (g *gemmRun) tasksEach() int {
	return ceilDiv(g.m, g.taskRows) * ceilDiv(g.panels, g.taskCols)
}

// slabDepth returns the depth of slabs that cover k, each a whole number of blocks and as equal as can be. They have
// at most most rows, unless a block has more.
func slabDepth(k, block, most int) int {
	blocks := ceilDiv(k, block)
	slabs := max(1, ceilDiv(blocks, max(1, most/block)))
	return max(1, min(k, block*ceilDiv(blocks, slabs)))
}

func ceilDiv(n, size int) int { return (n + size - 1) / size }

func roundUp(n, size int) int { return ceilDiv(n, size) * size }

// A rowTiling divides rows into tiles: balanced over two adjacent heights, or full tiles and a rest.
type rowTiling struct {
	tiles int
	low   int // height of the later tiles
	high  int // tiles that are one row higher, the first ones
	rows  int
}

func tilesOf(rows, mr int, balanced bool) rowTiling {
	n := ceilDiv(rows, mr)
	if balanced {
		return rowTiling{tiles: n, low: rows / n, high: rows % n, rows: rows}
	}
	return rowTiling{tiles: n, low: mr, rows: rows}
}

func (t rowTiling) height(i int) int {
	if i < t.high {
		return t.low + 1
	}
	return min(t.low, t.rows-t.start(i))
}

func (t rowTiling) start(i int) int { return i*t.low + min(i, t.high) }
