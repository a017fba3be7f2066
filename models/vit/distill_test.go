package vit

import (
	"math"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/internal/test/golden"
	"github.com/fovea-ml/fovea/internal/test/modeltest"
	"github.com/fovea-ml/fovea/nn"
	"github.com/fovea-ml/fovea/train"
)

// TestForwardHeads returns the logits of both heads, whose average are those of Forward.
func TestForwardHeads(t *testing.T) {
	for _, name := range []string{"deit", "tiny"} {
		m, g := load(t, name)
		pixels, shape := g.Tensor("pixels")
		x := autograd.NewTape(autograd.Options{}).Input(pixels, shape...)
		logits, distilled := m.ForwardHeads(x)
		if (distilled != nil) != (name == "deit") {
			t.Fatalf("%s: found the second logits %v", name, distilled)
		}
		want := logits.Floats(nil)
		if distilled != nil {
			for i, v := range distilled.Floats(nil) {
				if v == want[i] {
					t.Errorf("%s: both heads give %v", name, v)
				}
				want[i] = (want[i] + v) / 2
			}
		}
		golden.Within(t, name, m.Forward(x).Floats(nil), want, 1e-6)
	}
}

// TestTrainingDistillation trains a DeiT whose teacher contradicts the labels: each of its heads learns from its own.
func TestTrainingDistillation(t *testing.T) {
	images := painted(16)
	deit := func() *Model {
		m, err := Open("testdata/deit", LoadOptions{Unmapped: true})
		if err != nil {
			t.Fatal(err)
		}
		m.NewHead(images.Classes(), rand.New(rand.NewPCG(3, 4)))
		return m
	}
	m, taught := deit(), deit()
	run, err := taught.Training(images, TrainOptions{Epochs: 40, BatchSize: 8, Rate: new(5e-3)})
	if err == nil {
		_, err = train.Run(t.Context(), run)
	}
	if err != nil {
		t.Fatal(err)
	}
	contrary := func(pixels *autograd.Tensor) *autograd.Tensor { return autograd.Scale(taught.Forward(pixels), -1) }
	run, err = m.Training(images, TrainOptions{Epochs: 40, BatchSize: 8, Rate: new(5e-3), Distillation: &train.Distillation{Teacher: contrary, Hard: true}})
	if err == nil {
		_, err = train.Run(t.Context(), run)
	}
	if err != nil {
		t.Fatal(err)
	}
	right := [2]int{}
	for i, img := range images.Images {
		pixels, h, w, err := m.Preprocess.Pixels(nil, nil, img)
		if err != nil {
			t.Fatal(err)
		}
		logits, distilled := m.ForwardHeads(autograd.NewTape(autograd.Options{}).Input(pixels, 1, 3, h, w))
		for k, x := range []*autograd.Tensor{logits, distilled} {
			if v := x.Floats(nil); (v[1] > v[0]) == (images.Labels[i] == 1) {
				right[k]++
			}
		}
	}
	if right[0] < 14 || right[1] > 2 {
		t.Errorf("the heads agree with %v of 16 labels, expected most and few", right)
	}
}

// TestTimmDistillation compares the loss of a teacher and its gradients with timm's task for models with a distillation token.
func TestTimmDistillation(t *testing.T) {
	dir := t.TempDir()
	modeltest.Python(t, "vit_distill.py", dir)
	g := golden.Load(t, filepath.Join(dir, "golden.safetensors"))
	student, err := Open(filepath.Join(dir, "student"), LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	teacher, err := Open(filepath.Join(dir, "teacher"), LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for kind, d := range map[string]*train.Distillation{"soft": {Temperature: 3}, "hard": {Hard: true}} {
		d.Teacher, d.Alpha = teacher.Forward, new(0.6)
		pixels, shape := g.Tensor("pixels")
		tape := autograd.NewTape(autograd.Options{Gradients: true, Training: true, Debug: true})
		x := tape.Input(pixels, shape...)
		logits, distilled := student.ForwardHeads(x)
		loss := d.Loss(autograd.CrossEntropy(logits, g.Ints("labels"), autograd.CrossEntropyOptions{}), distilled, x)
		golden.Output(t, kind, loss.Floats(nil), g.Floats(kind))
		grads := autograd.NewGradients()
		loss.Backward(grads)
		all := 0.0
		for path := range nn.Parameters(student) {
			for _, v := range gradient(g, kind, path) {
				all += float64(v) * float64(v)
			}
		}
		for path, p := range nn.Parameters(student) {
			golden.Gradient(t, kind+" "+path, grads.Of(p), gradient(g, kind, path), math.Sqrt(all))
		}
		for path, p := range nn.Parameters(teacher) {
			if grads.Of(p) != nil {
				t.Errorf("the teacher's %s has a gradient", path)
			}
		}
	}
}

// gradient returns the gradient of a parameter under timm's name.
func gradient(g *golden.File, kind, path string) []float32 {
	for _, tensors := range names.Writing("timm").Tensors(path) {
		return g.Floats(kind + ".grad/" + tensors[0])
	}
	return nil
}
