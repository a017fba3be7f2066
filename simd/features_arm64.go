package simd

import "golang.org/x/sys/cpu"

// features are the instructions beyond Advanced SIMD of which the system says that this CPU has them.
var features = struct {
	dot  bool // dot products of int8: SDOT
	i8mm bool // products of matrices of int8: SMMLA
	bf16 bool // products of matrices of bfloat16: BFMMLA
}{cpu.ARM64.HasASIMDDP, hasI8MM(), hasBF16()}
