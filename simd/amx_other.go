//go:build !linux || !amd64

package simd

// haveAMX reports whether this process may use the tile registers of AMX. Only Linux is asked.
func haveAMX() bool { return false }
