// Package portable holds the plain Go version of every vector kernel of package simd.
//
// A kernel here is the readable form of the assembly: the same operations in the same order, lane by lane.
// Three kinds of functions carry the arithmetic contract:
//
//   - fma(a, b, c) is one fused operation, rounded once on hardware that has it.
//   - mul(a, b) is a product rounded on its own. Without its conversion the compiler may fuse the product
//     with an addition that follows.
//   - maxSel and minSel return their second operand when the operands are equal or when either is NaN, as
//     the x86 instructions do.
//
// Package exact is this package with fma replaced by an emulation that always rounds once; vecgen writes it.
// Every instruction set must produce the bits of exact.
//
// A reduction keeps sixteen lanes. Lane j takes elements j, j+16, j+32, …; cascade.go has the order of a sum.
//
// The caller has checked the slices: all are at least as long as the first.
package portable
