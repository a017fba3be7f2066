package boxes

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/fovea-ml/fovea/internal/test/golden"
)

const parts = "testdata/parts.safetensors"

// flat returns the edges of boxes one after the other.
func flat(boxes []Box) []float32 {
	v := make([]float32, 0, 4*len(boxes))
	for _, b := range boxes {
		v = append(v, b.X0, b.Y0, b.X1, b.Y1)
	}
	return v
}

// near compares numbers with a tolerance relative to their size, or to 1.
func near(t *testing.T, what string, got, want []float32, tolerance float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: %d numbers, expected %d", what, len(got), len(want))
		return
	}
	for i, v := range got {
		if d := math.Abs(float64(v) - float64(want[i])); !(d <= tolerance*max(1, math.Abs(float64(want[i])))) {
			t.Errorf("%s: number %d is %v, expected %v", what, i, v, want[i])
			return
		}
	}
}

// TestPairs compares GIoU, DIoU and CIoU of all pairs with torchvision's.
func TestPairs(t *testing.T) {
	g := golden.Load(t, parts)
	boxes := load(g, "pairs")
	for name, f := range map[string]func(b, c Box) float32{"giou": Box.GIoU, "diou": Box.DIoU, "ciou": Box.CIoU} {
		var got []float32
		for _, b := range boxes {
			for _, c := range boxes {
				got = append(got, f(b, c))
			}
		}
		near(t, name, got, g.Floats(name), 2e-6)
	}
}

// coder is what both coders do.
type coder interface {
	Encode(codes []float32, boxes, anchors []Box)
	Decode(boxes []Box, codes []float32, anchors []Box)
}

// TestCoders compares with torchvision, and decodes what was encoded.
func TestCoders(t *testing.T) {
	g := golden.Load(t, parts)
	anchors, boxes, codes := load(g, "coder/anchors"), load(g, "coder/boxes"), g.Floats("coder/codes")
	for name, c := range map[string]coder{
		"ones": Coder{}, "heads": Coder{Weights: [4]float32{10, 10, 5, 5}}, "shares": Distances{}, "pixels": Distances{Pixels: true},
	} {
		got, back := make([]float32, len(codes)), make([]Box, len(boxes))
		c.Encode(got, boxes, anchors)
		near(t, name+": encoded", got, g.Floats("coder/"+name+"/encoded"), 1e-5)
		c.Decode(back, got, anchors)
		near(t, name+": decoded again", flat(back), flat(boxes), 1e-5)
		c.Decode(back, codes, anchors)
		near(t, name+": decoded", flat(back), g.Floats("coder/"+name+"/decoded"), 1e-5)
		for what, f := range map[string]func(){
			"codes":   func() { c.Encode(got[1:], boxes, anchors) },
			"anchors": func() { c.Decode(back, codes, anchors[1:]) },
		} {
			if !panics(f) {
				t.Errorf("%s: too few %s: no panic", name, what)
			}
		}
	}
}

func panics(f func()) (yes bool) {
	defer func() { yes = recover() != nil }()
	f()
	return
}

// TestAnchors compares with torchvision to the bit.
func TestAnchors(t *testing.T) {
	g := golden.Load(t, parts)
	sizes := [][2]int{{3, 4}, {2, 1}, {5, 2}, {1, 3}}
	for i, size := range sizes {
		name := fmt.Sprintf("anchors/%d/", i)
		a, stride := Anchors{Sizes: g.Floats(name + "sizes"), Ratios: g.Floats(name + "ratios")}, g.Floats(name+"strides")
		if got := flat(a.Cell()); !slices.Equal(got, g.Floats(name+"cell")) {
			t.Errorf("%s: cell %v, expected %v", name, got, g.Floats(name+"cell"))
		}
		if got := flat(a.Grid(nil, size[0], size[1], stride[0], stride[1])); !slices.Equal(got, g.Floats(name+"grid")) {
			t.Errorf("%s: grid differs", name)
		}
	}
}

// TestMatch compares with torchvision.
func TestMatch(t *testing.T) {
	g := golden.Load(t, parts)
	for i := range 4 {
		name := fmt.Sprintf("match/%d/", i)
		limits := g.Floats(name + "limits")
		m := Matcher{Low: limits[0], High: limits[1], Best: limits[2] == 1}
		if got, want := m.Match(load(g, name+"objects"), load(g, name+"anchors")), g.Ints(name+"out"); !slices.Equal(got, want) {
			t.Errorf("%s: %v, expected %v", name, got, want)
		}
	}
	if got := (Matcher{High: 0.5, Best: true}).Match(nil, make([]Box, 2)); !slices.Equal(got, []int{NoObject, NoObject}) {
		t.Errorf("no objects: %v", got)
	}
}

