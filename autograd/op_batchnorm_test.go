package autograd

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/fovea-ml/fovea/internal/test/golden"
	"github.com/fovea-ml/fovea/simd"
)

const norm2dGoldens = "ops_norm2d.safetensors"

func bufferOf(v []float32) *Buffer {
	b := NewBuffer(0, len(v))
	b.Update(func(values []float32) { copy(values, v) })
	return b
}

func TestBatchNorm(t *testing.T) {
	checkOp(t, norm2dGoldens, "batch/", func(c *opCase) []*Tensor {
		return []*Tensor{BatchNorm(c.Var("x"), c.Param("w"), c.Param("b"), nil, nil, BatchNormOptions{})}
	})
	checkOp(t, norm2dGoldens, "batchplain/", func(c *opCase) []*Tensor {
		return []*Tensor{BatchNorm(c.Var("x"), nil, nil, nil, nil, BatchNormOptions{Eps: 1e-3})}
	})
	checkOp(t, norm2dGoldens, "batchfrozen/", func(c *opCase) []*Tensor {
		m, v := bufferOf(c.g.Floats(c.name+"/mean")), bufferOf(c.g.Floats(c.name+"/variance"))
		return []*Tensor{BatchNorm(c.Var("x"), c.Var("w"), c.Var("b"), m, v, BatchNormOptions{})}
	})
}

func TestBatchNormFused(t *testing.T) {
	checkOp(t, norm2dGoldens, "fused/", func(c *opCase) []*Tensor {
		m, v := bufferOf(c.g.Floats(c.name+"/mean")), bufferOf(c.g.Floats(c.name+"/variance"))
		o := BatchNormOptions{Act: []Activation{ActRelu, ActGelu, ActNone}[c.Ints("o")[1]]}
		if c.Ints("o")[0] == 1 {
			m, v = nil, nil
		}
		if c.name[len(c.name)-2] == '1' {
			o.Residual = c.Var("r")
		}
		return []*Tensor{BatchNorm(c.Var("x"), c.Var("w"), c.Param("b"), m, v, o)}
	})
}

// TestBatchNormFusedBits: a residual and an activation give the bits of Add and Activate, forward and backward, where
// gradients are new and where they are added to, and where the residual is x.
func TestBatchNormFusedBits(t *testing.T) {
	for _, xs := range [][]int{{3, 5, 60, 71}, {2, 40, 7, 7}, {70, 130}} {
		x, r, seed := normals(1, elements("test", xs)), normals(2, elements("test", xs)), normals(3, elements("test", xs))
		c := xs[1]
		w, b := ParameterOf(normals(4, c), c), ParameterOf(normals(5, c), c)
		for _, act := range []Activation{ActNone, ActRelu, ActSilu} {
			for _, kind := range []string{"none", "residual", "itself", "shared"} {
				run := func(fused, frozen bool) (all [][]float32) {
					tape := NewTape(Options{Gradients: true, Training: !frozen, Debug: true, Workers: simd.NewWorkers(2)})
					xt, rt := tape.Input(x, xs...).WantGradient(), tape.Input(r, xs...).WantGradient()
					m, v := NewBuffer(0.25, c), NewBuffer(2, c)
					var o BatchNormOptions
					switch kind {
					case "residual", "shared":
						o.Residual = rt
					case "itself":
						o.Residual = xt
					}
					var y *Tensor
					if fused {
						o.Act = act
						y = BatchNorm(xt, w, b, m, v, o)
					} else {
						y = BatchNorm(xt, w, b, m, v, BatchNormOptions{})
						if o.Residual != nil {
							y = Add(y, o.Residual)
						}
						y = Activate(y, act)
					}
					outs, seeds := []*Tensor{y}, [][]float32{seed}
					if kind == "shared" { // both inputs have a gradient already
						outs, seeds = append(outs, Neg(xt), Neg(rt)), append(seeds, seed, x)
					}
					g := NewGradients()
					all = append(all, y.Floats(nil))
					Backward(g, outs, seeds)
					all = append(all, g.OfTensor(xt), g.OfTensor(rt), g.Of(w), g.Of(b))
					tape.Commit()
					return append(all, m.Values(), v.Values())
				}
				for _, frozen := range []bool{false, true} {
					got, want := run(true, frozen), run(false, frozen)
					for i, what := range []string{"result", "dx", "dresidual", "dgamma", "dbeta", "mean", "variance"} {
						if i == 1 && kind == "itself" { // two terms, in another order
							golden.Within(t, what, got[i], want[i], 1e-5)
							continue
						}
						sameBits(t, fmt.Sprintf("%v %v %s, frozen %v: %s", xs, act, kind, frozen, what), got[i], want[i])
					}
				}
			}
		}
	}
}

