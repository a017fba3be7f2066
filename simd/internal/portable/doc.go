// Package portable holds the plain Go version of every vector kernel of package simd.
//
// A kernel here is the readable statement of what the assembly computes: the same operations in the
// same order, lane by lane. Three helpers carry the arithmetic contract. fma(a, b, c) is one fused
// operation, rounded once on hardware that has it. mul(a, b) is a product rounded on its own: without
// the conversion the compiler may fuse it with an addition that follows. maxSel and minSel return their
// second operand when the operands are equal or when either is NaN, as the x86 instructions do.
//
// Package exact is this package with fma replaced by an emulation that always rounds once; vecgen
// writes it. The bits of exact are the bits that every instruction set has to produce.
//
// A reduction keeps sixteen partial results in a *[16]float32: lane j takes elements j, j+16, j+32, …
// of the call, in ascending order, and the caller folds the lanes when the last call is done. Calls
// other than the last have to cover a multiple of sixteen elements.
//
// Slices have been checked by the caller: all are as long as the first.
package portable
