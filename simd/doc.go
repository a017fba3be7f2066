// Package simd holds the arithmetic of the library as functions over slices of float32: matrix products,
// element-wise functions and their gradients, reductions, softmax, layer norm, optimizer steps and half
// precision; and the resampling of rows of 8-bit samples. It knows no tensors and no shapes beyond m, n, k
// and strides; packages above it give the numbers their meaning. It is written in Go and Go's assembler,
// without cgo.
//
// # Instruction sets
//
// Each kernel exists in a portable version in plain Go and in assembly for AVX2 with FMA and AVX-512
// (amd64) and for Advanced SIMD (arm64). Which of them runs is decided once, when the process starts:
// [Levels] lists what the machine can do, [Current] is the one in use, and [Info] says both in a line for
// a log. The environment variable FOVEA_SIMD asks for a lower one by name:
//
//	FOVEA_SIMD=generic   plain Go (all there is on js/wasm and other architectures)
//	FOVEA_SIMD=avx2      AVX2 on a machine that also has AVX-512
//	FOVEA_SIMD=avx512
//	FOVEA_SIMD=neon
//
// A name that the machine cannot follow changes nothing, and Info says so. The race detector does not see
// the memory that assembly touches; tests under it run with generic as well. The variable is read before
// main, where the cache of go test does not notice it: give -count=1 when comparing levels.
//
// # The same bits everywhere
//
// A result depends on its inputs and on nothing else: not on the number of threads, not on the rows that
// happen to be computed together, not on where a slice starts in memory, and not on which of AVX2, AVX-512
// and NEON runs. This is not a matter of tolerance; tests compare bit patterns. Three rules give it:
//
//   - Each element of a matrix product is one chain of fused multiply-adds over k, in ascending order.
//   - Each function, exp or GELU say, is one fixed sequence of IEEE operations: additions, products,
//     fused multiply-adds, divisions, square roots, comparisons and integer shifts, rounded to nearest
//     even. There are no approximate reciprocals, no table look-ups, and no flushing of denormal numbers.
//     An element's value does not depend on its neighbors.
//   - A sum over n elements is kept in sixteen lanes, whatever the width of the registers: lane j adds
//     elements j, j+16, j+32, … in ascending order, starting from +0, or multiplies and adds them in one
//     rounding. At the end lane j is added to lane j+8, then j to j+4, j+2 and j+1. Lanes past the end of
//     the last group of sixteen take nothing. Maxima go the same way.
//
// Where a NaN results, it is a NaN everywhere, but its payload and sign may differ. The portable version
// follows the same sequences. Where the compiler has a fused multiply-add (arm64) it gives the same bits;
// elsewhere it rounds products before it adds, and agrees to within the errors stated at each function.
//
// The sequences are written three times, each time for another reader. internal/portable is plain Go.
// internal/exact is the same text with a slow fused multiply-add that rounds once on any machine: it
// defines the bits. internal/vecgen holds them as programs of vector operations and writes the assembly
// of the vector kernels; internal/gemmgen writes that of the matrix products. Resampling of 8-bit samples
// ([ResizeRows], [ResizeColumns]) is integer arithmetic, exact in any order; internal/resizegen writes its kernels.
//
// # Slices
//
// The first slice says how many elements there are, and is the output where there is one. Inputs are at
// least as long; what is longer is ignored, what is shorter is a programming error and panics, naming the
// function and the operand. Nothing outside the slices is read or written, not even by a masked tail, so
// that a slice may end where a mapped file does. An output may be the same slice as an input, element for
// element, unless the function says otherwise; slices that overlap in any other way give undefined
// results. Length zero is allowed everywhere. No kernel allocates.
//
// A matrix is a slice, a number of rows, a row length n and a stride, the distance between the starts of
// rows: a column range of a wider matrix is a matrix too.
//
// # NaN, infinity and zero
//
// NaN in an operand gives NaN in the elements that depend on it, with the exceptions that [Relu],
// [MaxNumber] and the gradients with respect to other elements document. Activations have their limits at
// infinity (Silu, Gelu and their kin are 0 at -Inf, not -Inf·0). A softmax row whose elements are all
// -Inf, fully masked, is all zeros.
//
// # Errors
//
// [Exp] and [Log] are within 1 ULP of the true value, [Tanh] within 5, [Erf] within 4, [Sigmoid] within 2.5.
// [Gelu] is 3 ULP or 4e-7 absolute, whichever is larger, as below -3 its factors cancel. The full list is
// in the tests, which sample all exponents; FOVEA_SWEEP=all tries all 2³² arguments. Exp's largest error over
// all of them is 0.892 ULP. The portable version without fused multiply-add stays within about 1.5 times
// as much.
//
// # Parallelism
//
// A [Workers] says how many cores a computation may use. It is a value that callers pass down, not a
// setting of the process: nil is serial, and a server can hold one model to two cores while another uses
// the rest. The goroutines behind all Workers are one set of helpers for the process, sized to GOMAXPROCS,
// started when first needed and parked when idle. A caller does a share of the work itself and never waits
// for a helper that has not begun, so calls nest without deadlock and without more threads than cores; a
// panic in a helper is raised again on the caller. Matrix products take a Workers and divide themselves.
// The vector functions are serial: their callers divide rows or elements with [Workers.For], where any
// division gives the same bits as long as a reduction stays whole.
//
// Assembly cannot be preempted, so one call into it is kept below some 50 µs: long slices are handed over
// in pieces.
//
// # Half precision
//
// [PackRows] lays a weight out for [GemmPacked] in float16 or bfloat16, in half the memory. A product widens a
// group of panels at a time into a cache, where the rows of A pass by them: for a picture's 197 rows that adds
// some 3 %, for more of them less, and for one row nothing, because half the bytes are read. Widening is exact,
// so the bits are those of the widened weight.
//
// # Speed
//
// Simple functions run at the speed of the caches. On one core of a recent Xeon (AVX-512, 8,192 elements in
// cache) Exp does about 4.4 elements a nanosecond, Tanh 4.3, Gelu 3.0, GeluGrad 1.5, AdamW 1.9; with AVX2
// forced 2.7, 3.0, 1.6, 0.9 and 1.8. The benchmarks print elements a nanosecond and bytes a second for every
// level.
package simd
