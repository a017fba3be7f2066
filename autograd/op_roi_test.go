package autograd

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/fovea-ml/fovea/simd"
)

const roiGoldens = "ops_roi.safetensors"

// roiCase returns the boxes and options of a golden case.
func roiCase(c *opCase) ([]Roi, RoiOptions) {
	v, shape := c.input("rois")
	rois := make([]Roi, shape[0])
	for k := range rois {
		r := v[5*k:]
		rois[k] = Roi{Image: int(r[0]), X0: r[1], Y0: r[2], X1: r[3], Y1: r[4]}
	}
	o := c.Ints("o")
	return rois, RoiOptions{OutH: o[0], OutW: o[1], SpatialScale: float64(o[2]) / 1000, SamplingRatio: o[3], Aligned: o[4] == 1}
}

func TestRoiAlign(t *testing.T) {
	checkOp(t, roiGoldens, "align/", func(c *opCase) []*Tensor {
		rois, o := roiCase(c)
		return []*Tensor{RoiAlign(c.Var("x"), rois, o)}
	})
}

func TestRoiPool(t *testing.T) {
	checkOp(t, roiGoldens, "pool/", func(c *opCase) []*Tensor {
		rois, o := roiCase(c)
		return []*Tensor{RoiPool(c.Var("x"), rois, o)}
	})
}

// TestRoiUntrusted gives boxes that a broken detector might: each ends soon and gives zeros or means of x.
func TestRoiUntrusted(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for _, r := range []Roi{
		{X0: nan, Y0: 0, X1: 2, Y1: 2}, {X0: 0, Y0: nan, X1: 2, Y1: 2}, {X0: 0, Y0: 0, X1: nan, Y1: 2}, {X0: 0, Y0: 0, X1: 2, Y1: nan},
		{X0: -inf, Y0: -inf, X1: inf, Y1: inf}, {X0: inf, Y0: inf, X1: -inf, Y1: -inf}, {X0: inf, Y0: 0, X1: inf, Y1: 2},
		{X0: -3e38, Y0: -3e38, X1: 3e38, Y1: 3e38}, {X0: -1e30, Y0: 0, X1: 2, Y1: 2}, {X0: -2e7, Y0: 0, X1: 2, Y1: 2},
	} {
		for _, o := range []RoiOptions{{OutH: 2, OutW: 2}, {OutH: 2, OutW: 2, Aligned: true}, {OutH: 2, OutW: 2, SamplingRatio: 2, SpatialScale: 0.25}} {
			for _, f := range []func(Operand, []Roi, RoiOptions) *Tensor{RoiAlign, RoiPool} {
				tape := NewTape(Options{Gradients: true, Debug: true})
				y := f(tape.Full(3, 1, 2, 4, 4).WantGradient(), []Roi{r}, o)
				for i, v := range y.data {
					if v != 0 && !(r.X0 == -2e7 && o.SpatialScale != 0) {
						t.Errorf("%v %v: value %d is %v, expected 0", r, o, i, v)
					}
				}
				Sum(y, false).Backward(NewGradients())
			}
		}
	}
	// The largest boxes that count: the samples in x are few of very many.
	for _, aligned := range []bool{false, true} {
		y := RoiAlign(NewTape(Options{}).Full(1, 1, 1, 8, 8), []Roi{{X0: -1e7, Y0: -1e7, X1: 1e7, Y1: 1e7}}, RoiOptions{OutH: 3, OutW: 1, Aligned: aligned})
		if !(y.data[1] > 0 && y.data[1] < 1e-10) || y.data[0] != 0 {
			t.Errorf("a box of 2e7 pixels gives %v", y.data)
		}
	}
	x := NewTape(Options{}).Input([]float32{1, nan, 2, 3}, 1, 1, 2, 2)
	if y := RoiPool(x, []Roi{{X1: 1, Y1: 1}, {Y0: 1, X1: 1, Y1: 1}}, RoiOptions{OutH: 1, OutW: 1}); y.data[0] == y.data[0] || y.data[1] != 3 {
		t.Errorf("NaN among the pixels gives %v, expected NaN and 3", y.data)
	}
	for _, empty := range [][]int{{1, 1, 0, 4}, {1, 1, 4, 0}, {1, 0, 4, 4}} {
		for _, y := range []*Tensor{
			RoiAlign(NewTape(Options{}).Full(1, empty...), []Roi{{X1: 2, Y1: 2}}, RoiOptions{OutH: 1, OutW: 1}),
			RoiPool(NewTape(Options{}).Full(1, empty...), []Roi{{X1: 2, Y1: 2}}, RoiOptions{OutH: 1, OutW: 1}),
		} {
			if len(y.data) > 0 && y.data[0] != 0 {
				t.Errorf("x %v gives %v, expected 0", empty, y.data)
			}
		}
	}
}

