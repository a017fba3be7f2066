package data

import (
	"fmt"
	"math"
	"slices"
	"testing"
)

// Streams must never change: runs are resumed and repeated by them.
func TestRandPinned(t *testing.T) {
	r := NewRand(1, 2, 3)
	got := []uint64{r.Uint64(), r.Uint64(), r.Uint64()}
	want := []uint64{0x6b2d61d05c1a93b4, 0x241af451ca0a3be2, 0xb01c1acc81b06a8a}
	if !slices.Equal(got, want) {
		t.Errorf("stream %#x, want %#x", got, want)
	}
	if p := NewRand(5, 0).Perm(10); !slices.Equal(p, []int{3, 7, 9, 8, 4, 2, 6, 5, 0, 1}) {
		t.Errorf("permutation %v", p)
	}
}

func TestRandKeys(t *testing.T) {
	seen := map[uint64]string{}
	for _, keys := range [][]uint64{{}, {0}, {1}, {0, 0}, {0, 1}, {1, 0}, {1, 1}, {2, 0}, {0, 2}} {
		for seed := range uint64(3) {
			v := NewRand(seed, keys...).Uint64()
			name := fmt.Sprint(seed, keys)
			if other, ok := seen[v]; ok {
				t.Errorf("keys %s and %s give the same stream", name, other)
			}
			seen[v] = name
		}
	}
	// Neighboring keys are unrelated: the mean of the first draws is ½.
	sum := 0.0
	const n = 20000
	for i := range uint64(n) {
		sum += NewRand(3, 0, i).Float64()
	}
	if mean := sum / n; math.Abs(mean-0.5) > 4/math.Sqrt(12*n) {
		t.Errorf("mean of first draws %.4f", mean)
	}
}

func TestRandMethods(t *testing.T) {
	r := NewRand(9)
	var count [7]int
	for range 70000 {
		count[r.IntN(7)]++
	}
	for v, c := range count {
		if math.Abs(float64(c)-10000) > 5*math.Sqrt(10000) {
			t.Errorf("%d drawn %d times of 70000", v, c)
		}
	}
	p := r.Perm(1000)
	slices.Sort(p)
	for i, v := range p {
		if i != v {
			t.Fatal("not a permutation")
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("IntN(0) did not panic")
		}
	}()
	r.IntN(0)
}

func TestRandDistributions(t *testing.T) {
	r := NewRand(11)
	const n = 40000
	var m1, m2, m4 float64
	for range n {
		v := r.Normal()
		m1, m2, m4 = m1+v/n, m2+v*v/n, m4+v*v*v*v/n
	}
	if math.Abs(m1) > 0.02 || math.Abs(m2-1) > 0.03 || math.Abs(m4-3) > 0.2 {
		t.Errorf("normal: moments %v, %v, %v", m1, m2, m4)
	}
	for _, alpha := range []float64{0.05, 0.8, 1, 3} {
		var mean, square float64
		for range n {
			v := r.Beta(alpha)
			if !(v >= 0 && v <= 1) {
				t.Fatalf("beta(%v) gave %v", alpha, v)
			}
			mean, square = mean+v/n, square+(v-0.5)*(v-0.5)/n
		}
		if want := 1 / (4 * (2*alpha + 1)); math.Abs(mean-0.5) > 0.01 || math.Abs(square-want) > 0.05*want {
			t.Errorf("beta(%v): mean %v, variance %v, want 0.5 and %v", alpha, mean, square, want)
		}
	}
}
