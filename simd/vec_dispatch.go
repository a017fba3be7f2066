package simd

//go:generate go run ./internal/vecgen -out .

// maxCall is the number of elements that one call of an assembly function takes at most: assembly cannot
// be preempted, and this many take well under 50 µs. It is a multiple of lanes.
const maxCall = 16384
