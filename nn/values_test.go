package nn

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/checkpoint"
	"github.com/fovea-ml/fovea/internal/test/golden"
	"github.com/fovea-ml/fovea/internal/test/oracle"
)

// convNorm is a convolution with its normalization, and normNet the net of testdata/gen/checkpoint_norm.py.
type convNorm struct {
	Conv *Conv2d
	Norm *BatchNorm
}

type normNet struct {
	Layers [][]*convNorm
}

func newNormNet() *normNet {
	block := func(in, out int) *convNorm {
		return &convNorm{NewConv2d(in, out, 3, false, autograd.Conv2dOptions{Padding: [2]int{1, 1}}), NewBatchNorm(out, true)}
	}
	return &normNet{[][]*convNorm{{block(3, 4)}, {block(4, 6), block(6, 2)}}}
}

func (n *normNet) forward(x *autograd.Tensor) *autograd.Tensor {
	for _, layer := range n.Layers {
		for _, b := range layer {
			x = b.Norm.Forward(b.Conv.Forward(x))
		}
	}
	return x
}

var normNames = &checkpoint.Names{Rules: []checkpoint.Rule{
	{"Layers.{}.{}.Norm", "layer{+1}.{}.bn"},
	{"Layers.{}.{}", "layer{+1}.{}"},
}}

func loadNorm(t *testing.T, f *checkpoint.File, opts checkpoint.LoadOptions) *normNet {
	t.Helper()
	m := newNormNet()
	report, err := checkpoint.Load(f, normNames, Values(m), opts)
	if err != nil {
		t.Fatal(err)
	}
	if !report.OK() || report.Loaded != 15 {
		t.Errorf("found %+v", report)
	}
	return m
}

func openNorm(t *testing.T) *checkpoint.File {
	t.Helper()
	f, err := checkpoint.Open("testdata/norm.safetensors", checkpoint.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// TestValues meets every value once, in the order of the fields.
func TestValues(t *testing.T) {
	type net struct {
		Norm *BatchNorm
		Head *Linear
		Tied *BatchNorm
		None *autograd.Buffer
	}
	m := &net{Norm: NewBatchNorm(2, true), Head: NewLinear(2, 3, true)}
	m.Tied = &BatchNorm{Weight: m.Norm.Weight, Mean: m.Norm.Mean, Variance: autograd.NewBuffer(1, 2)}
	var paths []string
	for path, v := range Values(m) {
		paths = append(paths, fmt.Sprint(path, v.Shape()))
	}
	want := []string{"Norm.Weight[2]", "Norm.Bias[2]", "Norm.Mean[2]", "Norm.Variance[2]", "Head.Weight[3 2]", "Head.Bias[3]", "Tied.Variance[2]"}
	if d := cmp.Diff(want, paths); d != "" {
		t.Error(d)
	}
	for range Values(m) {
		break // stopping early is allowed
	}
}

// TestNormGolden loads a net with its running statistics, copied or mapped, and compares its outputs with PyTorch's.
func TestNormGolden(t *testing.T) {
	g := golden.Load(t, "testdata/norm_outputs.safetensors")
	x, shape := g.Tensor("x")
	for name, opts := range map[string]checkpoint.LoadOptions{"copied": {}, "mapped": {Map: true}} {
		m := loadNorm(t, openNorm(t), opts)
		tape := autograd.NewTape(autograd.Options{})
		y := m.forward(tape.Input(x, shape...))
		golden.Output(t, name, y.Floats(nil), g.Floats("y"))
	}
}

// TestNormRoundTrip writes the net under the names of the file it came from, in single and in half precision. Loaded
// again, weights can stay in half precision; buffers are float32 in memory.
func TestNormRoundTrip(t *testing.T) {
	original := openNorm(t)
	m := loadNorm(t, original, checkpoint.LoadOptions{})
	var names []string
	for name := range original.Names() {
		if !strings.HasSuffix(name, "num_batches_tracked") {
			names = append(names, name)
		}
	}
	for _, c := range []struct {
		file   checkpoint.DType
		memory autograd.DType
		within float64
	}{
		{checkpoint.F32, autograd.Float32, 0},
		{checkpoint.BF16, autograd.BFloat16, 1.0 / 256},
	} {
		var data bytes.Buffer
		if err := checkpoint.Encode(&data, checkpoint.Entries(normNames, Values(m)), checkpoint.WriteOptions{DType: c.file}); err != nil {
			t.Fatal(err)
		}
		f, err := checkpoint.Parse("saved", data.Bytes(), checkpoint.OpenOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(names, slices.Collect(f.Names())); d != "" {
			t.Errorf("%s: %s", c.file, d)
		}
		again := loadNorm(t, f, checkpoint.LoadOptions{Map: true, KeepHalf: true})
		for i, layer := range again.Layers {
			for j, b := range layer {
				if found := b.Conv.Weight.DType(); found != c.memory {
					t.Errorf("%s: weights are %v in memory", c.file, found)
				}
				want := m.Layers[i][j].Norm.Variance.Values()
				for k, v := range b.Norm.Variance.Values() {
					if math.Abs(float64(v/want[k]-1)) > c.within {
						t.Errorf("%s: found variance %v, expected %v", c.file, v, want[k])
					}
				}
			}
		}
	}
}

// TestNormInPython saves the net and has PyTorch load it strictly.
func TestNormInPython(t *testing.T) {
	path := filepath.Join(t.TempDir(), "saved.safetensors")
	m := loadNorm(t, openNorm(t), checkpoint.LoadOptions{})
	if err := checkpoint.Save(path, normNames, Values(m), checkpoint.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	said := oracle.Run(t, "torch and safetensors", "checkpoint_norm.py", "check", path, "testdata")
	if strings.TrimSpace(string(said)) != "equal" {
		t.Errorf("found %s", said)
	}
}

// TestCopy copies parameters and buffers of equal path and shape, and nothing else.
func TestCopy(t *testing.T) {
	type model struct {
		First *Linear
		Norm  *BatchNorm
		Last  *Linear
	}
	from := &model{First: NewLinear(2, 3, true), Norm: NewBatchNorm(3, true), Last: NewLinear(3, 5, true)}
	to := &model{First: NewLinear(2, 3, false), Norm: NewBatchNorm(3, true), Last: NewLinear(3, 4, true)}
	n := float32(0)
	for _, v := range Values(from) {
		v.Update(func(values []float32) {
			for i := range values {
				n++
				values[i] = n
			}
		})
	}
	if copied := Copy(to, from); copied != 5 { // not the bias that one lacks, nor the layer of another size
		t.Errorf("copied %d values, expected 5", copied)
	}
	for _, c := range []struct{ got, want []float32 }{
		{to.First.Weight.Values(), from.First.Weight.Values()},
		{to.Norm.Variance.Values(), from.Norm.Variance.Values()},
		{to.Last.Weight.Values(), make([]float32, 12)},
	} {
		if d := cmp.Diff(c.want, c.got); d != "" {
			t.Error(d)
		}
	}
	Constant(from.First.Weight, 7)
	if to.First.Weight.Values()[0] == 7 {
		t.Error("the models share memory")
	}
	from.First.Adapter = []*LowRank{{A: autograd.NewParameter(1, 2), B: autograd.NewParameter(3, 1), Alpha: 1}}
	defer func() {
		var use *autograd.UseError
		if err, _ := recover().(error); !errors.As(err, &use) {
			t.Errorf("an adapter: %v", err)
		}
	}()
	Copy(to, from)
}
