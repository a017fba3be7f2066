// Package gonum measures Fovea's matrix product beside gonum's, in turn, in one process. Built with the tag
// noasm, gonum is portable Go; with FOVEA_SIMD=generic Fovea is too:
//
//	FOVEA_SIMD=generic go test -tags noasm -bench . ./bench/gonum
package gonum
