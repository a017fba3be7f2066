// Command index searches a million vectors for bench/index.py, which times faiss on the same.
//
//	go run ./bench/index vectors.f32 queries.f32 384
//
// The files hold float32 numbers, vector by vector. Package serve describes the requests. A case is the name of a type, a
// number of queries at once, and a number of threads:
//
//	prepare float32 1 2
//
// The program has two more requests:
//
//	read THREADS   answers the milliseconds that reading the prepared vectors takes, the best of five
//	recall K       answers the share of the exact K closest vectors that a search of the prepared type finds
package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"runtime"
	"strconv"
	"time"

	"github.com/fovea-ml/fovea/bench/internal/serve"
	"github.com/fovea-ml/fovea/index"
	"github.com/fovea-ml/fovea/simd"
)

// A bench holds the vectors and one prepared index of them.
type bench struct {
	vectors, queries [][]float32
	dim              int
	x                *index.Index
}

func main() {
	b, err := load()
	if err != nil {
		fmt.Fprintln(os.Stderr, "index:", err)
		os.Exit(1)
	}
	serve.Requests(os.Stdin, os.Stdout, b.prepare, map[string]func([]string) (string, error){"read": b.read, "recall": b.recall})
}

func load() (*bench, error) {
	if len(os.Args) != 4 {
		return nil, errors.New("expected a file of vectors, a file of queries, and a dimension")
	}
	dim, err := strconv.Atoi(os.Args[3])
	if err != nil {
		return nil, err
	}
	b := &bench{dim: dim}
	if b.vectors, err = readVectors(os.Args[1], dim); err != nil {
		return nil, err
	}
	b.queries, err = readVectors(os.Args[2], dim)
	return b, err
}

func readVectors(name string, dim int) ([][]float32, error) {
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	values := make([]float32, len(data)/4)
	for i := range values {
		values[i] = math.Float32frombits(binary.LittleEndian.Uint32(data[4*i:]))
	}
	vectors := make([][]float32, len(values)/dim)
	for i := range vectors {
		vectors[i] = values[i*dim:][:dim]
	}
	return vectors, nil
}

// fill makes an index of all vectors.
func (b *bench) fill(typ index.Type) (*index.Index, error) {
	x, err := index.New(index.Options{Dim: b.dim, Type: typ, Metric: index.InnerProduct})
	if err != nil {
		return nil, err
	}
	ids := make([]int64, len(b.vectors))
	for i := range ids {
		ids[i] = int64(i)
	}
	return x, x.Add(ids, b.vectors)
}

func (b *bench) prepare(words []string) (func() error, error) {
	if len(words) != 3 {
		return nil, errors.New("expected a type, a number of queries and a number of threads")
	}
	typ, ok := map[string]index.Type{"float32": index.Float32, "float16": index.Float16, "int8": index.Int8}[words[0]]
	if !ok {
		return nil, fmt.Errorf("unknown type %q", words[0])
	}
	queries, err := strconv.Atoi(words[1])
	if err != nil || queries < 1 || queries > len(b.queries) {
		return nil, fmt.Errorf("expected 1 to %d queries, found %q", len(b.queries), words[1])
	}
	threads, err := strconv.Atoi(words[2])
	if err != nil {
		return nil, err
	}
	if b.x == nil || b.x.Options().Type != typ {
		b.x = nil
		runtime.GC()
		if b.x, err = b.fill(typ); err != nil {
			return nil, err
		}
	}
	x, next := b.x, 0
	x.Workers = simd.NewWorkers(threads)
	return func() error {
		if next+queries > len(b.queries) {
			next = 0
		}
		next += queries
		_, err := x.SearchMany(context.Background(), b.queries[next-queries:next], 10, index.SearchOptions{})
		return err
	}, nil
}

// read adds up as many numbers as the vectors have bytes.
func (b *bench) read(words []string) (string, error) {
	threads, err := strconv.Atoi(words[0])
	if err != nil || b.x == nil {
		return "", errors.New("expected a prepared case and a number of threads")
	}
	const part = 1 << 18
	size := map[index.Type]int{index.Float32: 4, index.Float16: 2, index.Int8: 1}[b.x.Options().Type]
	x, w := make([]float32, len(b.vectors)*b.dim*size/4), simd.NewWorkers(threads)
	for i := range x {
		x[i] = 1 // so that each page has memory of its own
	}
	best := time.Duration(math.MaxInt64)
	for range 5 {
		start := time.Now()
		w.For((len(x)+part-1)/part, func(i int) { simd.Sum(x[i*part : min((i+1)*part, len(x))]) })
		best = min(best, time.Since(start))
	}
	return fmt.Sprint(float64(best.Nanoseconds()) / 1e6), nil
}

func (b *bench) recall(words []string) (string, error) {
	k, err := strconv.Atoi(words[0])
	if err != nil || b.x == nil {
		return "", errors.New("expected a prepared case and a number of hits")
	}
	exact, err := b.fill(index.Float32)
	if err != nil {
		return "", err
	}
	want, err := exact.SearchMany(context.Background(), b.queries, k, index.SearchOptions{})
	if err != nil {
		return "", err
	}
	got, err := b.x.SearchMany(context.Background(), b.queries, k, index.SearchOptions{})
	if err != nil {
		return "", err
	}
	found := 0
	for i := range want {
		ids := map[int64]bool{}
		for _, h := range want[i] {
			ids[h.ID] = true
		}
		for _, h := range got[i] {
			if ids[h.ID] {
				found++
			}
		}
	}
	return fmt.Sprint(float64(found) / float64(k*len(want))), nil
}
