package simd

// serialOnly: WebAssembly runs all goroutines on one thread, so that helpers would only add switches.
const serialOnly = true
