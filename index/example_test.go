package index_test

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/fovea-ml/fovea/index"
)

// An index in a folder: what is added stays, also when the process ends at any point.
func Example() {
	dir, err := os.MkdirTemp("", "index")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)

	x, err := index.Create(dir, index.Options{Dim: 3})
	if err != nil {
		log.Fatal(err)
	}
	err = x.Add([]int64{10, 20, 30}, [][]float32{{1, 0, 0}, {0, 1, 0}, {3, 4, 0}})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := x.Delete(20); err != nil {
		log.Fatal(err)
	}
	if err := x.Close(); err != nil {
		log.Fatal(err)
	}

	x, err = index.Open(dir, index.OpenOptions{})
	if err != nil {
		log.Fatal(err)
	}
	defer x.Close()
	hits, err := x.Search(context.Background(), []float32{0, 2, 0}, 5, index.SearchOptions{})
	if err != nil {
		log.Fatal(err)
	}
	for _, h := range hits {
		fmt.Printf("%d %.2f\n", h.ID, h.Score)
	}
	// Output:
	// 30 0.80
	// 10 0.00
}

// Texts, images or rows of a database: the caller's own table says what an id stands for. A filter narrows a search.
func ExampleIndex_Search_filter() {
	x, err := index.New(index.Options{Dim: 2, Metric: index.InnerProduct})
	if err != nil {
		log.Fatal(err)
	}
	if err := x.Add([]int64{1, 2, 3}, [][]float32{{1, 1}, {2, 2}, {3, 3}}); err != nil {
		log.Fatal(err)
	}
	odd := func(id int64) bool { return id%2 == 1 }
	hits, err := x.Search(context.Background(), []float32{1, 0}, 1, index.SearchOptions{Filter: odd})
	fmt.Println(hits, err)
	hits, err = x.Search(context.Background(), []float32{1, 0}, 2, index.SearchOptions{IDs: []int64{1, 2}})
	fmt.Println(hits, err)
	// Output:
	// [{3 3}] <nil>
	// [{2 2} {1 1}] <nil>
}

// An index in memory. Many queries at once take less time than one after the other.
func ExampleIndex_SearchMany() {
	colors := []string{"red", "green", "blue", "orange", "gray"}
	x, err := index.New(index.Options{Dim: 3})
	if err != nil {
		log.Fatal(err)
	}
	err = x.Add([]int64{0, 1, 2, 3, 4}, [][]float32{{1, 0, 0}, {0, 1, 0}, {0, 0, 1}, {1, .5, 0}, {1, 1, 1}})
	if err != nil {
		log.Fatal(err)
	}
	queries := [][]float32{{.9, .3, 0}, {.1, .1, .9}}
	found, err := x.SearchMany(context.Background(), queries, 2, index.SearchOptions{})
	if err != nil {
		log.Fatal(err)
	}
	for i, hits := range found {
		for _, h := range hits {
			fmt.Printf("%v: %s %.2f\n", queries[i], colors[h.ID], h.Score)
		}
	}
	// Output:
	// [0.9 0.3 0]: orange 0.99
	// [0.9 0.3 0]: red 0.95
	// [0.1 0.1 0.9]: blue 0.99
	// [0.1 0.1 0.9]: gray 0.70
}
