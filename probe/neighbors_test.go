package probe

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/fovea-ml/fovea/internal/test/golden"
	"github.com/fovea-ml/fovea/simd"
)

// TestNeighborsSklearn compares neighbors, similarities and both votes with scikit-learn's.
func TestNeighborsSklearn(t *testing.T) {
	g := golden.Load(t, "testdata/neighbors.safetensors")
	x, labels, queries := g.Floats("features"), g.Ints("labels"), g.Floats("queries")
	for name, metric := range map[string]Metric{"cosine": Cosine, "euclidean": Euclidean} {
		t.Run(name, func(t *testing.T) {
			o := NeighborsOptions{K: 7, Metric: metric, Workers: simd.NewWorkers(2)}
			s, err := FitNeighbors(x, labels, 6, o)
			if err != nil {
				t.Fatal(err)
			}
			var index []int
			similarity := g.Floats(name + "/similarity")
			for i, nearest := range s.Nearest(queries, 7) {
				for j, neighbor := range nearest {
					index = append(index, neighbor.Index)
					if want := similarity[i*7+j]; !(math.Abs(float64(neighbor.Similarity-want)) <= 2e-6) {
						t.Errorf("query %d has the neighbor %+v, expected the similarity %v", i, neighbor, want)
					}
				}
			}
			if want := g.Ints(name + "/index"); !slices.Equal(index, want) {
				t.Errorf("neighbors %d, expected %d", index, want)
			}
			if got, want := s.Predict(queries), g.Ints(name+"/majority"); !slices.Equal(got, want) {
				t.Errorf("predicted %d, expected %d", got, want)
			}
			o.Temperature = 0.07
			if s, err = FitNeighbors(x, labels, 6, o); err != nil {
				t.Fatal(err)
			}
			if got, want := s.Predict(queries), g.Ints(name+"/weighted"); !slices.Equal(got, want) {
				t.Errorf("predicted %d with weights, expected %d", got, want)
			}
		})
	}
}

func TestNeighborsTies(t *testing.T) {
	// Rows 1 and 3 point the same way, and row 4 nowhere.
	x := []float32{0, 1, 2, 0, -1, 0, 1, 0, 0, 0}
	labels := []int{2, 1, 0, 0, 2}
	for _, c := range []struct {
		name    string
		o       NeighborsOptions
		query   []float32
		nearest []Neighbor
		class   int
	}{
		{"equal rows", NeighborsOptions{K: 2}, []float32{3, 0}, []Neighbor{{1, 1}, {3, 1}}, 0},
		{"all rows", NeighborsOptions{K: 9}, []float32{3, 0}, []Neighbor{{1, 1}, {3, 1}, {0, 0}, {4, 0}, {2, -1}}, 0},
		{"query of zeros", NeighborsOptions{K: 3}, []float32{0, 0}, []Neighbor{{0, 0}, {1, 0}, {2, 0}}, 0},
		{"euclidean", NeighborsOptions{K: 3, Metric: Euclidean}, []float32{1, 0}, []Neighbor{{3, 0}, {1, -1}, {4, -1}}, 0},
		{"by distance", NeighborsOptions{K: 3, Metric: Euclidean, Temperature: 0.1}, []float32{2, 0}, []Neighbor{{1, 0}, {3, -1}, {4, -2}}, 1},
		{"small temperature", NeighborsOptions{K: 3, Temperature: 1e-9}, []float32{0, 1}, []Neighbor{{0, 1}, {1, 0}, {2, 0}}, 2},
		{"NaN", NeighborsOptions{K: 2}, []float32{float32(math.NaN()), 0}, []Neighbor{{0, float32(math.NaN())}, {1, float32(math.NaN())}}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := FitNeighbors(x, labels, 3, c.o)
			if err != nil {
				t.Fatal(err)
			}
			same := func(a, b Neighbor) bool {
				return a.Index == b.Index && (math.Abs(float64(a.Similarity-b.Similarity)) < 1e-6 || b.Similarity != b.Similarity && a.Similarity != a.Similarity)
			}
			if got := s.Nearest(c.query, c.o.K)[0]; !slices.EqualFunc(got, c.nearest, same) {
				t.Errorf("nearest %v, expected %v", got, c.nearest)
			}
			if got := s.Predict(c.query); !slices.Equal(got, []int{c.class}) {
				t.Errorf("predicted %d, expected %d", got, c.class)
			}
		})
	}
}

