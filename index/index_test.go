package index

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/fovea-ml/fovea/simd"
)

var ctx = context.Background()

func randomVector(rng *rand.Rand, dim int) []float32 {
	v := make([]float32, dim)
	for i := range v {
		v[i] = float32(rng.NormFloat64())
	}
	return v
}

// A model is an index as a map, searched one vector after another.
type model struct {
	o       Options
	vectors map[int64][]float32
}

// search is the definition of Search: every score by itself, sorted.
func (m *model) search(t *testing.T, vector []float32, k int, may func(id int64) bool) []Hit {
	t.Helper()
	var all []Hit
	for id, v := range m.vectors {
		if may == nil || may(id) {
			all = append(all, Hit{id, m.score(t, vector, v)})
		}
	}
	slices.SortFunc(all, func(a, b Hit) int {
		if a.Score > b.Score || a.Score == b.Score && a.ID < b.ID {
			return -1
		}
		return 1
	})
	return all[:min(k, len(all))]
}

func (m *model) score(t *testing.T, q, v []float32) float32 {
	t.Helper()
	unit := func(v []float32) []float32 {
		v = slices.Clone(v)
		if m.o.Metric == Cosine {
			sum := 0.0
			for _, c := range v {
				sum += float64(c) * float64(c)
			}
			for i := range v {
				if sum > 0 {
					v[i] = float32(float64(v[i]) / math.Sqrt(sum))
				}
			}
		}
		return v
	}
	q, v = unit(q), unit(v)
	switch m.o.Type {
	case Float16:
		h := make([]uint16, len(v))
		simd.F32ToF16(h, v)
		simd.F16ToF32(v, h)
	case Int8:
		a, b := make([]int16, len(q)), make([]int8, len(v))
		qs, vs := quantize(a, q, min(32767, (1<<24-1)/len(q))), quantize(b, v, 127)
		sum := int64(0)
		for i := range a {
			sum += int64(a[i]) * int64(b[i])
		}
		return float32(sum) * vs * qs
	}
	return simd.Dot(v, q)
}

var allOptions = []Options{
	{Dim: 24}, {Dim: 7, Metric: InnerProduct}, {Dim: 24, Type: Float16}, {Dim: 100, Type: Float16, Metric: InnerProduct},
	{Dim: 24, Type: Int8}, {Dim: 33, Type: Int8, Metric: InnerProduct}, {Dim: 1},
}

