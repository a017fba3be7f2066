// Package study holds the parts of studies that train a model with Fovea and with PyTorch, by the same recipe:
//
//	ours, theirs, err := study.Both("seed-1", train, func() (study.Outcome, error) {
//		return study.Reference(ctx, python, "reference.py", "plan.json", plan)
//	})
//	fmt.Println(study.Difference(ours, theirs)) // of the losses, step by step
//
// [Both] keeps the outcome of each side in a file, so that an interrupted study continues. [Reference] runs PyTorch's side.
// [Report] compares final accuracies over several seeds, and [Draw] draws the curves.
package study