// TestNeighborsBlocks compares many queries, which are searched in several blocks, with plain loops.
func TestNeighborsBlocks(t *testing.T) {
	const n, d, m = 3000, 3, 3001
	x, q := make([]float32, n*d), make([]float32, m*d)
	state := uint32(1)
	for _, s := range [][]float32{x, q} {
		for i := range s {
			state = state*1664525 + 1013904223
			s[i] = 1e4 + float32(state>>8)/(1<<24) // far from the origin
		}
	}
	labels := make([]int, n)
	for i := range labels {
		labels[i] = i % 10
	}
	serial, err := FitNeighbors(x, labels, 10, NeighborsOptions{Metric: Euclidean})
	if err != nil {
		t.Fatal(err)
	}
	parallel, err := FitNeighbors(x, labels, 10, NeighborsOptions{Metric: Euclidean, Workers: simd.NewWorkers(3)})
	if err != nil {
		t.Fatal(err)
	}
	nearest := serial.Nearest(q, 3)
	if got := parallel.Nearest(q, 3); len(got) != m || !slices.EqualFunc(got, nearest, slices.Equal[[]Neighbor]) {
		t.Error("workers change the neighbors")
	}
	for i := 0; i < m; i += 100 {
		best := 0
		for j := range n {
			if distance(q[i*d:(i+1)*d], x[j*d:(j+1)*d]) < distance(q[i*d:(i+1)*d], x[best*d:(best+1)*d]) {
				best = j
			}
		}
		if nearest[i][0].Index != best {
			t.Errorf("query %d has the neighbor %v, expected %d", i, nearest[i][0], best)
		}
	}
}

// TestHighest compares the selection with a full sort.
func TestHighest(t *testing.T) {
	values := make([]float32, 500)
	for i := range values {
		values[i] = float32(i * i % 97)
	}
	var all []Neighbor
	for i, v := range values {
		all = append(all, Neighbor{i, v})
	}
	slices.SortFunc(all, closer)
	for _, k := range []int{0, 1, 2, 5, 100, 499, 500, 501} {
		if got := highest(values, k); !slices.Equal(got, all[:min(k, 500)]) {
			t.Errorf("the %d highest are %v", k, got)
		}
	}
}

func TestNeighborsErrors(t *testing.T) {
	x := []float32{1, 2, 3, 4}
	for _, c := range []struct {
		want    string
		x       []float32
		labels  []int
		classes int
		o       NeighborsOptions
	}{
		{"no samples", nil, nil, 2, NeighborsOptions{}},
		{"features of 3 samples, found 4", x, []int{0, 0, 0}, 2, NeighborsOptions{}},
		{"features of 2 samples, found 0", nil, []int{0, 0}, 2, NeighborsOptions{}},
		{"found +Inf in feature 1 of sample 0", []float32{1, float32(math.Inf(1))}, []int{0}, 1, NeighborsOptions{}},
		{"label of sample 1 in 0 to 1, found 2", x, []int{0, 2}, 2, NeighborsOptions{}},
		{"label of sample 0 in 0 to 1, found -1", x, []int{-1, 0}, 2, NeighborsOptions{}},
		{"K of at least 0, found -1", x, []int{0, 1}, 2, NeighborsOptions{K: -1}},
		{"unknown metric 7", x, []int{0, 1}, 2, NeighborsOptions{Metric: 7}},
		{"Temperature of at least 0, found -1", x, []int{0, 1}, 2, NeighborsOptions{Temperature: -1}},
		{"Temperature of at least 0, found NaN", x, []int{0, 1}, 2, NeighborsOptions{Temperature: math.NaN()}},
	} {
		if _, err := FitNeighbors(c.x, c.labels, c.classes, c.o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("found the error %v, expected %q", err, c.want)
		}
	}
	s, err := FitNeighbors(x, []int{0, 1}, 2, NeighborsOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if got := s.Predict(nil); len(got) != 0 {
		t.Errorf("no queries give %v", got)
	}
	defer func() {
		if recover() == nil {
			t.Error("queries of another width did not panic")
		}
	}()
	s.Predict(x[:3])
}

// Rows that are close together and far from the origin have products that differ by less than float32 rounds.
func TestNearestIsExact(t *testing.T) {
	const n, d = 200, 8
	for _, far := range []float64{1, 100, 1000, 1e18} {
		r := rand.New(rand.NewPCG(1, 2))
		x := make([]float32, n*d)
		for i := range x {
			center := far * float64(1+i%d%3)
			if i/d%2 == 1 {
				center = -center
			}
			x[i] = float32(center * (1 + 1e-4*r.NormFloat64()))
		}
		for _, metric := range []Metric{Cosine, Euclidean} {
			s, err := FitNeighbors(x, make([]int, n), 1, NeighborsOptions{Metric: metric})
			if err != nil {
				t.Fatal(err)
			}
			for i, nearest := range s.Nearest(x, 3) {
				query := s.rows[i*d : (i+1)*d]
				var want []Neighbor
				for k := range n {
					row := s.rows[k*d : (k+1)*d]
					v := product(query, row)
					if metric == Euclidean {
						v = -distance(query, row)
					}
					want = append(want, Neighbor{k, float32(v)})
				}
				slices.SortFunc(want, closer)
				if !slices.Equal(nearest, want[:3]) {
					t.Fatalf("%v from the origin, metric %d, row %d: expected %v, found %v", far, metric, i, want[:3], nearest)
				}
			}
		}
	}
}
