// Command depthgen writes the assembly of depthwise convolutions of 3×3, 5×5 and 7×7 filters at strides 1 and 2.
//
//	go run ./internal/depthgen -out .
//
// A kernel goes through the planes of a call, through blocks of columns as wide as a register, and in a block
// through the rows from top to bottom. Padding is never stored. Lanes left and right of a plane are masked, and rows
// above and below it are read from a table of zeros. forward.go, inputgrad.go and weightgrad.go state each kernel
// once, in terms of a machine; x86.go and neon.go are the machines.
package main

import (
	"fmt"

	"github.com/fovea-ml/fovea/simd/internal/asm"
)

func main() { asm.Main("depthgen", files) }

// files returns the text of every generated file.
func files(string) (map[string][]byte, error) {
	m := map[string][]byte{}
	for _, l := range []struct {
		file, suffix string
		machine      func(*asm.Text) machine
		groups       map[int][2][]int // by size and stride: rows of the filter that share a pass of the weights' gradient
	}{
		{"depthwise_avx2_amd64.s", "AVX2", func(t *asm.Text) machine { return &x86{Text: t} }, map[int][2][]int{3: {{1, 3}, {1}}, 5: {{1, 2}, {1}}, 7: {{1}, {1}}}},
		{"depthwise_avx512_amd64.s", "AVX512", func(t *asm.Text) machine { return &x86{Text: t, wide: true} }, map[int][2][]int{3: {{1, 3}, {1}}, 5: {{1, 5}, {1}}, 7: {{1, 3}, {1}}}},
		{"depthwise_neon_arm64.s", "NEON", func(t *asm.Text) machine { return &neon{Text: t} }, map[int][2][]int{3: {{1, 3}, {1}}, 5: {{1, 2}, {1}}, 7: {{1, 2}, {1}}}},
	} {
		t := asm.New(generator)
		for _, k := range []int{3, 5, 7} {
			for _, s := range []int{1, 2} {
				forward(&kernel{machine: l.machine(t), k: k, s: s, shift: s - 1}, fmt.Sprintf("depthwise%dx%d%s", k, s, l.suffix))
			}
			for odd, parity := range []string{"Even", "Odd"} {
				inputGrad(&kernel{machine: l.machine(t), k: k, s: 2, shift: -1}, fmt.Sprintf("depthwiseInput%d%s%s", k, parity, l.suffix), odd)
			}
			for s, groups := range l.groups[k] {
				for _, rows := range groups {
					weightGrad(&kernel{machine: l.machine(t), k: k, s: s + 1, shift: s}, fmt.Sprintf("depthwiseWeight%dx%dx%d%s", rows, k, s+1, l.suffix), rows)
				}
			}
		}
		l.machine(t).tables()
		m[l.file] = t.Bytes()
	}
	return m, nil
}

// generator names this program in the files it writes.
const generator = "internal/depthgen"

// Offsets of simd's depthwiseArgs. Kernels change the offsets and the number of planes.
const (
	argDst, argSrc, argWeight, argBias, argScratch   = 0, 8, 16, 24, 32
	argDstAt, argSrcAt, argWeightAt, argBiasAt       = 40, 48, 56, 64
	argDstPlane, argSrcPlane, argBiasPlane           = 72, 80, 88
	argPlanes, argRows, argColumns                   = 96, 104, 112
	argHeight, argWidth, argTop, argLeft, argSrcSize = 120, 128, 136, 144, 152
	argFlag, argWeightPlane                          = 160, 168
)

// A reg is a general register, by its role.
type reg int

const (
	args    reg = iota // *depthwiseArgs
	row                // the next row of the source, at the first element of the block
	from               // the row to load from: row, or zeros
	out                // the next row of the result
	filter             // the weights, as they are or repeated
	count              // rows to go
	index              // number of the next row of the source
	step               // bytes of a row of the source
	height             // rows of the source
	zeros              // a row of zeros
	outStep            // bytes of a row of the result
	column             // the first column of the block
	left               // columns from there on
	tmp
)

// A cond is a condition of a branch.
type cond string

const (
	eq cond = "EQ"
	ne cond = "NE"
	lt cond = "LT"
	ge cond = "GE"
	gt cond = "GT"
	le cond = "LE"
)

// A machine writes the operations of an instruction set. Vectors are numbers of registers.
type machine interface {
	Func(name, params string, frame, args int, doc ...string)
	Label(name string)
	Comment(line string)
	tables()
	ret()

	// General registers. get and set access arguments. Branches compare a with b.
	get(r reg, arg int)
	set(arg int, r reg)
	move(d, s reg)
	add(d, s reg)
	sub(d, s reg)
	mul(d, s reg)
	addConst(d reg, c int)
	scale(d reg, bits int) // d <<= bits, or >>= -bits
	and(d reg, c int)
	constant(d reg, c int)
	pointer(r reg, arg, at int) // r = argument + another argument
	addTo(arg int, gap int)     // argument += another argument
	branch(a reg, c cond, b reg, label string)
	branchConst(a reg, c cond, b int, label string)
	jump(label string)
	zeroTable(d reg)
	// pick sets from to row where index is a row of the source and to zeros elsewhere, and goes on to the next row.
	// It loads at most span elements from there.
	pick(span int)

	// forms are the ways to work on a block, the best first.
	forms() []form
	use(form)

	begin(k, s int, p *plan) // loads and repeats the weights of a plane; none for the gradient of the weights
	masks(offsets []int)     // which lanes tmp + offset + lane are elements of a row of the source
	lanesLeft()              // clears the lanes from left on in all masks
	zero(v int)
	copy(d, s int)
	load(d, offset, mask int) // from from + offset elements
	fmaTap(acc, x, tap int)   // acc += x·weight
	fma(acc, x, y int)
	evens(d, a, b int) // the even elements of a and b, in an order that sort undoes
	odds(d, a, b int)
	sort(v int)
	unsort(v int)
	addBias(v int)
	store(v int)        // at out, the first left lanes
	storePair(a, b int) // a and b in turn, the first left elements; may change temporaries

	clearLanes(taps int) // sixteen lanes for each tap
	addLanes(v, tap int) // adds v to the lanes from tmp on
	loadOut(v int)       // the first left lanes at out
	foldLanes(taps int)  // the sum of the lanes of each tap, stored at out or added there
}

// A form is a number of lanes, with or without masks for the lanes outside a row.
type form struct {
	name   string
	lanes  int
	masked bool
	pair   bool // a vector is two registers
}

// A task is one of the three computations: the result of a convolution, or a gradient.
type task int

const (
	result task = iota
	input       // gradient
	weight      // gradient
)

// A plan says which registers a kernel uses: sums below x, then temporaries. Masks and weights are the machine's.
type plan struct {
	task
	x     int // the first temporary
	temps int
	masks int // number of masks
}

// A kernel is one function under way.
type kernel struct {
	machine
	k, s   int // size of the filter, stride
	shift  int // columns of the result, shifted by this, are columns of the source
	labels int
}

// label returns a new label.
func (g *kernel) label(name string) string {
	g.labels++
	return fmt.Sprintf("%s%d", name, g.labels)
}
