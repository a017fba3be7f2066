package index

import (
	"math/rand/v2"
	"testing"
)

// The share of the exact ten closest vectors that rounded ones find, on clusters of close vectors. The package comment
// has the same for embeddings of sentences.
func TestRecall(t *testing.T) {
	const dim, clusters, members = 384, 100, 40
	rng := rand.New(rand.NewPCG(11, 12))
	var ids []int64
	var vectors, queries [][]float32
	for c := range clusters {
		center := randomVector(rng, dim)
		for m := range members + 1 {
			v := randomVector(rng, dim)
			for i := range v {
				v[i] = center[i] + .5*v[i]
			}
			if m == members {
				queries = append(queries, v)
			} else {
				ids, vectors = append(ids, int64(c*members+m)), append(vectors, v)
			}
		}
	}
	var exact [][]Hit
	for typ, least := range map[Type]float64{Float32: 1, Float16: .995, Int8: .96} {
		x, err := New(Options{Dim: dim, Type: typ})
		if err != nil {
			t.Fatal(err)
		}
		if err := x.Add(ids, vectors); err != nil {
			t.Fatal(err)
		}
		hits, err := x.SearchMany(ctx, queries, 10, SearchOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if exact == nil {
			y, _ := New(Options{Dim: dim})
			if err := y.Add(ids, vectors); err != nil {
				t.Fatal(err)
			}
			if exact, err = y.SearchMany(ctx, queries, 10, SearchOptions{}); err != nil {
				t.Fatal(err)
			}
		}
		found := 0
		for i := range hits {
			for _, h := range hits[i] {
				for _, e := range exact[i] {
					if h.ID == e.ID {
						found++
					}
				}
			}
		}
		recall := float64(found) / float64(10*len(queries))
		t.Logf("%s: %.4f", typ, recall)
		if recall < least {
			t.Errorf("%s: recall %.4f, expected at least %g", typ, recall, least)
		}
	}
}