// TestRadius compares with CenterNet's formulas, and the right radius with what it is for.
func TestRadius(t *testing.T) {
	g := golden.Load(t, parts)
	objects := g.Floats("radius/objects")
	for name, published := range map[string]bool{"published": true, "right": false} {
		var got []float32
		for o := range slices.Chunk(objects, 3) {
			got = append(got, float32(Radius(float64(o[0]), float64(o[1]), float64(o[2]), published)))
		}
		near(t, name, got, g.Floats("radius/"+name), 1e-5)
	}
	const h, w = 20, 30
	r := float32(Radius(h, w, 0.7, false))
	object, worst := Box{X0: 0, Y0: 0, X1: w, Y1: h}, float32(1)
	for _, b := range []Box{{X0: -r, Y0: -r, X1: w + r, Y1: h + r}, {X0: r, Y0: r, X1: w - r, Y1: h - r}, {X0: r, Y0: r, X1: w + r, Y1: h + r}} {
		worst = min(worst, object.IoU(b))
	}
	if math.Abs(float64(worst)-0.7) > 1e-5 {
		t.Errorf("the worst IoU at the radius is %v, expected 0.7", worst)
	}
}

func TestDrawGaussian(t *testing.T) {
	g := golden.Load(t, parts)
	heatmap := make([]float32, 12*17)
	spots := g.Ints("heatmap/spots")
	for s := range slices.Chunk(spots, 3) {
		DrawGaussian(heatmap, 12, 17, s[0], s[1], s[2])
	}
	near(t, "heatmap", heatmap, g.Floats("heatmap/out"), 1e-6)
	if heatmap[4*17+3] != 1 {
		t.Errorf("the center is %v", heatmap[4*17+3])
	}
	if !panics(func() { DrawGaussian(heatmap, 12, 16, 0, 0, 1) }) || !panics(func() { DrawGaussian(heatmap, 12, 17, 0, 0, -1) }) {
		t.Error("a wrong size or radius: no panic")
	}
}

// TestAssign compares the least costs with SciPy's.
func TestAssign(t *testing.T) {
	g := golden.Load(t, parts)
	for i := range 12 {
		name := fmt.Sprintf("assign/%d/", i)
		v, shape := g.Tensor(name + "cost")
		cost := make([]float64, len(v))
		for j, c := range v {
			cost[j] = float64(c)
		}
		sum := total(t, cost, shape[0], shape[1])
		near(t, name, []float32{float32(sum)}, g.Floats(name+"least"), 1e-6)
	}
}

// total assigns and returns the cost. It checks that rows and columns are used once, and as many as there can be.
func total(t *testing.T, cost []float64, rows, columns int) float64 {
	t.Helper()
	columnOf, err := Assign(cost, rows, columns)
	if err != nil {
		t.Fatal(err)
	}
	sum, n, used := 0.0, 0, map[int]bool{}
	for i, j := range columnOf {
		if j >= 0 {
			if used[j] {
				t.Errorf("%d×%d: column %d is assigned twice", rows, columns, j)
			}
			sum, n, used[j] = sum+cost[i*columns+j], n+1, true
		}
	}
	if len(columnOf) != rows || n != min(rows, columns) {
		t.Errorf("%d×%d: %d pairs", rows, columns, n)
	}
	return sum
}

// TestAssignAll compares with every assignment of small matrices, with forbidden pairs.
func TestAssignAll(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 5))
	impossible := 0
	for range 400 {
		rows, columns := 1+r.IntN(5), 1+r.IntN(5)
		cost := make([]float64, rows*columns)
		for i := range cost {
			if cost[i] = float64(r.IntN(20) - 10); r.IntN(3) == 0 {
				cost[i] = math.Inf(1)
			}
		}
		want := least(cost, rows, columns, 0, map[int]bool{}, max(0, rows-columns))
		columnOf, err := Assign(cost, rows, columns)
		if math.IsInf(want, 1) {
			if impossible++; err == nil {
				t.Errorf("%v: %v, expected an error", cost, columnOf)
			}
			continue
		}
		if got := total(t, cost, rows, columns); got != want {
			t.Errorf("%d×%d, %v: cost %v, expected %v", rows, columns, cost, got, want)
		}
	}
	if impossible == 0 || impossible > 300 {
		t.Errorf("%d impossible cases", impossible)
	}
	for _, v := range []float64{math.NaN(), math.Inf(-1)} {
		if _, err := Assign([]float64{1, 2, 3, v}, 2, 2); err == nil || !strings.Contains(err.Error(), "row 1 and column 1") {
			t.Errorf("a cost of %v: error %v", v, err)
		}
	}
	if !panics(func() { Assign(make([]float64, 3), 2, 2) }) {
		t.Error("too few costs: no panic")
	}
}

// least returns the least cost of the rows from row on, of which skip stay without a column.
func least(cost []float64, rows, columns, row int, used map[int]bool, skip int) float64 {
	if row == rows {
		return 0
	}
	best := math.Inf(1)
	if skip > 0 {
		best = least(cost, rows, columns, row+1, used, skip-1)
	}
	for j := range columns {
		if !used[j] {
			used[j] = true
			best = min(best, cost[row*columns+j]+least(cost, rows, columns, row+1, used, skip))
			used[j] = false
		}
	}
	return best
}