// Random additions, replacements, deletions, compactions and reopenings: an index in memory and one in a folder find
// what the definition finds, with the same bits.
func TestAgainstDefinition(t *testing.T) {
	for n, o := range allOptions {
		t.Run(fmt.Sprint(o), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(1, uint64(n)))
			dir := t.TempDir()
			memory, err := New(o)
			if err != nil {
				t.Fatal(err)
			}
			disk, err := Create(dir, o)
			if err != nil {
				t.Fatal(err)
			}
			m := &model{o, map[int64][]float32{}}
			steps := 60
			if testing.Short() {
				steps = 20
			}
			for step := range steps {
				switch rng.IntN(8) {
				default:
					var ids []int64
					var vectors [][]float32
					for range []int{1, 3, 40, 1500}[rng.IntN(3+step%7/6)] {
						id := rng.Int64N(4000) - 2000
						if slices.Contains(ids, id) {
							continue
						}
						ids = append(ids, id)
						vectors = append(vectors, randomVector(rng, o.Dim))
						m.vectors[id] = vectors[len(vectors)-1]
					}
					for _, x := range []*Index{memory, disk} {
						if err := x.Add(ids, vectors); err != nil {
							t.Fatal(err)
						}
					}
				case 0, 1:
					ids := []int64{5000}
					for id := range m.vectors {
						if rng.IntN(5) == 0 {
							ids = append(ids, id, id)
						}
					}
					want := 0
					for _, id := range ids {
						if _, ok := m.vectors[id]; ok {
							want++
							delete(m.vectors, id)
						}
					}
					for _, x := range []*Index{memory, disk} {
						if got, err := x.Delete(ids...); err != nil || got != want {
							t.Fatalf("deleted %d, %v, want %d", got, err, want)
						}
					}
				case 2:
					if err := errors.Join(memory.Compact(), disk.Compact()); err != nil {
						t.Fatal(err)
					}
					if n := len(disk.state.Load().segments); n > 1 {
						t.Fatalf("%d segments after Compact", n)
					}
				case 3:
					if err := disk.Close(); err != nil {
						t.Fatal(err)
					}
					if disk, err = Open(dir, OpenOptions{}); err != nil {
						t.Fatal(err)
					}
				}
				q := randomVector(rng, o.Dim)
				k := []int{0, 1, 10, 5000}[rng.IntN(4)]
				var so SearchOptions
				var may func(int64) bool
				switch rng.IntN(3) {
				case 0:
					may = func(id int64) bool { return id%3 == 0 }
					so.Filter = may
				case 1:
					so.IDs = []int64{}
					for range rng.IntN(300) {
						so.IDs = append(so.IDs, rng.Int64N(4000)-2000)
					}
					may = func(id int64) bool { return slices.Contains(so.IDs, id) }
				}
				want := m.search(t, q, k, may)
				for i, x := range []*Index{memory, disk} {
					x.Workers = simd.NewWorkers(step % 3)
					if x.Len() != len(m.vectors) {
						t.Fatalf("step %d, index %d: %d vectors, want %d", step, i, x.Len(), len(m.vectors))
					}
					got, err := x.Search(ctx, q, k, so)
					if err != nil || !slices.Equal(got, want) {
						t.Fatalf("step %d, index %d, k = %d: found\n%v, %v, want\n%v", step, i, k, got, err, want)
					}
				}
			}
			if n := len(disk.state.Load().segments); n > 40 {
				t.Errorf("%d segments", n)
			}
			for id, v := range m.vectors {
				got, ok := disk.Vector(id)
				if !ok || !disk.Has(id) || math.Abs(float64(m.score(t, got, got)-m.score(t, v, got))) > .02*float64(m.score(t, got, got)) {
					t.Fatalf("vector %d is %v, want about %v", id, got, v)
				}
			}
			if _, ok := disk.Vector(1 << 40); ok || disk.Has(1<<40) {
				t.Error("found an id that was never added")
			}
		})
	}
}

// Several queries at once find what each finds alone.
func TestSearchMany(t *testing.T) {
	for _, o := range allOptions {
		rng := rand.New(rand.NewPCG(2, 3))
		x, _ := New(o)
		var ids []int64
		var vectors [][]float32
		for id := range int64(3000) {
			ids, vectors = append(ids, id), append(vectors, randomVector(rng, o.Dim))
		}
		if err := x.Add(ids, vectors); err != nil {
			t.Fatal(err)
		}
		queries := vectors[:queriesAtOnce+20]
		many, err := x.SearchMany(ctx, queries, 7, SearchOptions{})
		if err != nil || len(many) != len(queries) {
			t.Fatal(len(many), err)
		}
		for i, q := range queries[queriesAtOnce-5:] {
			one, err := x.Search(ctx, q, 7, SearchOptions{})
			if err != nil || !slices.Equal(one, many[queriesAtOnce-5+i]) {
				t.Fatalf("%v: query %d: found %v, %v, want %v", o, i, one, err, many[queriesAtOnce-5+i])
			}
		}
		if none, err := x.SearchMany(ctx, nil, 7, SearchOptions{}); err != nil || len(none) != 0 {
			t.Errorf("no queries: %v, %v", none, err)
		}
	}
}

