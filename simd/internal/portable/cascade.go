package portable

const (
	// blockElements is the number of elements of a row in one block, 8 for each lane.
	blockElements = 128
	// blockRows is the number of rows of a matrix in one block of its columns.
	blockRows = 16
	// cascadeBlocks is the number of blocks in a cascade.
	cascadeBlocks = 16

	// Chunk is the number of elements of a row in one cascade.
	Chunk = cascadeBlocks * blockElements
	// Rows is the number of rows of a matrix in one cascade of its columns.
	Rows = cascadeBlocks * blockRows
)

// A cascade adds up sixteen lanes in blocks. Each block is a sum from +0.
type cascade struct {
	lanes  [16]float32
	blocks int
}

// add adds a block. It reports whether the cascade is full.
func (c *cascade) add(block *[16]float32) (full bool) {
	for j, v := range block {
		c.lanes[j] += v
	}
	c.blocks++
	return c.blocks == cascadeBlocks
}

// A total is the sum of a row: that of its folded cascades, in float64, rounded at the end.
type total struct {
	cascade
	whole float64
}

func (t *total) add(block *[16]float32) {
	if t.cascade.add(block) {
		t.flush()
	}
}

func (t *total) flush() {
	t.whole += float64(Fold(&t.lanes))
	t.cascade = cascade{}
}

func (t *total) sum() float32 {
	t.flush()
	return float32(t.whole)
}

// Fold adds sixteen lanes: 16 → 8 → 4 → 2 → 1, lane j with lane j + half.
func Fold(a *[16]float32) float32 {
	for half := 8; half > 0; half /= 2 {
		for j := range half {
			a[j] += a[j+half]
		}
	}
	return a[0]
}
