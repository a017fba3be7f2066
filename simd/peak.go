package simd

import (
	"runtime"
	"sync"
	"time"
)

// FMAPeak measures how many GFLOP/s a loop of fused multiply-adds on registers reaches at the level in
// use, on threads goroutines for about d. A kernel's rate is stated as a percentage of this ceiling.
func FMAPeak(threads int, d time.Duration) float64 { return Strict.Peak(threads, d) }

// Peak is [FMAPeak] for the instruction that multiplies in the arithmetic x. It returns 10⁹ operations a
// second; a product and its addition are two.
func (x Math) Peak(threads int, d time.Duration) float64 {
	threads = max(threads, 1)
	kern := gemmKernels[level]
	if words := x.words(); words != nil {
		kern = words.kern
	}
	rates := make([]float64, threads)
	var ready, done sync.WaitGroup
	ready.Add(threads)
	for i := range threads {
		done.Go(func() {
			ready.Done()
			ready.Wait()
			const rounds = 4096
			flops, start := 0, time.Now()
			for time.Since(start) < d {
				kern.peak(rounds)
				flops += rounds * kern.peakFlops
			}
			rates[i] = float64(flops) / float64(time.Since(start).Nanoseconds())
		})
	}
	done.Wait()
	sum := 0.0
	for _, r := range rates {
		sum += r
	}
	return sum
}

// peakGeneric runs n rounds of eight chains.
func peakGeneric(n int) {
	var s [8]float32
	x, y := float32(.5), float32(.25)
	s0, s1, s2, s3, s4, s5, s6, s7 := s[0], s[1], s[2], s[3], s[4], s[5], s[6], s[7]
	for range n {
		s0 += x * y
		s1 += x * y
		s2 += x * y
		s3 += x * y
		s4 += x * y
		s5 += x * y
		s6 += x * y
		s7 += x * y
	}
	runtime.KeepAlive(s0 + s1 + s2 + s3 + s4 + s5 + s6 + s7)
}
