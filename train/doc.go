// Package train trains models: optimizers, learning-rate schedules, clipping, averages of weights, and a loop that can
// be stopped and continued at any step:
//
//	result, err := train.Run(ctx, train.Config{
//		Optimizer: train.NewAdamW(groups, train.AdamOptions{}),
//		Schedule:  train.Curve{Peak: 1e-3, Warmup: 1, Length: 10}.Cosine(),
//		Epochs:    10, StepsPerEpoch: 100,
//		Loss:   loss, // builds the loss of one batch on a tape
//		Params: nn.Parameters(model), File: "run.safetensors",
//	})
//
// The parts stand alone. A program with a loop of its own needs a dozen lines:
//
//	tape := autograd.NewTape(autograd.Options{Gradients: true, Training: true, Seed: seed})
//	grads := autograd.NewGradients()
//	groups := train.Groups(nn.Parameters(model), train.GroupOptions{WeightDecay: 0.05})
//	opt := train.NewAdamW(groups, train.AdamOptions{Beta2: 0.95})
//	rate := train.Curve{Peak: 1.5e-4, Warmup: 40, Length: 800}.Cosine()
//	for step := range steps {
//		epoch := float64(step) / stepsPerEpoch
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
// From simple to complex: [SGD], [Adam], [AdamW], [LARS]. Each follows PyTorch's arithmetic, except LARS, which follows
// the linear probe of MAE. The formula stands at the type.
//
// An optimizer is made from [Group] values: parameters that share a learning-rate scale and a weight decay. [Groups]
// makes the usual groups, layer-wise decay included. An optimizer keeps its moments in float32 beside the parameters:
// AdamW two values for each value of a parameter, SGD without momentum none.
//
// A parameter without a gradient is left alone: it is not decayed, and its bias correction does not advance. The factor
// of clipping is part of the step, so that gradients are read once.
//
// # Schedules
//
// A [Schedule] is a pure function of the position in epochs. [Curve] makes the usual schedules from one set of numbers.
// Any other function will do.
//
// # Averages
//
// [EMA] keeps a moving average of parameters and buffers beside the model. [EMA.Swap] exchanges the two, so that
// evaluation needs no second model.
//
// # The loop
//
// [Run] needs an optimizer, a schedule, the length of the run, and a function that builds the loss of one batch on a
// tape. The function gets a [Batch]: the number of the batch, and the seed of the run. If the data depends on nothing
// else, neither does the trained model. [Order] shuffles an epoch in this way. [Config.Gradients] replaces the loss where
// a batch needs more than one forward and one backward pass.
//
// When the context ends, the loop drops the step under way, saves, and returns an error that wraps the context's cause.
// When the loss or a gradient is not finite, it stops with a [NonFiniteError] before anything is changed.
//
// # Resuming
//
// [Config.File] holds everything that the rest of the run depends on: parameters, buffers, moments, counts of steps, the
// average, the position. A run that is stopped anywhere and resumed ends with the same bits as one that was never
// stopped, on any number of cores.
//
// The file is replaced whole. A process that is killed while it saves leaves the previous file. It may also leave an
// unfinished file with a name like .run.safetensors.1a2b3c4d.tmp, which can be deleted.
//
// The file also describes the run: the seed, the lengths, the settings of the optimizer for each parameter, samples of
// the schedule, and [Config.Identity]. A different run gets a [ResumeError] with all differences, and a corrupted file
// gives [ErrCorrupt]. In both cases nothing is changed. The format is safetensors, so that weights can be taken out of an
// abandoned run. Its version is 1.
package train
