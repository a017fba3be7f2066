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

const goldens = "testdata/boxes.safetensors"

var thresholds = map[string]float64{"-0.5": -0.5, "0": 0, "0.3": 0.3, "0.5": 0.5, "0.7": 0.7, "0.95": 0.95, "1": 1}

func load(g *golden.File, name string) []Box {
	v := g.Floats(name)
	boxes := make([]Box, len(v)/4)
	for i := range boxes {
		boxes[i] = Box{X0: v[4*i], Y0: v[4*i+1], X1: v[4*i+2], Y1: v[4*i+3]}
	}
	return boxes
}

// TestNMS compares with torchvision, among others equal scores, boxes that are no boxes, and IoUs at a threshold.
func TestNMS(t *testing.T) {
	g := golden.Load(t, goldens)
	cases := 0
	for _, key := range g.Names() {
		name, ok := strings.CutSuffix(key, "/scores")
		if !ok {
			continue
		}
		boxes, scores, classes := load(g, name+"/boxes"), g.Floats(name+"/scores"), g.Ints(name+"/classes")
		for text, threshold := range thresholds {
			cases++
			if got, want := NMS(boxes, scores, threshold), g.Ints(name+"/nms/"+text); !slices.Equal(got, want) {
				t.Errorf("%s, threshold %s: kept %v, expected %v", name, text, got, want)
			}
			if got, want := NMSByClass(boxes, scores, classes, threshold), g.Ints(name+"/class/"+text); !slices.Equal(got, want) {
				t.Errorf("%s by class, threshold %s: kept %v, expected %v", name, text, got, want)
			}
		}
	}
	if cases != 11*len(thresholds) {
		t.Errorf("%d cases", cases)
	}
}

// TestNMSLarge compares the cells with the definition.
func TestNMSLarge(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 9))
	const n = 3000
	boxes, scores, classes := make([]Box, n), make([]float32, n), make([]int, n)
	for i := range boxes {
		x, y := r.Float32()*1000-500, r.Float32()*1000
		boxes[i] = Box{X0: x, Y0: y, X1: x + float32(math.Exp(r.Float64()*6)), Y1: y + float32(math.Exp(r.Float64()*6))}
		scores[i], classes[i] = float32(r.IntN(500)), r.IntN(3)
	}
	for _, threshold := range []float64{0, 0.1, 0.45, 0.8, math.NaN()} {
		var want []int
		order := make([]int, n)
		for i := range order {
			order[i] = i
		}
		slices.SortStableFunc(order, func(i, j int) int { return descending(scores[i], scores[j]) })
		for _, i := range order {
			if !slices.ContainsFunc(want, func(j int) bool {
				return classes[i] == classes[j] && float64(boxes[j].IoU(boxes[i])) > threshold
			}) {
				want = append(want, i)
			}
		}
		if got := NMSByClass(boxes, scores, classes, threshold); !slices.Equal(got, want) {
			t.Errorf("threshold %v: %d kept, expected %d", threshold, len(got), len(want))
		}
	}
}

// TestNMSPairs bounds the comparisons of many boxes; without the cells there would be about 2e9 and 5e9.
func TestNMSPairs(t *testing.T) {
	for name, boxes := range map[string][]Box{"an image": candidates(100_000), "rows": rows(100_000)} {
		order := make([]int, len(boxes))
		for i := range order {
			order[i] = i
		}
		k := newKept(boxes, nil, 0.5)
		k.filter(order)
		if k.pairs > 100*len(boxes) {
			t.Errorf("%s: %d boxes were compared %d times", name, len(boxes), k.pairs)
		}
	}
}

// candidates returns boxes of all sizes in an image.
func candidates(n int) []Box {
	r := rand.New(rand.NewPCG(1, 2))
	boxes := make([]Box, n)
	for i := range boxes {
		x, y := r.Float32()*1333, r.Float32()*800
		boxes[i] = Box{X0: x, Y0: y, X1: x + float32(math.Exp(2+r.Float64()*4)), Y1: y + float32(math.Exp(2+r.Float64()*4))}
	}
	return boxes
}

// rows returns thin and wide boxes side by side, a half of them a thousand times as large as the others.
func rows(n int) []Box {
	boxes := make([]Box, n)
	for i := range boxes {
		y := float32(i)
		boxes[i] = Box{X0: 0, Y0: y, X1: 1000, Y1: y + 1}
		if i%2 == 0 {
			boxes[i] = Box{X0: float32(i) * 1000, Y0: 2e5, X1: float32(i)*1000 + 1000, Y1: 3e5}
		}
	}
	return boxes
}

func BenchmarkNMS(b *testing.B) {
	boxes := candidates(100_000)
	r := rand.New(rand.NewPCG(3, 4))
	scores := make([]float32, len(boxes))
	for i := range scores {
		scores[i] = r.Float32()
	}
	for b.Loop() {
		NMS(boxes, scores, 0.5)
	}
}

func TestNMSMistakes(t *testing.T) {
	for name, f := range map[string]func(){
		"scores":  func() { NMS(make([]Box, 2), make([]float32, 1), 0.5) },
		"classes": func() { NMSByClass(make([]Box, 2), make([]float32, 2), make([]int, 3), 0.5) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("too few or too many %s: no panic", name)
				}
			}()
			f()
		}()
	}
}

func TestBox(t *testing.T) {
	g := golden.Load(t, goldens)
	same := func(what string, got, want float32) {
		t.Helper()
		if got != want && !(got != got && want != want) {
			t.Errorf("%s: %v, expected %v", what, got, want)
		}
	}
	for _, name := range []string{"plain", "odd"} {
		boxes, iou := load(g, "iou/"+name+"/boxes"), g.Floats("iou/"+name+"/out")
		center, clip := g.Floats("center/"+name), load(g, "clip/"+name)
		for i, a := range boxes {
			for j, b := range boxes {
				same(fmt.Sprintf("IoU of %v and %v", a, b), a.IoU(b), iou[i*len(boxes)+j])
			}
			cx, cy, w, h := a.Center()
			for k, v := range []float32{cx, cy, w, h} {
				same(fmt.Sprintf("center of %v, %d", a, k), v, center[4*i+k])
			}
			c := a.Clip(12, 8)
			for k, v := range []float32{c.X0, c.Y0, c.X1, c.Y1} {
				same(fmt.Sprintf("clip of %v, %d", a, k), v, []float32{clip[i].X0, clip[i].Y0, clip[i].X1, clip[i].Y1}[k])
			}
			if name == "plain" && FromCenter(cx, cy, w, h) != load(g, "corners/plain")[i] {
				t.Errorf("FromCenter of %v: %v", a, FromCenter(cx, cy, w, h))
			}
		}
	}
	for b, want := range map[Box]bool{{X0: 0, Y0: 0, X1: 1, Y1: 1}: true, {X0: -5, Y0: -5, X1: -4, Y1: -4}: true, {X0: 1, Y0: 0, X1: 0, Y1: 1}: false, {X0: 1, Y0: 1, X1: 0, Y1: 0}: false, {X0: 1, Y0: 1, X1: 1, Y1: 2}: false,
		{X0: 0, Y0: 0, X1: float32(math.Inf(1)), Y1: 1}: false, {X0: -1e30, Y0: -1e30, X1: 1e30, Y1: 1e30}: false, {X0: 0, Y0: 0, X1: float32(math.NaN()), Y1: 1}: false, {X0: 0, Y0: 0, X1: 1e-30, Y1: 1e-30}: false} {
		if b.Valid() != want {
			t.Errorf("%v: valid is %v", b, !want)
		}
	}
}
