package index

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/fovea-ml/fovea/simd"
)

// TestProduct expects of many queries what each finds alone, where scores differ in their last bits, overflow, or are
// denormal.
func TestProduct(t *testing.T) {
	const n = 1200
	for name, c := range map[string]struct {
		o     Options
		scale func(row int) float64
	}{
		"close":     {Options{Dim: 384, Metric: InnerProduct}, nil},
		"long":      {Options{Dim: 3000, Metric: InnerProduct}, nil},
		"products":  {Options{Dim: 100, Metric: InnerProduct}, nil},
		"float16":   {Options{Dim: 200, Type: Float16}, nil},
		"short":     {Options{Dim: 1, Metric: InnerProduct}, nil},
		"overflow":  {Options{Dim: 40, Metric: InnerProduct}, func(row int) float64 { return math.Pow(10, float64(row%38)) }},
		"underflow": {Options{Dim: 40, Metric: InnerProduct}, func(row int) float64 { return math.Pow(10, -float64(row%45)) }},
		"tiny":      {Options{Dim: 40, Metric: InnerProduct}, func(row int) float64 { return 1e-42 }},
	} {
		t.Run(name, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(3, uint64(c.o.Dim)))
			x, err := New(c.o)
			if err != nil {
				t.Fatal(err)
			}
			rows := n
			if c.o.Dim > 1000 {
				rows = 300
			}
			center := randomVector(rng, c.o.Dim)
			near := func(row int) []float32 {
				v := randomVector(rng, c.o.Dim)
				for i := range v {
					v[i] = center[i] + 3e-6*v[i]
					if c.scale != nil {
						v[i] = float32(float64(v[i]) * c.scale(row) / 4)
					}
				}
				return v
			}
			var ids []int64
			var vectors [][]float32
			for row := range rows {
				ids, vectors = append(ids, int64(row)), append(vectors, near(row))
			}
			for at := 0; at < rows; at += rows / 2 { // two segments
				if err := x.Add(ids[at:at+rows/2], vectors[at:at+rows/2]); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := x.Delete(ids[10:40]...); err != nil {
				t.Fatal(err)
			}
			var queries [][]float32
			for row := range leastQueries + 3 {
				queries = append(queries, near(row))
			}
			for _, s := range []SearchOptions{{}, {Filter: func(id int64) bool { return id%7 == 0 }}, {IDs: ids[100:]}} {
				for _, k := range []int{0, 1, 10, rows} {
					x.Workers = simd.NewWorkers(1 + k%2)
					many, err := x.SearchMany(ctx, queries, k, s)
					if err != nil {
						t.Fatal(err)
					}
					for i, q := range queries {
						one, err := x.Search(ctx, q, k, s)
						if err != nil || !slices.Equal(one, many[i]) {
							t.Fatalf("k %d, query %d: found %v, %v, want %v", k, i, head(many[i]), err, head(one))
						}
					}
				}
			}
		})
	}
}

func head(hits []Hit) string { return fmt.Sprint(hits[:min(5, len(hits))]) }

// TestMargin compares the scores of products with exact ones, for rows of different sizes: they differ, within the
// margin.
func TestMargin(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, dim := range []int{1, 40, 384, 5000} {
		worst := 0.0
		for range 300 {
			a, b := randomVector(rng, dim), randomVector(rng, dim)
			for i := range b { // one sign: the largest errors
				b[i] = float32(math.Copysign(float64(b[i]), float64(a[i])))
			}
			var product [1]float32
			simd.Gemm(nil, 1, 1, dim, simd.Matrix{Data: a, Stride: dim}, simd.Matrix{Data: b, Stride: dim, Trans: true}, 0, product[:], 1, nil)
			difference := math.Abs(float64(product[0]) - float64(simd.Dot(a, b)))
			worst = max(worst, difference/margin(dim, lengthBound(a)*lengthBound(b)))
		}
		if worst > .1 || dim > 1 && worst == 0 {
			t.Errorf("dim %d: differences are up to %.3g of the margin", dim, worst)
		}
	}
}