// TestBatchNormRunning: the running statistics change by Commit, once, recomputed or not, and by nothing
// else.
func TestBatchNormRunning(t *testing.T) {
	g := golden.Load(t, filepath.Join("testdata", norm2dGoldens))
	for _, name := range caseNames(g, "running/") {
		for _, recompute := range []bool{false, true} {
			x, shape := g.Tensor(name + "/in/x")
			first, last := g.Floats(name+"/mean"), g.Floats(name+"/out/1")
			m, v := bufferOf(first), bufferOf(g.Floats(name+"/variance"))
			tape := NewTape(Options{Gradients: true, Training: true, Recompute: recompute, Debug: true})
			y := tape.Segment(func(x *Tensor) *Tensor {
				return BatchNorm(x, nil, nil, m, v, BatchNormOptions{Momentum: 0.3})
			}, tape.Input(x, shape...).WantGradient())
			golden.Output(t, name+" result", y.Floats(nil), g.Floats(name+"/out/0"))
			Backward(NewGradients(), []*Tensor{y}, [][]float32{g.Floats(name + "/seed/0")})
			sameBits(t, name+" mean before Commit", m.Values(), first)
			tape.Commit()
			tape.Commit()
			golden.Output(t, name+" mean", m.Values(), last)
			golden.Output(t, name+" variance", v.Values(), g.Floats(name+"/out/2"))

			tape.Reset()
			mean := append([]float32(nil), m.Values()...)
			BatchNorm(tape.Input(x, shape...), nil, nil, m, v, BatchNormOptions{Frozen: true})
			tape.Commit()
			sameBits(t, name+" mean of a frozen layer", m.Values(), mean)
		}
	}
}

// TestBatchNormBits: statistics over many chunks and groups of channels do not depend on the threads, and
// an image normalized by running statistics does not on its batch.
func TestBatchNormBits(t *testing.T) {
	for _, xs := range [][]int{{3, 5, 60, 71}, {40, 300}} {
		x := normals(1, elements("test", xs))
		c := xs[1]
		w, b := ParameterOf(normals(2, c), c), ParameterOf(normals(3, c), c)
		m, v := NewBuffer(0.25, c), NewBuffer(2, c)
		var base [4][]float32
		for _, threads := range []int{1, 2, 5} {
			tape := NewTape(Options{Gradients: true, Training: true, Debug: true, Workers: simd.NewWorkers(threads)})
			xt := tape.Input(x, xs...).WantGradient()
			y := BatchNorm(xt, w, b, m, v, BatchNormOptions{})
			got := [4][]float32{y.Floats(nil)}
			g := NewGradients()
			Backward(g, []*Tensor{y}, [][]float32{normals(4, len(x))})
			got[1], got[2], got[3] = g.OfTensor(xt), g.Of(w), g.Of(b)
			if threads == 1 {
				base = got
			}
			for i, what := range []string{"result", "dx", "dgamma", "dbeta"} {
				sameBits(t, what, got[i], base[i])
			}
		}
		tape := NewTape(Options{})
		all := BatchNorm(tape.Input(x, xs...), w, b, m, v, BatchNormOptions{})
		row := len(x) / xs[0]
		one := BatchNorm(tape.Input(x[row:2*row], append([]int{1}, xs[1:]...)...), w, b, m, v, BatchNormOptions{})
		sameBits(t, "image 1 alone", one.data, all.data[row:2*row])
	}
}

func TestBatchNormMistakes(t *testing.T) {
	tape := NewTape(Options{Training: true})
	m, v := NewBuffer(0, 3), NewBuffer(1, 3)
	wantShapeError(t, "one value", func() { BatchNorm(tape.Full(1, 1, 3), nil, nil, m, v, BatchNormOptions{}) })
	wantShapeError(t, "rank", func() { BatchNorm(tape.Full(1, 3), nil, nil, m, v, BatchNormOptions{}) })
	wantShapeError(t, "statistics", func() { BatchNorm(tape.Full(1, 2, 4), nil, nil, m, v, BatchNormOptions{}) })
	wantShapeError(t, "gamma", func() { BatchNorm(tape.Full(1, 2, 3), NewParameter(4), nil, m, v, BatchNormOptions{}) })
	wantShapeError(t, "residual", func() {
		BatchNorm(tape.Full(1, 2, 3), nil, nil, m, v, BatchNormOptions{Residual: tape.Full(1, 3, 3)})
	})
	BatchNorm(tape.Full(1, 0, 3, 2), nil, nil, m, v, BatchNormOptions{Act: ActRelu, Residual: tape.Full(1, 0, 3, 2)})
	tape.Commit()
	sameBits(t, "statistics after an empty batch", v.Values(), []float32{1, 1, 1})
}

// TestConstantNorms: channels, groups and rows of equal elements are normalized to zeros, and their variance is next to
// nothing, though rounding leaves a sum of equal elements beside their product.
func TestConstantNorms(t *testing.T) {
	tape := NewTape(Options{Training: true})
	for _, shape := range [][]int{{3, 4}, {700, 4}, {2, 4, 7, 7}, {8, 4, 28, 28}, {1, 4, 112, 112}} {
		x := make([]float32, elements("test", shape))
		for k := 1; k <= 1000; k += 90 {
			c := float32(k) * 0.01
			simd.Fill(x, c)
			in := tape.Input(x, shape...)
			for _, y := range []*Tensor{
				BatchNorm(in, nil, nil, nil, nil, BatchNormOptions{Eps: 1e-12}), GroupNorm(in, 2, nil, nil, 1e-12), LayerNorm(in, nil, nil, 1e-12),
			} {
				for i, v := range y.data {
					if v != 0 {
						t.Fatalf("%v of %g: element %d is %g", shape, c, i, v)
					}
				}
			}
			for i, v := range Var(in, 0, false, 0).data {
				if !(v <= 1e-18*c*c) {
					t.Fatalf("%v of %g: variance %d is %g", shape, c, i, v)
				}
			}
			tape.Reset()
		}
	}
}
