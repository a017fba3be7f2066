package simd

//go:generate go run ./internal/vecgen -out .

// maxCall is the largest number of elements in one call of an assembly function. Assembly cannot be
// preempted, and this many elements take well under 50 µs. It is a multiple of lanes.
const maxCall = 16384
