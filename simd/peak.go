package simd

import (
	"math"
	"sync"
	"time"
)

// FMAPeak measures how many GFLOP/s a loop of fused multiply-adds on registers reaches at the level in
// use, on threads goroutines for about d: the ceiling that a kernel's rate is a percentage of.
func FMAPeak(threads int, d time.Duration) float64 {
	threads = max(threads, 1)
	rates := make([]float64, threads)
	var ready, done sync.WaitGroup
	ready.Add(threads)
	for i := range threads {
		done.Go(func() {
			ready.Done()
			ready.Wait()
			flops, start := 0.0, time.Now()
			for time.Since(start) < d {
				flops += fmaLoop(4096)
			}
			rates[i] = flops / float64(time.Since(start).Nanoseconds())
		})
	}
	done.Wait()
	sum := 0.0
	for _, r := range rates {
		sum += r
	}
	return sum
}

// fmaLoopGeneric runs n rounds of eight chains and returns the floating-point operations it did.
func fmaLoopGeneric(n int) float64 {
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
	if math.IsNaN(float64(s0 + s1 + s2 + s3 + s4 + s5 + s6 + s7)) {
		return 0
	}
	return 16 * float64(n)
}
