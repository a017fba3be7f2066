// Command worker runs one measured piece of work at a time on request, so that bench/run.py can time it in
// turn with the same work in another engine. It reads lines from standard input:
//
//	prepare CASE THREADS   sets up a case and answers "ok" or "error …"
//	run N                  runs it N times and answers the least time in milliseconds
//	peak THREADS           answers the GFLOP/s of a register-only loop of fused multiply-adds
//	info                   answers what runs: architecture and instruction set
//	memory                 answers the process's peak resident memory in MB
//	loop NAME BATCH STEPS  trains for so many steps and answers the peak resident memory in MB after ten of them
//	                       and after all
//	allocated              answers the bytes a run took from the heap, on the mean of the last request
//
// Cases are gemm:M:K:N (weights as a model gives them, packed on the way), gemmpacked:M:K:N (packed ahead),
// vit:NAME:BATCH (inference), train:NAME:BATCH and mae:BATCH (a training step with AdamW).
package main

import (
	"bufio"
	"fmt"
	"math"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/fovea-ml/fovea/internal/peak"
	"github.com/fovea-ml/fovea/simd"
)

func main() {
	in := bufio.NewScanner(os.Stdin)
	var run func()
	var allocated uint64
	for in.Scan() {
		words := strings.Fields(in.Text())
		if len(words) == 0 {
			continue
		}
		switch words[0] {
		case "prepare":
			run = nil
			runtime.GC()
			f, err := prepare(words[1:])
			if err != nil {
				fmt.Println("error", err)
				continue
			}
			run = f
			fmt.Println("ok")
		case "run":
			if run == nil {
				fmt.Println("error nothing is prepared")
				continue
			}
			times, _ := strconv.Atoi(words[len(words)-1])
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			least := time.Duration(math.MaxInt64)
			for range max(1, times) {
				start := time.Now()
				run()
				least = min(least, time.Since(start))
			}
			runtime.ReadMemStats(&after)
			allocated = (after.TotalAlloc - before.TotalAlloc) / uint64(max(1, times))
			fmt.Println(float64(least.Nanoseconds()) / 1e6)
		case "peak":
			threads, _ := strconv.Atoi(words[1])
			fmt.Println(simd.FMAPeak(threads, 100*time.Millisecond))
		case "loop":
			early, late, err := loop(words[1:])
			if err != nil {
				fmt.Println("error", err)
				continue
			}
			fmt.Println(early, late)
		case "info":
			fmt.Println(simd.Info())
		case "allocated":
			fmt.Println(allocated)
		case "memory":
			fmt.Println(float64(peak.Memory()) / 1e6)
		default:
			fmt.Println("error unknown request", words[0])
		}
	}
}
