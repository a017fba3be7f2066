package vit

import (
	"math"
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
