package vit

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/checkpoint"
	"github.com/fovea-ml/fovea/nn"
	"github.com/fovea-ml/fovea/simd"
	"github.com/fovea-ml/fovea/train"
)

// TestHalfBits loads one file in half precision both ways: kept so, and widened.
func TestHalfBits(t *testing.T) {
	from, _ := load(t, "tiny")
	dir := t.TempDir()
	if err := from.Save(dir, SaveOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, d := range []checkpoint.DType{checkpoint.F16, checkpoint.BF16} {
		path := filepath.Join(dir, checkpoint.SafetensorsName)
		if err := checkpoint.Save(path, &names, nn.Parameters(from), checkpoint.WriteOptions{DType: d}); err != nil {
			t.Fatal(err)
		}
		var want []float32
		for _, o := range []LoadOptions{{Widen: true}, {}, {Unmapped: true}} {
			m, err := Load(os.DirFS(dir), o)
			if err != nil {
				t.Fatal(err)
			}
			if narrow := m.Head.Weight.DType() != autograd.Float32; narrow == o.Widen {
				t.Errorf("%s %+v: the head is %v", d, o, m.Head.Weight.DType())
			}
			for threads := range 4 {
				for _, n := range []int{1, 3} {
					tape := autograd.NewTape(autograd.Options{Workers: simd.NewWorkers(threads + 1)})
					x := images(m.Config, 3)
					size := len(x) / 3
					got := m.Forward(tape.Input(x[:n*size], n, 3, m.Config.ImageSize, m.Config.ImageSize)).Floats(nil)
					if want == nil {
						want = got // of one image
					}
					if !slices.Equal(got[:len(want)], want) {
						t.Errorf("%s %+v, %d threads, %d images: %v, expected %v", d, o, threads+1, n, got[:len(want)], want)
					}
				}
			}
		}
	}
}

// TestTrainFromHalf trains from one file in half precision, kept so and widened: parameters that are trained
// become float32, others stay, and all have the same bits.
func TestTrainFromHalf(t *testing.T) {
	from, g := load(t, "tiny")
	pixels, shape := g.Tensor("pixels")
	labels := g.Ints("labels")
	dir := t.TempDir()
	if err := from.Save(dir, SaveOptions{}); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, checkpoint.SafetensorsName)
	if err := checkpoint.Save(path, &names, nn.Parameters(from), checkpoint.WriteOptions{DType: checkpoint.BF16}); err != nil {
		t.Fatal(err)
	}
	trained := func(o LoadOptions, recompute bool) *Model {
		m, err := Load(os.DirFS(dir), o)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range nn.Parameters(m.Encoder.Blocks[0]) {
			p.Frozen = true
		}
		w := simd.NewWorkers(2)
		tape := autograd.NewTape(autograd.Options{Gradients: true, Training: true, Recompute: recompute, Workers: w, Debug: true})
		grads := autograd.NewGradients()
		opt := train.NewAdamW(train.Groups(nn.Parameters(m), train.GroupOptions{WeightDecay: 0.05}), train.AdamOptions{})
		for range 3 {
			autograd.CrossEntropy(m.Forward(tape.Input(pixels, shape...)), labels, autograd.CrossEntropyOptions{}).Backward(grads)
			opt.Step(grads, 1e-3, 1, w)
			grads.Zero()
			tape.Reset()
		}
		return m
	}
	widened := trained(LoadOptions{Widen: true}, false)
	for _, recompute := range []bool{false, true} {
		kept := trained(LoadOptions{}, recompute)
		want := map[string]*autograd.Parameter{}
		for path, p := range nn.Parameters(widened) {
			want[path] = p
		}
		for path, p := range nn.Parameters(kept) {
			if !slices.Equal(p.Values(), want[path].Values()) {
				t.Errorf("recompute %v: %s differs", recompute, path)
			}
			if half := p.DType() == autograd.BFloat16; half != p.Frozen {
				t.Errorf("recompute %v: %s, frozen %v, is %v", recompute, path, p.Frozen, p.DType())
			}
		}
	}
}
