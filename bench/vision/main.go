// Command vision runs one measured piece of work on images at a time on request, so that bench/vision.py can time it
// in turn with the same work in Pillow. It reads lines from standard input:
//
//	resize FILTER WIDTH HEIGHT SIZE THREADS   prepares to resize WIDTH×HEIGHT pixels to SIZE×SIZE; answers "ok" or "error …"
//	decode FILE                               prepares to decode one file
//	folder DIR MODE THREADS                   prepares to turn all images below DIR into batches of 32 tensors
//	steps N THREADS                           prepares N stand-ins for a training step, 10 products of 512³ each
//	train DIR MODE THREADS                    prepares folder with such a step on each batch
//	run N                                     runs it N times and answers the least time in milliseconds
//	info                                      answers what runs: architecture and instruction set
//	memory                                    answers the process's peak resident memory in MB
//	allocated                                 answers the kB a run took from the heap, on the mean of the last request
//
// MODE is crop (the shorter side to 256 bicubic, the center 224×224, ImageNet's statistics) or stretch (to 224×224
// bilinear, statistics of one half).
package main

import (
	"bufio"
	"context"
	"fmt"
	"math"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/fovea-ml/fovea/data"
	"github.com/fovea-ml/fovea/internal/peak"
	"github.com/fovea-ml/fovea/simd"
	"github.com/fovea-ml/fovea/vision"
)

func main() {
	in := bufio.NewScanner(os.Stdin)
	var run func() error
	var allocated uint64
	for in.Scan() {
		words := strings.Fields(in.Text())
		if len(words) == 0 {
			continue
		}
		switch words[0] {
		case "resize", "decode", "folder", "steps", "train":
			f, err := prepare(words[0], words[1:])
			run = f
			if err != nil {
				fmt.Println("error", err)
				continue
			}
			runtime.GC()
			fmt.Println("ok")
		case "run":
			if run == nil || len(words) != 2 {
				fmt.Println("error nothing is prepared")
				continue
			}
			times, _ := strconv.Atoi(words[1])
			least, bytes, err := measure(run, max(1, times))
			if err != nil {
				fmt.Println("error", err)
				continue
			}
			allocated = bytes
			fmt.Println(float64(least.Nanoseconds()) / 1e6)
		case "info":
			fmt.Println(simd.Info())
		case "memory":
			fmt.Println(float64(peak.Memory()) / 1e6)
		case "allocated":
			fmt.Println(float64(allocated) / 1e3)
		default:
			fmt.Println("error unknown request", words[0])
		}
	}
}

func measure(run func() error, times int) (least time.Duration, allocated uint64, err error) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	least = math.MaxInt64
	for range times {
		start := time.Now()
		if err := run(); err != nil {
			return 0, 0, err
		}
		least = min(least, time.Since(start))
	}
	runtime.ReadMemStats(&after)
	return least, (after.TotalAlloc - before.TotalAlloc) / uint64(times), nil
}

func prepare(kind string, args []string) (func() error, error) {
	number := func(i int) int {
		n, _ := strconv.Atoi(args[i])
		return n
	}
	switch {
	case kind == "resize" && len(args) == 5:
		var filter vision.Filter
		for filter.String() != args[0] {
			if filter++; filter > 16 {
				return nil, fmt.Errorf("unknown filter %s", args[0])
			}
		}
		m := vision.NewImage(number(1), number(2), 3)
		r := data.NewRand(1)
		for i := range m.Pix {
			m.Pix[i] = uint8(r.Uint64())
		}
		runtime.GOMAXPROCS(number(4))
		resizer := vision.Resizer{Filter: filter, Workers: simd.NewWorkers(number(4))}
		return func() error { _, err := resizer.Resize(m, number(3), number(3)); return err }, nil
	case kind == "decode" && len(args) == 1:
		data, err := os.ReadFile(args[0])
		if err != nil {
			return nil, err
		}
		runtime.GOMAXPROCS(1)
		return func() error { _, err := vision.DecodeBytes(data, vision.DecodeOptions{}); return err }, nil
	case kind == "steps" && len(args) == 2:
		runtime.GOMAXPROCS(number(1))
		step := newStep(number(1))
		return func() error {
			for range number(0) {
				step()
			}
			return nil
		}, nil
	case (kind == "folder" || kind == "train") && len(args) == 3:
		data, err := vision.OpenDir(args[0], vision.FolderOptions{Unlabeled: true})
		if err != nil {
			return nil, err
		}
		p := vision.ImageNet(224)
		if args[1] == "stretch" {
			p = vision.Half(224)
		}
		runtime.GOMAXPROCS(number(2))
		loader := &vision.Loader{Data: data, Preprocess: p, BatchSize: 32, Goroutines: number(2)}
		step := func() {}
		if kind == "train" {
			step = newStep(number(2))
		}
		return func() error {
			images := 0
			for b, err := range loader.Epoch(context.Background(), 0) {
				if err != nil {
					return err
				}
				images += len(b.Labels)
				step()
			}
			if images != data.Len() {
				return fmt.Errorf("%d of %d images", images, data.Len())
			}
			return nil
		}, nil
	}
	return nil, fmt.Errorf("%s with %d words", kind, len(args))
}

// newStep returns a stand-in for a training step on a number of cores.
func newStep(threads int) func() {
	const n = 512
	w := simd.NewWorkers(threads)
	a, b, c := make([]float32, n*n), make([]float32, n*n), make([]float32, n*n)
	return func() {
		for range 10 {
			simd.Gemm(w, n, n, n, simd.Matrix{Data: a, Stride: n}, simd.Matrix{Data: b, Stride: n}, 0, c, n, nil)
		}
	}
}
