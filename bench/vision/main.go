// Command vision runs the cases of bench/vision.py, which times the same cases in Pillow.
//
//	printf 'prepare resize bilinear 4000 3000 224 1\nrun 10\n' | go run ./bench/vision
//
// Package serve describes the requests. The cases of "prepare" are:
//
//	resize FILTER WIDTH HEIGHT SIZE THREADS   resizes an image of WIDTH×HEIGHT to SIZE×SIZE
//	decode FILE                               decodes a file
//	folder DIR MODE THREADS                   converts all images in DIR to batches of 32 tensors
//	steps N THREADS                           runs N simulated training steps, each 10 matrix products of 512³
//	train DIR MODE THREADS                    converts a folder, with a simulated training step on each batch
//
// MODE is one of:
//
//   - crop: resizes the shorter side to 256 (bicubic), crops the center to 224×224, normalizes with ImageNet's
//     statistics
//   - stretch: resizes to 224×224 (bilinear), normalizes with mean and standard deviation 0.5
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"

	"github.com/fovea-ml/fovea/bench/internal/serve"
	"github.com/fovea-ml/fovea/data"
	"github.com/fovea-ml/fovea/simd"
	"github.com/fovea-ml/fovea/vision"
)

func main() { serve.Requests(os.Stdin, os.Stdout, prepare, nil) }

// prepare prepares a case and returns the function that runs it once.
func prepare(words []string) (func() error, error) {
	if len(words) == 0 {
		return nil, errors.New("expected a case")
	}
	kind, args := words[0], words[1:]
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
		m := vision.NewImage(number(2), number(1), 3)
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
				return fmt.Errorf("expected %d images, found %d", data.Len(), images)
			}
			return nil
		}, nil
	}
	return nil, fmt.Errorf("unknown case %s with %d arguments", kind, len(args))
}

// newStep returns a function that simulates a training step on the given number of threads.
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
