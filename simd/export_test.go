package simd

// SetLevel makes every kernel run on l until restore is called. It is for tests that run one at a time.
func SetLevel(l Level) (restore func()) {
	old := level
	level = l
	return func() { level = old }
}

// setWords makes products in the arithmetic x run on k at the level in use until restore is called.
func setWords(x Math, k *wordKernel) (restore func()) {
	old := wordKernels[level][x]
	wordKernels[level][x] = k
	return func() { wordKernels[level][x] = old }
}
