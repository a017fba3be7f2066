package train

import "math/rand/v2"

// Order writes the numbers 0 to len(dst)-1 to dst in the order in which an epoch visits them, and returns
// it. The same seed and epoch give the same order, in every run and on every machine.
func Order(dst []int, seed uint64, epoch int) []int {
	for i := range dst {
		dst[i] = i
	}
	r := rand.New(rand.NewPCG(seed, uint64(epoch)))
	r.Shuffle(len(dst), func(i, j int) { dst[i], dst[j] = dst[j], dst[i] })
	return dst
}
