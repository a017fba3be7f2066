// Package gradcheck tests the promises of a differentiable function: of an operation written with
// [autograd.Custom], a layer, or a whole model.
//
//	x := autograd.ParameterOf([]float32{-1, 0.5, 2}, 3)
//	err := gradcheck.Check(func(t *autograd.Tape) []*autograd.Tensor {
//		return []*autograd.Tensor{Softplus(t.Use(x))}
//	}, []*autograd.Parameter{x}, gradcheck.Options{})
//	if err != nil {
//		t.Fatal(err)
//	}
//
// The function gets a tape and returns one Tensor or several. It reads the parameters that the caller lists,
// as they are or as Tensors with [autograd.Tape.Use]; whatever else it needs enters by the tape. Check runs it
// many times and returns an error for every promise that is broken; each is an [Error] with its [Kind]. No
// package of the standard library's testing is needed, so a program can check a model it has just loaded.
//
// # What is checked
//
// One run, serial and recorded, is the measure of all others.
//
//   - Its gradients agree with central differences. The results are weighted and summed to one number in float64.
//     The parameters move along two directions: a random one, and that of the gradient's signs, in which no
//     wrong factor hides.
//   - Other runs have the same bits: a second one, one without gradients, on two threads and more, in a
//     segment that runs again.
//   - Gradients are added to those that a table holds. A frozen parameter gets none.
//   - An update between forward and backward panics.
//
// All tapes are in Debug mode. Values that nobody wrote are NaN there, an [autograd.Op] that writes to what
// it should only read panics, and threads work in another order.
//
// # Where to check
//
// A difference needs values that are further from a kink, such as 0 of a ReLU, than the parameters move:
// about three times Options.Step. When the differences to the left and to the right disagree, the error says
// so.
//
// Values of a size near one, and results of a moderate number of terms, keep the differences precise to a few
// thousandths. An operation with a threshold needs a case on each side of it. An operation that divides its
// work needs a case that is large enough to be divided: 16,384 cheap elements are one range.
//
// Check changes the parameters and puts the values back. Nothing else may use them meanwhile. Parameters in
// half precision are checked as they are; afterwards they hold the same values in float32.
package gradcheck
