package simd

import "github.com/fovea-ml/fovea/simd/internal/portable"

//go:generate go run ./internal/vecgen -out .

const (
	// maxCall is the largest number of elements in one call of an assembly function. Assembly cannot be
	// preempted, and this many elements take well under 50 µs. It is a multiple of lanes.
	maxCall = 16384

	// lanes is the number of partial results of every reduction, whatever the instruction set.
	lanes = 16

	// chunk is the number of elements that a reduction folds into one number.
	chunk = portable.Chunk
)
