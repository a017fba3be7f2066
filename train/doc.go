// Package train changes models by their gradients: optimizers, learning-rate schedules, clipping, averages
// of weights, and a loop that ties them together and can be stopped and continued at any step.
//
// The parts stand alone. A program that wants its own loop writes what [Run] does, in a dozen lines:
//
//	tape := autograd.NewTape(autograd.Options{Gradients: true, Training: true, Seed: seed})
//	grads := autograd.NewGradients()
//	groups := train.Groups(nn.Parameters(model), train.GroupOptions{WeightDecay: 0.05})
//	opt := train.NewAdamW(groups, train.AdamOptions{Beta2: 0.95})
//	rate := train.Curve{Peak: 1.5e-4, Warmup: 40, Length: 800}.Cosine()
//	for step := range steps {
//		tape.Step(uint64(step))
//		loss := …                    // a forward pass on tape
//		tape.Commit()                // running statistics
//		loss.Backward(grads)
//		norm := train.GradNorm(grads, opt.Parameters(), workers)
//		opt.Step(grads, rate(epoch), train.ClipScale(norm, 1), workers)
//		grads.Zero()
//		tape.Reset()
//	}
//
// # Optimizers
//
// From simple to complex: [SGD], [Adam], [AdamW], [LARS]. Each follows PyTorch's arithmetic, LARS that of
// MAE's linear probe; the formula stands at the type. An optimizer is made from [Group] values, which say
// what parameters learn at what scale and weight decay; [Groups] makes the usual ones, layer-wise decay
// included. It remembers its moments in float32 beside the parameters: AdamW takes two more values a
// parameter, SGD without momentum none.
//
// A parameter that got no gradient is left alone: it is not decayed, and its bias correction does not
// advance. The factor of clipping is folded into the step, so that gradients are read once.
//
// # Schedules
//
// A [Schedule] is a pure function of the position in epochs. [Curve] makes the usual ones from one set of
// numbers; any other function will do.
//
// # Averages
//
// [EMA] keeps a moving average of parameters and buffers beside the model. [EMA.Swap] exchanges the two,
// so that evaluation needs no second model.
//
// # The loop
//
// [Run] needs an optimizer, a schedule, the length of the run, and a function that builds the loss of one
// batch on a tape. The function gets a [Batch]: which batch it is, and the seed of the run. When the data
// depends on nothing else (see [Order] for a shuffled epoch), neither does the trained model.
// [Config.Gradients] takes the place of the loss where one forward and one backward pass is not what a
// step is made of.
//
// When the context ends, the loop drops the step under way, saves, and returns an error that wraps the
// context's cause; when the loss or a gradient is no longer finite, it stops with a [NonFiniteError]
// before anything is changed.
//
// # Resuming
//
// [Config.File] holds everything that the rest of the run depends on: parameters, buffers, moments, counts
// of steps, average, position. A run that is stopped anywhere and resumed ends with the same bits as one
// that was never stopped, on any number of cores. The file is replaced whole: a process that is killed
// while it saves leaves the save before, and perhaps an unfinished file with a name like
// .run.safetensors.1a2b3c4d.tmp beside it, which may be deleted.
//
// The file also describes the run: the seed, the lengths, the settings of the optimizer for each
// parameter, samples of the schedule, and what [Config.Identity] adds. A run that differs gets a
// [ResumeError] with all differences, a file with wrong bytes [ErrDamaged], and in both cases nothing is
// changed. The file is in safetensors format, so that weights can be taken out of a run that was
// abandoned. Its version is 1.
package train
