package train

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/metrics"
)

// Distillation trains a classifier, the student, on the answers of another, the teacher (Hinton et al., arXiv 1503.02531;
// Touvron et al., DeiT, arXiv 2012.12877, section 4). The teacher is anything that gives logits. The zero value
// of the other fields is soft distillation of half of the weight, at temperature 1, as DeiT's program has it by default.
//
// A Distillation may be used by several goroutines, as long as the teacher may.
type Distillation struct {
	// Teacher maps a batch of inputs, such as pixels, to logits, [n, classes]. It runs on a tape of its own, without gradients
	// and without dropout. A Forward method of a model serves, such as that of vit.Model, where both take the same inputs.
	Teacher func(inputs *autograd.Tensor) *autograd.Tensor
	// Hard learns the class that the teacher finds most probable, and not the probabilities of all classes.
	Hard bool
	// Temperature divides the logits of both in soft distillation; 0 means 1. The paper uses 3.
	Temperature float64
	// Alpha is the weight of the teacher, from 0 to 1; the loss by the true labels has the rest. nil means 0.5.
	Alpha *float64
	// PerClass divides the soft term by the number of classes too, as facebookresearch/deit does (losses.py). The paper and
	// timm do not.
	PerClass bool

	arenas autograd.Arenas
}

// Loss returns the loss of a batch:
//
//	soft: (1-α)·base + α·T²·KL(softmax(teacher/T) ‖ softmax(logits/T))    (DeiT, equation 2), the mean over the batch
//	hard: (1-α)·base + α·CE(logits, argmax teacher)                       (equation 3, where α is ½)
//
// base is the student's loss by the true labels, one element. logits, [n, classes], are those that learn from the
// teacher: of the distillation token (vit.Model.ForwardHeads), or of a classifier that has only one head. The teacher gets
// the values of inputs, on a tape of the same arithmetic. It panics with an autograd.UseError for settings that are not
// valid, and with an autograd.ShapeError when the teacher's logits have another shape.
func (d *Distillation) Loss(base, logits, inputs *autograd.Tensor) *autograd.Tensor {
	if d.Teacher == nil {
		panic(&autograd.UseError{Op: "distillation", Reason: "expected a Teacher, found none"})
	}
	arena := d.arenas.Get()
	defer d.arenas.Put(arena)
	tape := autograd.NewTape(autograd.Options{Workers: inputs.Tape().Workers(), Math: inputs.Tape().Math(), Arena: arena})
	defer tape.Reset()
	answers := d.Teacher(tape.Borrow(inputs.Floats(nil), inputs.Shape()...))
	if shape := answers.Shape(); !slices.Equal(shape, logits.Shape()) {
		panic(&autograd.ShapeError{Op: "distillation", Shapes: [][]int{logits.Shape(), shape}, Reason: "expected logits of the teacher in the shape of the student's"})
	}
	return d.LossTo(base, logits, answers.Floats(nil))
}

// LossTo is [Distillation.Loss] for answers of the teacher that are there already, the logits [n, classes]. Such answers
// suit inputs that are the same in every epoch. The field Teacher is not used.
func (d *Distillation) LossTo(base, logits *autograd.Tensor, answers []float32) *autograd.Tensor {
	if err := d.Err(); err != nil {
		panic(&autograd.UseError{Op: "distillation", Reason: err.Error()})
	}
	alpha, temperature := d.settings()
	shape := logits.Shape()
	if len(shape) != 2 || shape[1] == 0 || len(answers) != logits.Len() {
		panic(&autograd.ShapeError{Op: "distillation", Shapes: [][]int{shape, {len(answers)}}, Reason: "expected logits [n, classes], and as many of the teacher"})
	}
	var taught *autograd.Tensor
	if d.Hard {
		taught = autograd.CrossEntropy(logits, metrics.ArgmaxRows(answers, shape[1]), autograd.CrossEntropyOptions{})
	} else {
		cool := float32(1 / temperature)
		teacher := logits.Tape().Input(answers, shape...)
		taught = autograd.KLDivergence(autograd.LogSoftmax(autograd.Scale(logits, cool)), autograd.LogSoftmax(autograd.Scale(teacher, cool)),
			autograd.KLOptions{LogTarget: true, Reduction: autograd.LossSum})
		count := max(1, shape[0])
		if d.PerClass {
			count *= shape[1]
		}
		taught = autograd.Scale(taught, float32(temperature*temperature/float64(count)))
	}
	return autograd.Add(autograd.Scale(base, float32(1-alpha)), autograd.Scale(taught, float32(alpha)))
}

// Err returns an error for an Alpha outside of 0 to 1 and for a Temperature that is not positive.
func (d *Distillation) Err() error {
	if alpha, temperature := d.settings(); !(alpha >= 0 && alpha <= 1) || !(temperature > 0) || math.IsInf(temperature, 1) {
		return fmt.Errorf("expected an Alpha of 0 to 1 and a positive Temperature, found %v and %v", alpha, temperature)
	}
	return nil
}

// settings returns Alpha and Temperature with their defaults.
func (d *Distillation) settings() (alpha, temperature float64) {
	alpha = 0.5
	if d.Alpha != nil {
		alpha = *d.Alpha
	}
	return alpha, cmp.Or(d.Temperature, 1)
}
