package simd

// Floats returns n zeros for numbers that many kernels will read and write. On Linux it asks for pages of 2 MiB for the
// memory, where the system gives them to programs that ask. A tile reads rows of dozens of planes, each in a page of its
// own, more than the nearest table of pages holds. ResNet-50 with a feature pyramid takes .976 of the time with large
// pages, measured in a virtual machine on one core of a Zen 4.
func Floats(n int) []float32 {
	s := make([]float32, n)
	askLargePages(s)
	return s
}
