package simd

// Every arm64 machine that Go runs on has Advanced SIMD.
func supportedLevels() []Level { return []Level{Generic, NEON} }
