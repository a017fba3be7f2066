//go:build !linux

package simd

import "testing"

// A guarded is ordinary memory where there is no portable way to protect pages.
type guarded struct{ n int }

func newGuarded(_ testing.TB, n int) *guarded { return &guarded{n} }

func (g *guarded) floats(n int, _ bool) []float32 { return make([]float32, n) }

func (g *guarded) halves(n int, _ bool) []uint16 { return make([]uint16, n) }

func (g *guarded) samples(n int, _ bool) []uint8 { return make([]uint8, n) }
