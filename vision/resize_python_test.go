package vision

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"math"
	"os"
	"testing"

	"github.com/fovea-ml/fovea/data"
	"github.com/fovea-ml/fovea/internal/test/oracle"
	"github.com/fovea-ml/fovea/simd"
)

// Sizes, channels, filters and boxes at random, and twelve megapixels to 224 with each filter, against the Pillow of
// the Python that FOVEA_PYTHON names.
func TestResizePython(t *testing.T) {
	cmd := oracle.Command(t, "Pillow 13", "check_resize.py")
	type resizeCase struct {
		In       [2]int    `json:"in"`
		Out      [2]int    `json:"out"`
		Channels int       `json:"channels"`
		Filter   string    `json:"filter"`
		Box      []float32 `json:"box"`
	}
	var cases []resizeCase
	for f := range filterCount {
		cases = append(cases, resizeCase{In: [2]int{4000, 3000}, Out: [2]int{224, 224}, Channels: 3, Filter: f.String()})
	}
	rng := data.NewRand(13)
	side := func() int { return int(math.Exp(rng.Uniform(0, math.Log(700)))) } // small ones as often as large ones
	for len(cases) < 1500 {
		c := resizeCase{In: [2]int{side(), side()}, Channels: []int{1, 3, 3, 4}[rng.IntN(4)]}
		for range 4 {
			c.Filter = Filter(rng.IntN(int(filterCount))).String()
			c.Out = [2]int{side(), side()}
			c.Box = nil
			if rng.IntN(3) == 0 {
				w, h := float64(c.In[0]), float64(c.In[1])
				x, y := rng.Uniform(0, w*0.9), rng.Uniform(0, h*0.9)
				quarter := func(v float64) float32 { return float32(math.Floor(4*v) / 4) } // exact in JSON and in float32
				box := []float32{quarter(x), quarter(y), quarter(rng.Uniform(x, w)) + 0.25, quarter(rng.Uniform(y, h)) + 0.25}
				if box[2] <= float32(w) && box[3] <= float32(h) {
					c.Box = box
				}
			}
			cases = append(cases, c)
		}
	}
	input, err := json.Marshal(cases)
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdin = bytes.NewReader(input)
	cmd.Stderr = os.Stderr
	answer, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	if err := json.Unmarshal(answer, &want); err != nil || len(want) != len(cases) {
		t.Fatalf("%d answers for %d cases: %v", len(want), len(cases), err)
	}
	var m *Image
	for i, c := range cases {
		if m == nil || m.Width != c.In[0] || m.Height != c.In[1] || m.Channels != c.Channels {
			m = testImage(c.In[1], c.In[0], c.Channels)
		}
		r := Resizer{Filter: filterNamed(t, c.Filter), Workers: simd.NewWorkers(1 + i%2)}
		box := m.whole()
		if c.Box != nil {
			box = SourceBox{c.Box[0], c.Box[1], c.Box[2], c.Box[3]}
		}
		got, err := r.ResizeBox(m, box, c.Out[1], c.Out[0])
		if err != nil {
			t.Fatal(err)
		}
		if sum := sha256.Sum256(got.Pix); hex.EncodeToString(sum[:]) != want[i] {
			t.Errorf("%+v: pixels differ from Pillow's", c)
		}
	}
	t.Logf("%d combinations", len(cases))
}
