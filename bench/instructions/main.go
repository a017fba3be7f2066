// Command instructions does one piece of work of package simd a number of times, for bench/instructions.py, which
// counts the instructions that an emulator executes:
//
//	go run ./bench/instructions gemm/int8 2
//
// Without arguments it lists the pieces of work.
package main

import (
	"fmt"
	"log"
	"os"
	"slices"
	"strconv"

	"github.com/fovea-ml/fovea/simd"
)

// Sizes are small: an emulator that counts executes about a million instructions a second.
const (
	m, n, k = 24, 48, 96 // of products
	length  = 1024       // of vectors
	row     = 256        // of rows in them

	heads, tokens, width = 1, 24, 32
)

var works = func() map[string]func() {
	x, y, z := numbers(length), numbers(length), make([]float32, length)
	gamma, beta := numbers(row), numbers(row)
	half := make([]uint16, length)
	works := map[string]func(){
		"add":       func() { simd.Add(z, x, y) },
		"sum":       func() { simd.Sum(x) },
		"exp":       func() { simd.Exp(z, x) },
		"gelu":      func() { simd.Gelu(z, x) },
		"softmax":   func() { simd.SoftmaxRows(z, x, length/row, row, row, row, 1) },
		"layernorm": func() { simd.LayerNormRows(z, x, gamma, beta, 1e-6, length/row, row, row, row, nil, nil) },
		"bf16":      func() { simd.F32ToBF16(half, x) },
	}
	a, b, c := numbers(m*k), numbers(n*k), make([]float32, m*n)
	q, v, scores, out := numbers(heads*tokens*width), numbers(heads*tokens*width), make([]float32, heads*tokens*tokens), make([]float32, heads*tokens*width)
	for _, mode := range []simd.Math{simd.Strict, simd.BF16, simd.Int8} {
		packed := simd.Pack(nil, k, n, simd.Matrix{Data: b, Stride: k, Trans: true}, simd.PackOptions{Math: mode})
		works["gemm/"+mode.String()] = func() {
			simd.GemmPacked(nil, m, simd.Matrix{Data: a, Stride: k}, packed, 0, c, n, nil)
		}
		works["row/"+mode.String()] = func() {
			simd.GemmPacked(nil, 1, simd.Matrix{Data: a, Stride: k}, packed, 0, c, n, nil)
		}
		works["attention/"+mode.String()] = func() {
			mode.GemmBatch(nil, heads, tokens, tokens, width, 0, func(i int) (a, b simd.Matrix, c []float32, ldc int) {
				at := i * tokens * width
				return simd.Matrix{Data: q[at:], Stride: width}, simd.Matrix{Data: q[at:], Stride: width, Trans: true}, scores[i*tokens*tokens:], tokens
			})
			simd.SoftmaxRows(scores, scores, heads*tokens, tokens, tokens, tokens, 0.125)
			mode.GemmBatch(nil, heads, tokens, width, tokens, 0, func(i int) (a, b simd.Matrix, c []float32, ldc int) {
				at := i * tokens * width
				return simd.Matrix{Data: scores[i*tokens*tokens:], Stride: tokens}, simd.Matrix{Data: v[at:], Stride: width}, out[at:], width
			})
		}
	}
	return works
}()

// numbers returns n numbers between -1 and 1.
func numbers(n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(i*7919%2003)/1001 - 1
	}
	return x
}

func main() {
	log.SetFlags(0)
	log.SetPrefix("instructions: ")
	if len(os.Args) == 1 {
		names := make([]string, 0, len(works))
		for name := range works {
			names = append(names, name)
		}
		slices.Sort(names)
		for _, name := range names {
			fmt.Println(name)
		}
		return
	}
	if len(os.Args) != 3 {
		log.Fatal("expected a piece of work and a number of rounds")
	}
	work, rounds := works[os.Args[1]], 0
	if work == nil {
		log.Fatalf("unknown work %q", os.Args[1])
	}
	rounds, err := strconv.Atoi(os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	for range rounds {
		work()
	}
}
