// Package train trains models: optimizers, learning-rate schedules, clipping, averages of weights, and a loop that can
// be stopped and continued at any step:
//
//	feed := train.NewFeed(loader) // a loader of package vision or data
//	result, err := train.Run(ctx, train.Config{
//		Model:     model,
//		Optimizer: train.NewAdamW(train.Groups(nn.Parameters(model), train.GroupOptions{WeightDecay: 0.05}), train.AdamOptions{}),
//		Schedule:  train.Curve{Peak: 1e-3, Warmup: 1, Length: 10}.Cosine(),
//		Epochs:    10,
//		Data:      feed,
//		Loss: func(ctx context.Context, t *autograd.Tape, b *train.Batch) (*autograd.Tensor, error) {
//			images, err := feed.Next(ctx, b)
//			if err != nil {
//				return nil, err
//			}
//			logits := model.Forward(t.Input(images.Pixels, images.Shape()...))
//			return autograd.CrossEntropy(logits, images.Labels, autograd.CrossEntropyOptions{}), nil
//		},
//		File: "run.safetensors", Start: train.ResumeIfPresent,
//	})
//
// The parts stand alone. A program with a loop of its own needs a dozen lines:
//
//	tape := autograd.NewTape(autograd.Options{Gradients: true, Training: true, Seed: seed})
//	grads := autograd.NewGradients()
//	groups := train.Groups(nn.Parameters(model), train.GroupOptions{WeightDecay: 0.05})
//	opt := train.NewAdamW(groups, train.AdamOptions{Beta2: new(0.95)})
//	rate := train.Curve{Peak: 1.5e-4, Warmup: 40, Length: 800}.Cosine()
//	for step := range steps {
//		epoch := float64(step) / stepsPerEpoch
//		tape.Step(uint64(step))
//		loss := …                    // a forward pass on tape
//		tape.Commit()                // running statistics
//		loss.Backward(grads)
//		norm := train.GradNorm(grads, opt.Parameters(), workers)
//		opt.Step(grads, rate.Rate(epoch), train.ClipScale(norm, 1), workers)
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
// Invalid settings, such as a beta of 1 or a negative weight decay, are the optimizer's Err. [Run] returns it before the
// first step. A zero in [AdamOptions] is a zero: nil is the default.
//
// # Schedules
//
// A [Schedule] is a pure function of the position in epochs. [Curve] makes the usual schedules from one set of numbers.
// Any other function will do, as a [Func].
//
// # Averages
//
// [EMA] keeps a moving average of parameters and buffers beside the model. [EMA.Swap] exchanges the two, so that
// evaluation needs no second model.
//
// # Distillation
//
// [Distillation] makes a loss of the answers of a teacher, soft or hard, beside the loss by the labels. Any function from
// inputs to logits is a teacher, such as the Forward method of a larger model.
//
// # The loop
//
// [Run] needs an optimizer, a schedule, the length of the run, and a function that builds the loss of one batch on a
// tape. The function gets a [Batch]: the number of the batch, and the seed of the run. If the data depends on nothing
// else, neither does the trained model. A [Feed] takes the batches of any loader by their numbers. [Order] shuffles an
// epoch in this way for programs without a loader. [Config.Gradients] replaces the loss where a batch needs more than one
// forward and one backward pass.
//
// Batches may differ in size. Means over the batches of a step, and over an epoch, are weighted by samples. So a step of
// several small batches is a step of one large batch.
//
// When the context ends, the loop drops the step under way, saves, and returns an error that wraps the context's cause.
// When the loss or a gradient is not finite, it stops with a [NonFiniteError] before anything is changed. [ErrStop] from
// a callback ends a run without an error.
//
// # Validation and the best epoch
//
// [Config.Validate] measures the model after each epoch; [Evaluate] takes a model over a loader for it. With the score,
// Run finds the best epoch, ends the run when Patience epochs bring no better one, and leaves the best weights in the
// model if KeepBest says so. With an [EMA], all of this is about the average.
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
// The file also describes the run: the seed, the lengths, the settings of the optimizer for each parameter, the learning
// rate of every step, the data, the frozen parameters, and [Config.Identity]. A different run gets a [ResumeError] with all
// differences. [Config.Accept] names planned ones, such as more epochs at a lower rate. A corrupted file
// gives [ErrCorrupt]. In both cases nothing is changed. The format is safetensors, so that weights can be taken out of an
// abandoned run. Its version is 2.
package train
