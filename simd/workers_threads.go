//go:build !wasm

package simd

const serialOnly = false