// Searches run beside additions and deletions, and find only states between them: batches of ten, whole.
func TestConcurrent(t *testing.T) {
	for _, dir := range []string{"", t.TempDir()} {
		x, err := New(Options{Dim: 8})
		if dir != "" {
			x, err = Create(dir, Options{Dim: 8})
		}
		if err != nil {
			t.Fatal(err)
		}
		var searchers, writers sync.WaitGroup
		done := make(chan struct{})
		for range 4 {
			searchers.Go(func() {
				rng := rand.New(rand.NewPCG(5, 6))
				for {
					select {
					case <-done:
						return
					default:
					}
					hits, err := x.Search(ctx, randomVector(rng, 8), 1<<20, SearchOptions{})
					if err != nil || len(hits)%10 != 0 {
						t.Errorf("%d hits, %v", len(hits), err)
						return
					}
				}
			})
		}
		for w := range int64(2) {
			writers.Go(func() {
				rng := rand.New(rand.NewPCG(7, uint64(w)))
				for batch := range int64(12) {
					var ids []int64
					var vectors [][]float32
					for i := range int64(10) {
						ids, vectors = append(ids, w*1000+batch*10+i), append(vectors, randomVector(rng, 8))
					}
					if err := x.Add(ids, vectors); err != nil {
						t.Error(err)
					}
					if batch%3 == 2 {
						if n, err := x.Delete(ids...); n != 10 || err != nil {
							t.Error(n, err)
						}
					}
				}
			})
		}
		writers.Wait()
		close(done)
		searchers.Wait()
		if x.Len() != 2*8*10 {
			t.Errorf("%d vectors", x.Len())
		}
	}
}

// Wrong calls give one error and change nothing.
func TestErrors(t *testing.T) {
	x, err := New(Options{Dim: 2, Type: Float16, Metric: InnerProduct})
	if err != nil {
		t.Fatal(err)
	}
	if err := x.Add([]int64{1}, [][]float32{{1, 2}}); err != nil {
		t.Fatal(err)
	}
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	add := func(ids []int64, vectors ...[]float32) func() error {
		return func() error { return x.Add(ids, vectors) }
	}
	search := func(k int, q ...float32) func() error {
		return func() error { _, err := x.Search(ctx, q, k, SearchOptions{}); return err }
	}
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	for want, f := range map[string]func() error{
		"found 1 and 2":                             add([]int64{1, 2}, []float32{1, 2}),
		"id 5 is given twice":                       add([]int64{5, 4, 5}, []float32{1, 2}, []float32{1, 2}, []float32{1, 2}),
		"vector 1: expected 2 components, found 3":  add([]int64{4, 5}, []float32{1, 2}, []float32{1, 2, 3}),
		"vector 0: component 1 is NaN":              add([]int64{4}, []float32{1, nan}),
		"vector 0: component 0 is +Inf":             add([]int64{4}, []float32{inf, 1}),
		"component 1 is -70000, beyond the range":   add([]int64{4}, []float32{1, -70000}),
		"search: vector 0: component 1 is NaN":      search(1, 1, nan),
		"search: vector 0: expected 2 components":   search(1, 1),
		"expected a k of at least 0, found -1":      search(-1, 1, 2),
		"search: context canceled":                  func() error { _, err := x.Search(cancelled, []float32{1, 2}, 1, SearchOptions{}); return err },
		"expected a dim of 1 to 65536, found 0":     func() error { _, err := New(Options{}); return err },
		"expected a dim of 1 to 65536, found 65537": func() error { _, err := New(Options{Dim: 65537}); return err },
		"found Type(9)":                             func() error { _, err := New(Options{Dim: 1, Type: 9}); return err },
		"found Metric(9)":                           func() error { _, err := Create(t.TempDir(), Options{Dim: 1, Metric: 9}); return err },
	} {
		if err := f(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("found error %v, want %q", err, want)
		}
	}
	if x.Len() != 1 {
		t.Errorf("%d vectors", x.Len())
	}
	if err := x.Add(nil, nil); err != nil {
		t.Error(err)
	}
	x.Close()
	_, deleted := x.Delete()
	for i, err := range []error{x.Add([]int64{2}, [][]float32{{1, 2}}), x.Add(nil, nil), deleted, x.Compact()} {
		if !errors.Is(err, ErrClosed) {
			t.Error(i, err)
		}
	}
	if hits, err := x.Search(ctx, []float32{1, 1}, 5, SearchOptions{}); err != nil || !slices.Equal(hits, []Hit{{1, 3}}) {
		t.Error(hits, err)
	}
}

