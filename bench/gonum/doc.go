// Package gonum compares Fovea's matrix product with gonum's, in turn, in one process.
//
//	go test -bench . ./bench/gonum
//	FOVEA_SIMD=generic go test -tags noasm -bench . ./bench/gonum
//
// The second command compares portable Go: the tag noasm turns off gonum's assembly, FOVEA_SIMD=generic turns off
// Fovea's.
package gonum