func TestRoiMistakes(t *testing.T) {
	tape := NewTape(Options{})
	x, one := tape.Full(1, 2, 1, 4, 4), RoiOptions{OutH: 1, OutW: 1}
	for name, f := range map[string]func(Operand, []Roi, RoiOptions) *Tensor{"roi align": RoiAlign, "roi pool": RoiPool} {
		wantShapeError(t, name+" no bins", func() { f(x, nil, RoiOptions{OutH: 1}) })
		wantShapeError(t, name+" too many bins", func() { f(x, []Roi{{}}, RoiOptions{OutH: math.MaxInt, OutW: 2}) })
		wantShapeError(t, name+" image 2 of 2", func() { f(x, []Roi{{Image: 2}}, one) })
		wantShapeError(t, name+" image -1", func() { f(x, []Roi{{Image: -1}}, one) })
		wantShapeError(t, name+" three dimensions", func() { f(tape.Full(1, 1, 4, 4), nil, one) })
	}
}

// TestRoiChannels compares channels side by side with one channel at a time: values and gradients have the same bits.
func TestRoiChannels(t *testing.T) {
	const n, c, h, w = 2, roiBlock + 6, 9, 13
	rng := rand.New(rand.NewPCG(1, 2))
	normal := func(n int) []float32 {
		x := make([]float32, n)
		for i := range x {
			x[i] = float32(rng.NormFloat64())
		}
		return x
	}
	rois := []Roi{{X0: 3, Y0: 3, X1: 1, Y1: 1}, {X0: float32(math.NaN()), X1: 2, Y1: 2}, {X0: -1e5, Y0: -1e5, X1: 1e5, Y1: 1e5}, {X0: 50, Y0: 50, X1: 90, Y1: 90}}
	for i := range 30 {
		x, y := 30*rng.Float32()-4, 20*rng.Float32()-4
		rois = append(rois, Roi{Image: i % n, X0: x, Y0: y, X1: x + 12*rng.Float32(), Y1: y + 12*rng.Float32()})
	}
	for _, o := range []RoiOptions{{OutH: 3, OutW: 4, SamplingRatio: 2, SpatialScale: 0.5}, {OutH: 2, OutW: 2, Aligned: true}, {OutH: 2, OutW: 2, Aligned: true, SamplingRatio: 1}} {
		size := o.OutH * o.OutW
		if !(&roiChannels{n: n, c: c, h: h, w: w}).pays(len(rois), size) || (&roiChannels{n: n, c: 1, h: h, w: w}).pays(len(rois), size) {
			t.Fatal("expected the channels side by side, and one channel not")
		}
		xv, dy := normal(n*c*h*w), normal(len(rois)*c*size)
		run := func(workers *simd.Workers, xv, dy []float32, c int) (values, dx []float32) {
			tape := NewTape(Options{Gradients: true, Debug: true, Workers: workers})
			x := tape.Input(xv, n, c, h, w).WantGradient()
			out := RoiAlign(x, rois, o)
			loss := Add(Sum(Mul(out, tape.Input(dy, len(rois), c, o.OutH, o.OutW)), false), Sum(x, false)) // two operations add to x
			y, grads := out.Floats(nil), NewGradients()
			loss.Backward(grads)
			return y, grads.OfTensor(x)
		}
		y, dx := run(simd.NewWorkers(0), xv, dy, c)
		for k := range c {
			var xk, dyk, wantY, wantDx []float32
			for i := range n {
				xk = append(xk, xv[(i*c+k)*h*w:][:h*w]...)
				wantDx = append(wantDx, dx[(i*c+k)*h*w:][:h*w]...)
			}
			for i := range rois {
				dyk = append(dyk, dy[(i*c+k)*size:][:size]...)
				wantY = append(wantY, y[(i*c+k)*size:][:size]...)
			}
			gotY, gotDx := run(nil, xk, dyk, 1)
			if !slices.Equal(gotY, wantY) || !slices.Equal(gotDx, wantDx) {
				t.Fatalf("%+v: channel %d differs", o, k)
			}
		}
	}
}
