package detect

import (
	"context"
	"image"
	"math"
	"math/rand/v2"
	"testing"
)

// TestNotFinite expects no box that is not finite from a network that gives one.
func TestNotFinite(t *testing.T) {
	m := New(Config{ModelType: "fastestdet", ImageSize: 32}, 2, rand.New(rand.NewPCG(1, 2)))
	m.Options.MinScore = new(float32(-1))
	m.Network.(*FastestDet).Box.Predict.Conv.Weight.Update(func(v []float32) { v[0] = float32(math.NaN()) })
	found, err := m.Detect(context.Background(), image.NewGray(image.Rect(0, 0, 8, 8)))
	if err != nil || len(found) != 1 || len(found[0]) != 0 {
		t.Errorf("found %v, %v", found, err)
	}
	var c candidates
	for _, v := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		c.add(Box{X1: float32(v), Y1: 1}, 1, 0)
		c.add(Box{X1: 1, Y0: float32(v), Y1: 1}, 1, 0)
	}
	c.add(Box{X1: 1, Y1: 1}, 1, 0)
	if len(c.boxes) != 1 {
		t.Errorf("found %v", c.boxes)
	}
}
