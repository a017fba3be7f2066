package train

import (
	"errors"
	"math"
	"sync"
	"testing"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/internal/test/golden"
	"github.com/fovea-ml/fovea/nn"
)

// TestDistillation compares losses and gradients with PyTorch's: timm's task, and the program of DeiT.
func TestDistillation(t *testing.T) {
	g := golden.Load(t, "testdata/distill.safetensors")
	for name, d := range map[string]*Distillation{
		"soft":    {},
		"soft3":   {Alpha: new(0.1), Temperature: 3},
		"deit":    {Temperature: 2, PerClass: true},
		"hard":    {Hard: true},
		"hard0.9": {Hard: true, Alpha: new(0.9)},
		"none":    {Alpha: new(0.0)},
	} {
		teacher := g.Floats(name + ".teacher/in/teacher")
		d.Teacher = func(inputs *autograd.Tensor) *autograd.Tensor {
			if inputs.Tape().Recording() || inputs.Tape().Training() || inputs.Float() != 42 {
				t.Errorf("%s: the teacher runs on a tape of the student, or with other inputs", name)
			}
			return inputs.Tape().Input(teacher, 5, 7)
		}
		for range 2 { // the memory of the teacher's tape is used again
			tape := autograd.NewTape(autograd.Options{Gradients: true, Training: true, Debug: true})
			input := func(of string) *autograd.Tensor {
				v, shape := g.Tensor(name + "/in/" + of)
				return tape.Input(v, shape...).WantGradient()
			}
			student, logits := input("base"), input("logits")
			base := autograd.CrossEntropy(student, g.Ints(name+"/int/labels"), autograd.CrossEntropyOptions{})
			loss := d.Loss(base, logits, tape.Full(42, 1))
			golden.Output(t, name, loss.Floats(nil), g.Floats(name+"/out/0"))
			grads := autograd.NewGradients()
			autograd.Scale(loss, g.Floats(name + "/seed/0")[0]).Backward(grads)
			for of, x := range map[string]*autograd.Tensor{"base": student, "logits": logits} {
				want := g.Floats(name + "/grad/" + of)
				norm := 0.0
				for _, v := range want {
					norm += float64(v) * float64(v)
				}
				golden.Gradient(t, name+" "+of, grads.OfTensor(x), want, math.Sqrt(norm))
			}
		}
	}
}

// TestDistillationLearns takes a student to the answers of its teacher, which it never sees labels for.
func TestDistillationLearns(t *testing.T) {
	teacher, student := nn.NewLinear(2, 3, true), nn.NewLinear(2, 3, true)
	teacher.Weight.Update(func(v []float32) { copy(v, []float32{3, -1, -2, 2, 0, 1}) })
	d := &Distillation{Teacher: teacher.Forward, Alpha: new(1.0), Temperature: 2}
	opt := NewSGD(Groups(nn.Parameters(student), GroupOptions{}), SGDOptions{Momentum: 0.9})
	grads := autograd.NewGradients()
	tape := autograd.NewTape(autograd.Options{Gradients: true})
	var last float32
	for range 300 {
		x := tape.Input([]float32{1, 0, 0, 1, -1, 1, 2, -1}, 4, 2)
		logits := student.Forward(x)
		loss := d.Loss(autograd.CrossEntropy(logits, []int{0, 0, 0, 0}, autograd.CrossEntropyOptions{}), logits, x)
		last = loss.Float()
		loss.Backward(grads)
		opt.Step(grads, 0.5, 1, nil)
		grads.Zero()
		tape.Reset()
	}
	if !(last < 1e-5 && last > -1e-5) {
		t.Errorf("the loss is %v", last)
	}
}

// TestDistillationNaN expects the class of a teacher's NaN, as of metrics.Argmax and torch.argmax, whatever follows it.
func TestDistillationNaN(t *testing.T) {
	d := &Distillation{Hard: true, Alpha: new(1.0)}
	tape := autograd.NewTape(autograd.Options{Gradients: true})
	logits := tape.Input([]float32{0, 1, 2}, 1, 3)
	got := d.LossTo(tape.Full(0, 1), logits, []float32{1, float32(math.NaN()), 5}).Float()
	if want := math.Log(1+math.E+math.E*math.E) - 1; math.Abs(float64(got)-want) > 1e-6 {
		t.Errorf("expected %v, found %v", want, got)
	}
}

// TestDistillationAtOnce uses one Distillation in several goroutines.
func TestDistillationAtOnce(t *testing.T) {
	teacher := nn.NewLinear(2, 2, true)
	d := &Distillation{Teacher: teacher.Forward, Hard: true}
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 20 {
				tape := autograd.NewTape(autograd.Options{Gradients: true})
				x := tape.Input([]float32{1, 2}, 1, 2)
				if got := d.Loss(tape.Full(0, 1), x, x).Float(); math.Abs(float64(got)-0.5*1.3132616875) > 1e-6 {
					t.Errorf("found %v", got)
				}
			}
		})
	}
	all.Wait()
}

// TestDistillationMistakes panics with typed errors.
func TestDistillationMistakes(t *testing.T) {
	two := func(x *autograd.Tensor) *autograd.Tensor { return x.Tape().Full(0, 1, 2) }
	for name, d := range map[string]*Distillation{
		"no teacher": {}, "alpha": {Teacher: two, Alpha: new(1.5)}, "temperature": {Teacher: two, Temperature: -1},
		"NaN": {Teacher: two, Temperature: math.NaN()},
	} {
		var use *autograd.UseError
		if err := panicOf(d, 2); !errors.As(err, &use) {
			t.Errorf("%s: found %v", name, err)
		}
	}
	var shape *autograd.ShapeError
	if err := panicOf(&Distillation{Teacher: two}, 3); !errors.As(err, &shape) {
		t.Errorf("other classes: found %v", err)
	}
	turned := func(x *autograd.Tensor) *autograd.Tensor { return x.Tape().Full(0, 2, 1) }
	if err := panicOf(&Distillation{Teacher: turned}, 2); !errors.As(err, &shape) {
		t.Errorf("as many logits in another shape: found %v", err)
	}
}

// panicOf returns what a distillation of one sample panics with.
func panicOf(d *Distillation, classes int) (err error) {
	defer func() { err, _ = recover().(error) }()
	tape := autograd.NewTape(autograd.Options{Gradients: true})
	x := tape.Full(0, 1, classes)
	d.Loss(tape.Full(0, 1), x, x)
	return nil
}
