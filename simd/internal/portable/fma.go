package portable

// fma is a·b + c. The compiler fuses it where the instruction is part of the base architecture (arm64).
// Elsewhere it rounds twice, and the portable level agrees with the others only within a tolerance.
func fma(a, b, c float32) float32 { return a*b + c }
