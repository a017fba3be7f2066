package simd

// A gemmRun is one call of Gemm, GemmPacked or GemmBatch: its operands, and how C is divided into tasks.
type gemmRun struct {
	kern     *gemmKernel
	m, n, k  int
	beta     float32
	one      gemmOperands
	operands func(int) (a, b Matrix, c []float32, ldc int)
	packed   *Packed
	ep       Epilogue
	hasEp    bool

	panels   int // of B
	depth    int // rows of a K block
	taskRows int // rows of C a task covers
	taskCols int // panels a task covers
	rowTasks int
	colTasks int

	blockRows int // rows of A that stay in cache while a group of panels passes by
	groupCols int // panels in a group
	group     int // problems a task covers, when a task is at least one problem
	count     int

	sharedA []float32 // A laid out ahead of the tasks, when several need the same rows
	sharedB Packed    // B packed ahead of the tasks, when several need the same columns

	// Bound once, so that a steady state allocates nothing.
	task     func(int) // g.do
	layTask  func(int) // g.layShared
	packTask func(int) // g.packShared
}

func (g *gemmRun) setEpilogue(ep *Epilogue) {
	if g.hasEp = ep != nil; g.hasEp {
		g.ep = *ep
	}
}

// run divides the work, does it and recycles g.
func (g *gemmRun) run(w *Workers, count int) {
	g.plan(w.Limit(), count)
	defer gemmRuns.put(g)
	if g.operands == nil && g.rowTasks*g.colTasks > 1 {
		shared := sharedScratches.get()
		defer sharedScratches.put(shared)
		g.share(w, shared)
	}
	problems := (g.count + g.group - 1) / g.group
	if tasks := problems * g.rowTasks * g.colTasks; tasks == 1 {
		g.task(0)
	} else {
		w.For(tasks, g.task)
	}
}

// share copies what several tasks would otherwise each copy for themselves.
func (g *gemmRun) share(w *Workers, s *gemmScratch) {
	if g.colTasks > 1 && g.copiesA(g.one.a) {
		if size := g.sharedSize(); size <= sharedMost {
			s.a = grow(s.a, size)
			g.sharedA = s.a
			w.For(g.rowTasks*g.kBlocks(), g.layTask)
		}
	}
	if g.rowTasks > 1 && g.packed == nil && g.taskRows < taskRowsMost/2 {
		if size := g.k * g.panels * g.kern.nr; size <= sharedMost {
			s.b = grow(s.b, size)
			g.sharedB = Packed{k: g.k, n: g.n, kern: g.kern, kc: g.depth, data: s.b}
			w.For(g.kBlocks()*g.panelGroups(), g.packTask)
			g.packed = &g.sharedB
		}
	}
}

// serialCost is about how long, in nanoseconds, a piece of work must be before a second core pays, and
// taskCost what one task should take at least.
const (
	serialCost = 15000
	taskCost   = 8000
)

// taskRowsMost bounds the rows of a task, and with them its copy of A. More rows repay packing B again.
const taskRowsMost = 1024

// groupWidth is the columns of a group of panels: enough that an epilogue's rows are worth a call, few
// enough that the group fits a quarter of the second-level cache.
const groupWidth = 256

// plan chooses the tasks. Their shape changes where numbers are computed, never their bits.
func (g *gemmRun) plan(threads, count int) {
	kern := g.kern
	g.count, g.group = count, 1
	g.panels = (g.n + kern.nr - 1) / kern.nr
	depth := kern.kc
	if kern.rows && g.m <= 2*kern.mr {
		// Few rows use each number of B a few times only: short blocks are still in the first-level
		// cache when they are used, and let the hardware follow the rows of B.
		depth = min(depth, 64)
	}
	g.depth = blockDepth(g.k, depth)
	if g.packed != nil {
		g.depth = g.packed.kc
		if g.packed.half != nil && kern.rows && g.m <= 2*kern.mr {
			g.depth = halfDepth(g.depth)
		}
	}
	// A model of one core: flops at 150 GFLOP/s, or reading B at 12 GB/s.
	flops := 2 * float64(g.m) * float64(g.n) * float64(g.k)
	cost := max(flops/150, 4*float64(g.n)*float64(g.k)/12) + float64(g.m)*float64(g.n)/4
	blocks := (g.m + kern.mc - 1) / kern.mc
	g.blockRows = roundUp((g.m+blocks-1)/blocks, kern.mr)
	g.taskRows = g.m
	if n := (g.m + taskRowsMost - 1) / taskRowsMost; n > 1 {
		g.taskRows = roundUp((g.m+n-1)/n, kern.mr)
	}
	// A strip of C stays in the second-level cache from one K block to the next; wider strips repeat a
	// copy of A less often.
	stripCols := 512
	if g.operands == nil && g.copiesA(g.one.a) {
		stripCols = 1024
	}
	strips := max(1, (g.panels*kern.nr+stripCols-1)/stripCols)
	g.taskCols = (g.panels + strips - 1) / strips

	if total := cost * float64(count); threads > 1 && total > serialCost {
		want := min(4*threads, int(total/taskCost))
		for count*g.tasksEach() < want && g.taskCols > 1 {
			g.taskCols = (g.taskCols + 1) / 2
		}
		for count*g.tasksEach() < want && g.taskRows > 2*kern.mr {
			g.taskRows = roundUp((g.taskRows+1)/2, kern.mr)
		}
	}
	g.blockRows = min(g.blockRows, roundUp(g.taskRows, kern.mr))
	g.groupCols = max(1, groupWidth/kern.nr)
	if kern.rows && g.m <= 2*kern.mr {
		packs := g.packed == nil && (g.operands != nil || g.one.b.Trans)
		if packs || g.packed != nil && g.packed.half != nil {
			g.groupCols = 4 // in the first-level cache
		} else {
			g.groupCols = g.panels
		}
	}
	g.rowTasks = (g.m + g.taskRows - 1) / g.taskRows
	g.colTasks = (g.panels + g.taskCols - 1) / g.taskCols
	if count > 1 && g.rowTasks*g.colTasks == 1 {
		g.group = max(1, int(taskCost/cost))
		if threads > 1 {
			g.group = max(1, min(g.group, count/(4*threads)))
		}
	}
}

func (g *gemmRun) tasksEach() int {
	return ((g.m + g.taskRows - 1) / g.taskRows) * ((g.panels + g.taskCols - 1) / g.taskCols)
}

func roundUp(x, to int) int { return (x + to - 1) / to * to }
