package console

import (
	"errors"

	"github.com/fovea-ml/fovea/simd"
)

// MathUsage describes the flag -math of a program that uses a model.
const MathUsage = "compute matrix products in `MODE`: strict, accurate, bf16 or int8; " +
	"depthwise and small convolutions stay strict (default: strict, for a quantized model int8)"

// TrainingMathUsage describes the flag -math of a program that trains.
const TrainingMathUsage = "compute matrix products in `MODE`: strict, accurate or bf16; " +
	"depthwise and small convolutions, and some gradients of the others, stay strict"

// A MathFlag is the flag -math of a program that uses a model. Without the flag the model computes as it was loaded.
type MathFlag struct {
	mode  simd.Math
	given bool
}

// String implements flag.Value. It returns the mode, or "" without the flag.
func (f *MathFlag) String() string {
	if !f.given {
		return ""
	}
	return f.mode.String()
}

// Set implements flag.Value.
func (f *MathFlag) Set(name string) (err error) {
	f.mode, err = simd.ParseMath(name)
	f.given = err == nil
	return err
}

// Choose sets the mode of a model to that of the flag, if it was given. It prints the mode, unless that is strict and was not
// asked for.
func (f *MathFlag) Choose(model *simd.Math, c *Console) {
	if !f.given {
		c.Math(*model)
		return
	}
	*model = f.mode
	c.Line("computes in %s by %s", *model, model.Kernel())
}

// Math prints a mode other than strict, and what computes it on this machine.
func (c *Console) Math(m simd.Math) {
	if m != simd.Strict {
		c.Line("computes in %s", Computing(m))
	}
}

// Computing names what computes products on this machine. For a mode other than strict it begins with the mode.
func Computing(m simd.Math) string {
	if m == simd.Strict {
		return simd.Info()
	}
	return m.String() + " by " + m.Kernel()
}

// CheckTrainingMath checks the value of -math in a program that trains.
func CheckTrainingMath(m simd.Math) error {
	if m == simd.Int8 {
		return errors.New("-math int8 has no gradients: expected strict, accurate or bf16; examples/quantize converts the trained model")
	}
	return nil
}

// An Arithmetic is the part of a JSON value that says in which mode products were computed, and by what.
type Arithmetic struct {
	Mode   string `json:"mode"`
	Kernel string `json:"kernel"`
}

// ArithmeticOf returns the Arithmetic of a mode, and nil for strict, whose results do not depend on the machine.
func ArithmeticOf(m simd.Math) *Arithmetic {
	if m == simd.Strict {
		return nil
	}
	return &Arithmetic{m.String(), m.Kernel()}
}
