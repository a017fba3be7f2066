// Package simd is the arithmetic of the library: functions over slices of float32, without cgo.
//
//	// y = gelu(x·wᵀ + b): x is [m, in], w is [out, in], b is [out], y is [m, out].
//	w := simd.Matrix{Data: weight, Stride: in, Trans: true}
//	x := simd.Matrix{Data: input, Stride: in}
//	simd.Gemm(workers, m, out, in, x, w, 0, y, out, &simd.Epilogue{Bias: b, Act: simd.ActGelu})
//
//	simd.SoftmaxRows(y, y, m, out, out, out, 1) // each row becomes probabilities
//
// It has matrix products, depthwise convolutions of planes, 3×3 convolutions by Winograd's algorithm
// ([WinogradConv]), element-wise functions and their gradients, reductions, softmax, layer and RMS norm, the first
// elements of an order ([TopK]), optimizer steps, conversions of half precision, and resampling of rows of 8-bit samples.
// Shapes are m, n, k and strides, or a [DepthwiseShape]; the packages above give the numbers their meaning. It is written
// in Go and Go's assembler.
//
// # Instruction sets
//
// Each kernel exists in plain Go and in assembly: for AVX2 with FMA and for AVX-512 on amd64, for Advanced
// SIMD (NEON) on arm64. The choice is made once, when the process starts. [Levels] lists the instruction
// sets of the machine, [Current] is the one in use, and [Info] describes both in a line for a log. The
// environment variable FOVEA_SIMD selects one by name; without it the best one runs:
//
//	FOVEA_SIMD=generic   plain Go (the only level on js/wasm and other architectures)
//	FOVEA_SIMD=avx2      AVX2 on a machine that also has AVX-512
//	FOVEA_SIMD=avx512    AVX-512 without the matrix unit
//	FOVEA_SIMD=amx       AVX-512 with the matrix unit: the default where the machine has one, and no [Level] of its own
//	FOVEA_SIMD=neon
//
// A name that the machine does not support changes nothing, and Info reports it. The race detector does not
// see the memory that assembly touches, so tests under it run with generic as well. The variable is read
// before main, where the cache of go test does not notice it: use -count=1 when comparing levels.
//
// # The same bits everywhere
//
// A result depends only on its inputs. It does not depend on the number of threads, on the other rows of the
// call, on the address of a slice, or on whether AVX2, AVX-512 or NEON runs. No tolerance is involved: tests
// compare bit patterns. Three rules ensure it:
//
//   - Each element of a matrix product is a sum of blocks of 384 products, counted from the first, and a block is a
//     sum of four chains of 96. A chain is one of fused multiply-adds in ascending order, from +0. Chains are added
//     in order, then blocks, to beta·C where beta is not 0. One chain over all products would have 6 times
//     the rounding error at 4,096 of them, and 15 times at 65,536. The caller of [GemmGather] gives the length of
//     blocks: a convolution has blocks of whole channels, about 256 products. [WinogradConv] has chains of 16 and blocks of 128.
//   - Each function, such as exp or GELU, is one fixed sequence of IEEE operations, rounded to nearest even:
//     additions, products, fused multiply-adds, divisions, square roots, comparisons and integer shifts.
//     There are no approximate reciprocals, no table look-ups, and no flushing of denormal numbers.
//     An element's value does not depend on its neighbors.
//   - A sum is a cascade, in an order that its length alone decides. The next section has the steps.
//
// A NaN is a NaN at every level, but its payload and sign may differ. The portable version follows the same
// sequences. Where the compiler has a fused multiply-add (arm64), it gives the same bits. Elsewhere it rounds
// products before it adds, and agrees within the errors stated at each function.
//
// The sequences are written three times, each for a different reader:
//
//   - internal/portable is plain Go.
//   - internal/exact is the same text with a slow fused multiply-add that rounds once on any machine. It
//     defines the bits.
//   - internal/vecgen holds them as programs of vector operations and writes the assembly of the vector
//     kernels.
//
// internal/gemmgen writes the assembly of the matrix products, internal/dotgen that of [RowDots] and its forms for
// float16 and int8. internal/winogen writes the transforms of Winograd's algorithm, and internal/depthgen the
// kernels of depthwise convolutions with filters of 3×3, 5×5 and 7×7 at strides 1 and 2; other filters go row by
// row, through the vector kernels. [Pow] and [TopK] are plain Go on every level. Resampling of 8-bit samples ([ResizeRows],
// [ResizeColumns]) is integer arithmetic, exact in any order; internal/resizegen writes its kernels.
//
// # Sums
//
// A sum over the elements of a row, such as [Sum] or [Dot], has these steps:
//
//  1. There are 16 lanes, whatever the width of the registers. Lane j adds elements j, j+16, j+32 and so on.
//  2. A block is 8 elements of each lane, added in ascending order from +0.
//  3. A cascade is 16 blocks, whose lanes are added in order from +0.
//  4. The lanes fold: lane j is added to lane j+8, then j to j+4, j+2 and j+1. This is the sum of 2,048 elements.
//  5. The sums of several cascades are added in float64, and the total is rounded.
//
// Elements that the last block lacks add nothing. A column of a matrix is one lane, with blocks of 16 rows:
// [ColumnSumsAdd]. A sum of products uses fused multiply-adds. Maxima use the lanes and the fold. The rms error is at
// most that of PyTorch's sums, which are cascades too; tests of autograd measure both. The sums of a depthwise
// convolution are stated at its functions.
//
// # Slices
//
// The first slice sets the number of elements; it is the output if there is one. Inputs must be at least as
// long, and what is longer is ignored. A shorter input is a programming error: the function panics and names
// itself and the operand. Nothing outside the slices is read or written, not even by a masked tail, so a
// slice may end at the last byte of a mapped file. An output may be the same slice as an input, element for
// element, unless the function's comment forbids it. Slices that overlap in any other way give undefined
// results. Length zero is allowed everywhere. No kernel allocates.
//
// A matrix is a slice, a number of rows, a row length n and a stride, the distance between the starts of
// rows. A column range of a wider matrix is therefore a matrix too.
//
// # Activations
//
// An [Activation] is a value that selects an element-wise function and its gradient, for the [Epilogue] of
// a product and for [Activation.Apply] and [Activation.Grad]. [ActivationByName] finds one by the name that
// a checkpoint's configuration gives it:
//
//	act, err := simd.ActivationByName("gelu_new")
//	act.Apply(y, x)
//	act.Grad(dx, x, dy)
//
// One table in activation.go holds the names, both kernels and the cost of each. A new activation is a
// constant, an entry there, and its kernels; the program does not start while the entry is incomplete.
//
// # NaN, infinity and zero
//
// NaN in an operand gives NaN in the elements that depend on it. The exceptions are documented at [Relu], at
// [MaxNumber] and at the gradients with respect to other elements. Activations have their limits at infinity:
// Silu, Gelu, Mish and the like are 0 at -Inf, where PyTorch computes -Inf·0. A softmax row that is all
// -Inf, fully masked, is all zeros.
//
// # Errors
//
// [Exp] and [Log] are within 1 ULP of the true value, [Tanh] within 5.3, [Erf] within 4, [Sigmoid] within 2.5.
// [Sin] and [Cos] are within 1.6 for arguments of any size, [Pow] within 0.51.
// [Gelu] is within 3 ULP or 4e-7 absolute, whichever is larger, because its factors cancel below -3. The
// tests have the full list and sample all exponents; FOVEA_SWEEP=all tries all 2³² arguments. Exp's largest
// error over all of them is 0.892 ULP. The portable version without fused multiply-add stays within about 1.5
// times as much.
//
// # Parallelism
//
// A [Workers] sets how many cores a computation may use. Callers pass it down; it is not a setting of the
// process. nil is serial. A server can hold one model to two cores while another uses the rest.
//
// All Workers share one set of goroutines, sized to the cores, which start when first needed and are parked
// when idle. A caller does a share of the work itself and never waits for a goroutine that has not begun.
// Calls therefore nest without deadlock and without more threads than cores. A panic in such a goroutine is
// raised again on the caller.
//
// Matrix products take a Workers and divide themselves. Depthwise convolutions and the vector functions are serial:
// their callers divide planes, rows or elements with [Workers.For]. Any division gives the same bits as long as a
// reduction stays whole. Assembly cannot be preempted, so one call into it is kept below some 50 µs: long slices are
// processed in pieces.
//
// # Convolutions
//
//	weight := simd.Matrix{Data: values, Stride: k, Trans: true} // values is [out, k]
//	filters := simd.Pack(w, k, out, weight, simd.PackOptions{Filters: true})
//	simd.GemmGatherPacked(w, n, filters, &pixels, block, 0, y, n, nil) // y is [out, n]
//
// A convolution is a product of its weight with the pixels under a window, which a [Gather] describes. There are two
// ways to the same bits:
//
//   - [GemmGather] has positions in lanes. With few filters its tiles read the pixels in place; with more it copies them
//     to panels.
//   - [GemmGatherPacked] has filters in lanes and copies nothing. It is faster where filters fill the lanes, 32 or more.
//     [GemmFilters] is the same for convolutions of 1×1, whose pixels are a matrix.
//
// # Half precision
//
// [PackOptions].Format lays a weight out in float16 or bfloat16, in half the memory. Kernels of few rows widen numbers as
// they load them: one row takes half the time of float32 where memory is the limit. A product of many rows widens a
// group of panels at a time into a cache, and multiplies all rows of A by it. For the 197 rows of an image this adds
// some 3 %, for more rows less. Widening is exact, so the bits are those of the widened weight.
//
// # Math modes
//
//	packed := simd.Pack(w, k, n, weight, simd.PackOptions{Math: simd.BF16})
//	simd.GemmPacked(w, m, x, packed, 0, y, n, nil)
//	simd.BF16.Gemm(w, m, n, k, x, weight, 0, y, n, nil) // the same bits
//
// A product is strict float32 unless another [Math] is asked for by name. [Math.Kernel] and [Info] say what runs.
//
//	          operands                          sums     AMX        AVX-512            AVX2          NEON
//	Strict    float32                           float32  FMA        FMA                FMA           FMLA
//	Accurate  float32, in three bfloat16 parts  float32  TDPBF16PS  as Strict          as Strict     as Strict
//	BF16      bfloat16                          float32  TDPBF16PS  VDPBF16PS, or FMA  FMA           BFMMLA, or FMLA
//	Int8      integers of 8 bits, with scales   int32    TDPBSSD    VPDPBUSD, or       VPDPBUSD, or  SMMLA, or SDOT,
//	                                                                VPMADDWD           VPMADDWD      or SMLAL
//
// Where a cell lists several, the first that the processor supports runs. Where no instruction multiplies bfloat16, BF16 is
// float32 products of rounded operands: no faster than Strict, in half the memory.
//
// Operands become matrices of words. A word takes the four bytes of a float32 and holds numbers with neighboring k: two of bfloat16,
// four integers of 8 bits, or two of 16 bits for VPMADDWD and SMLAL. Where nothing multiplies bfloat16, a word is one rounded
// float32. So tiles, panels and tasks are those of Strict, with a smaller k and another instruction. [Pack] makes the words of a weight ahead of time. A product makes those of A anew.
//
// In a convolution, a word holds neighboring channels of a pixel. [Math.PackPixels] and [Math.PackFilters] make the words, and
// [GemmPixels] multiplies them. [GemmPixelRows] makes them on the way, for filters of one tap. Kernels exist for VDPBF16PS,
// VPDPBUSD, VPMADDWD, SDOT and SMLAL, and for Int8 at the portable level. Elsewhere there is none ([Math.PixelChannels] is 0), and
// convolutions are Strict. Matrix units are not used.
//
// Products in Int8 have the same bits everywhere. A model in Int8 does not, since its attention is BF16 or Strict, by the processor.
// Those of Accurate and BF16 depend on the operands and the instruction,
// not on threads, tiles, packing or neighboring rows. Epilogues are float32 in every mode.
//
// The error of Accurate against float64 is not above that of Strict: tests compare products of up to 16,384 terms that are
// random, positive, nearly cancelling, spread over 40 binary orders, near overflow, and small.
//
// On one core of a Zen 4 (one run on a loaded machine), products with packed weights reach these rates, in 10⁹ operations
// a second. In parentheses is the share of what a loop of the instruction reaches ([Math.Peak]):
//
//	m     k      n      Strict       BF16         Int8
//	197   768    768    107 (93 %)   223 (98 %)   422 (91 %)
//	197   768    3072   109 (94 %)   220 (95 %)   428 (92 %)
//	197   3072   768    108 (93 %)   212 (91 %)   428 (92 %)
//	8     768    768    109 (95 %)   221 (95 %)   411 (90 %)
//
// AMX and AVX-VNNI (AVX2's VPDPBUSD) have not been measured. Tests run their kernels on an interpreter.
//
// # Speed
//
// Simple functions run at the speed of the caches. These are elements a nanosecond on one core of a recent
// Xeon, for 8,192 elements in cache:
//
//	          AVX-512   AVX2
//	Exp           4.4    2.7
//	Tanh          4.3    3.0
//	Gelu          3.0    1.6
//	GeluGrad      1.5    0.9
//	AdamW         1.9    1.8
//
// The benchmarks print elements a nanosecond and bytes a second for every level.
package simd
