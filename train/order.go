package train

import "math/rand/v2"

// Order fills dst with the numbers 0 to len(dst)-1 in the shuffled order of an epoch, and returns it. The same seed and
// epoch give the same order, in every run and on every machine.
func Order(dst []int, seed uint64, epoch int) []int {
	for i := range dst {
		dst[i] = i
	}
	r := rand.New(rand.NewPCG(seed, uint64(epoch)))
	r.Shuffle(len(dst), func(i, j int) { dst[i], dst[j] = dst[j], dst[i] })
	return dst
}