// Vectors without a direction, and scores that overflow.
func TestExtremes(t *testing.T) {
	for _, typ := range []Type{Float32, Int8} {
		x, _ := New(Options{Dim: 2, Type: typ})
		if err := x.Add([]int64{1, 2, 3, 4}, [][]float32{{0, 0}, {3e38, 3e38}, {1e-45, 0}, {-1, 0}}); err != nil {
			t.Fatal(err)
		}
		hits, err := x.Search(ctx, []float32{0, 0}, 9, SearchOptions{})
		if err != nil || !slices.Equal(hits, []Hit{{1, 0}, {2, 0}, {3, 0}, {4, 0}}) && typ == Int8 {
			t.Error(hits, err)
		}
		hits, err = x.Search(ctx, []float32{1e30, 0}, 9, SearchOptions{})
		if err != nil || len(hits) != 4 || hits[0] != (Hit{3, 1}) || hits[3] != (Hit{4, -1}) || math.Abs(float64(hits[1].Score)-math.Sqrt2/2) > .01 {
			t.Error(typ, hits, err)
		}
	}
	x, _ := New(Options{Dim: 2, Metric: InnerProduct})
	if err := x.Add([]int64{1, 2, 3}, [][]float32{{3e38, 3e38}, {3e38, -3e38}, {1, 1}}); err != nil {
		t.Fatal(err)
	}
	hits, err := x.Search(ctx, []float32{10, 10}, 9, SearchOptions{})
	if inf := float32(math.Inf(1)); err != nil || !slices.Equal(hits, []Hit{{1, inf}, {3, 20}}) {
		t.Error(hits, err)
	}
}

// Int8 gives the scores of other types where a factor of them is large, and refuses what is larger.
func TestInt8Range(t *testing.T) {
	x, _ := New(Options{Dim: 1, Type: Int8, Metric: InnerProduct})
	if err := x.Add([]int64{1, 2}, [][]float32{{1e31}, {-9e30}}); err != nil {
		t.Fatal(err)
	}
	hits, err := x.Search(ctx, []float32{1e-30}, 9, SearchOptions{})
	if err != nil || len(hits) != 2 || math.Abs(float64(hits[0].Score)-10) > .1 || math.Abs(float64(hits[1].Score)+9) > .1 {
		t.Error(hits, err)
	}
	if err := x.Add([]int64{3}, [][]float32{{2e31}}); err == nil || !strings.Contains(err.Error(), "beyond the range of int8") {
		t.Error(err)
	}
}

// The best k are the first of more, also where rounding makes scores equal.
func TestInt8Ties(t *testing.T) {
	x, _ := New(Options{Dim: 1, Type: Int8, Metric: InnerProduct})
	var ids []int64
	var vectors [][]float32
	for i := range 200 {
		ids = append(ids, int64(i))
		vectors = append(vectors, []float32{1 + float32(i)/(1<<20)})
	}
	if err := x.Add(ids, vectors); err != nil {
		t.Fatal(err)
	}
	for _, q := range []float32{1e-40, 1e-43, 1e-45, 0.7} {
		all, err := x.Search(ctx, []float32{q}, 200, SearchOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range []int{1, 7, 63, 100} {
			hits, err := x.Search(ctx, []float32{q}, k, SearchOptions{})
			if err != nil || !slices.Equal(hits, all[:k]) {
				t.Errorf("query %g: the best %d are %v, of more %v, %v", q, k, hits[0], all[0], err)
			}
		}
	}
}

// Vectors of a wrong length are refused before memory is taken for right ones.
func TestAddLengths(t *testing.T) {
	x, _ := New(Options{Dim: MaxDim})
	ids := make([]int64, 1<<17)
	for i := range ids {
		ids[i] = int64(i)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if err := x.Add(ids, make([][]float32, len(ids))); err == nil {
		t.Error("expected an error")
	}
	if runtime.ReadMemStats(&after); after.TotalAlloc-before.TotalAlloc > 1<<28 {
		t.Errorf("took %d bytes", after.TotalAlloc-before.TotalAlloc)
	}
}
