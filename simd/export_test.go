package simd

// SetLevel makes every kernel run on l until restore is called. It is for tests that run one at a time.
func SetLevel(l Level) (restore func()) {
	old := level
	level = l
	return func() { level = old }
}
