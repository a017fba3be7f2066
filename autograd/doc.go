// Package autograd computes with tensors and differentiates the result. It is the engine under Fovea's
// layers and models.
//
//	w := autograd.NewParameter(1, 2) // a linear model of two inputs
//	tape := autograd.NewTape(autograd.Options{Gradients: true})
//	grads := autograd.NewGradients()
//
//	x := tape.Input([]float32{1, 2, 3, 4}, 2, 2) // two samples
//	y := autograd.Linear(x, w, nil)              // [2, 1]
//	loss := autograd.Mean(autograd.Square(autograd.AddScalar(y, -1)), false)
//
//	loss.Backward(grads)
//	fmt.Println(loss.Float(), grads.Of(w)) // 1 [-4 -6]
//	tape.Reset()
//
// # Tensors, parameters, buffers
//
// A [Tensor] is an array of float32 numbers: dense, row-major, contiguous. Its shape never changes. A Tensor
// always belongs to one [Tape], which recorded how it was made and owns its memory. It cannot outlive its
// tape's pass: values leave by copying, with [Tensor.Floats].
//
// A [Parameter] is a trained value. It belongs to a model and to no tape. Any number of goroutines read it
// at once, each with its own tape. Writing goes through [Parameter.Update], and nothing may read meanwhile.
//
// A [Buffer] belongs to a model too but has no gradient: the running statistics of a batch normalization,
// a mask. A [State] belongs to a caller and outlives tapes: the keys and values of a decoder, the window of
// a stream.
//
// Operations are functions over an [Operand], which is a Tensor or a Parameter:
//
//	h := autograd.LinearAct(x, m.W1, m.B1, autograd.ActGelu) // [n, in] → [n, hidden]
//	y := autograd.Add(x, autograd.Linear(h, m.W2, m.B2))
//
// The result is on the tape of the operands. Operands of two tapes are a mistake, and so are parameters
// alone: an expression of parameters starts with [Tape.Use], which lends their values to a tape without a
// copy. Numbers enter by the tape: [Tape.Input] copies them, [Tape.Borrow] does not, [Tape.Embedding] looks
// token ids up. There is no global state and no default tape, so a layer is a function of x alone.
//
// # Masks and indices
//
//	best, at := autograd.TopK(scores, 0, 100, autograd.Descending) // [n] → [100], and 100 indices
//	boxes := autograd.IndexSelect(all, 0, at)                      // [n, 4] → [100, 4]
//	best = autograd.MaskedFill(best, autograd.Less(best, tape.Full(0.05)), 0)
//
// A mask is a Tensor in which zero is false and every other number is true. Comparisons such as [Less] make masks of
// zeros and ones; [Where] and [MaskedFill] choose by them. Of masks p and q, Mul(p, q) is "and", Maximum(p, q) is "or",
// and Equal(p, tape.Full(0)) is "not".
//
// Indices are []int, in row-major order. [Max], [Sort] and [TopK] return them beside values. [Gather], [Scatter],
// [ScatterAdd], [IndexSelect] and [Tape.Embedding] take them, and copy them. They stay valid when the tape is reset. A
// negative dimension counts from the end; an index never does.
//
// Masks and indices are constants: gradients flow to the elements that were chosen. [Detach] makes a constant of any
// Tensor, and [StraightThrough] sends a gradient around an operation that has none, such as rounding.
//
// # Sequences
//
//	starts := []int{0, 12, 19} // a sequence of 12 tokens, then one of 7
//	y := autograd.PackedAttention(q, k, v, starts, nil, autograd.AttentionOptions{Heads: 8}) // [19, C]
//
// A batch of sequences is [n, length, C]. [Attention] masks the padding of shorter ones. [PackedAttention] takes
// sequences without padding, one after the other. [Rotary] turns queries and keys by their positions.
//
// A decoder appends the keys and values of each token to a [State]. [CachedAttention] reads them where they are. A State
// may hold half precision, and a [StatePool] lends it memory.
//
// [LSTM] and [GRU] run over all steps of a batch, which may have unequal lengths. [LSTMCell] and [GRUCell] are one step.
//
// # Images
//
//	crops := autograd.RoiAlign(features, boxes, autograd.RoiOptions{OutH: 7, OutW: 7, SpatialScale: 1. / 16})
//
// Images are [n, c, h, w]. [RoiAlign] and [RoiPool] read boxes of them. [GridSample] reads points of an image, and
// [DeformConv2d] convolves with taps at points of their own. [DeformableAttention] attends to a few points of several images.
// Boxes and points may come from outside the program: no value makes these operations read outside an image.
//
// # Mapped, half-precision and integer parameters
//
// A parameter may read its values from memory that is not its own, such as a mapped file ([Parameter.Map]).
// It may hold them in half precision ([Parameter.MapHalf]), or as integers of 8 bits with a scale for each row
// ([Parameter.MapInt8]). The first write copies what is mapped and turns all into float32, for good.
//
// Inference packs each weight the first time it is used, in the type it is stored in. It then tells the owner
// of the memory to let the pages go, so that the values and the packed form are not both kept.
//
// Half-precision values are widened, exactly, where an operation uses them: a group of panels at a time
// within a matrix product, rows of an embedding, all of a bias. So their results have the bits of those
// of the widened weights, on tapes of every kind. Integers give the bits of their widened values too, except on a tape
// of [simd.Int8]; on one of [simd.Strict] they are packed as float32.
//
// # Math modes
//
//	tape := autograd.NewTape(autograd.Options{Math: simd.BF16})
//
// Options.Math is the arithmetic of the matrix products of a tape. The zero value, [simd.Strict], is float32 with the
// same bits everywhere. The others are faster where the processor has instructions for them, and round operands:
//
//   - [simd.Accurate] has about the error of Strict, and [simd.BF16] rounds operands to bfloat16. Both serve inference
//     and training. Training in BF16 keeps weights and their gradients in float32: only the operands of products are
//     rounded, in the forward and the backward step. It needs no scaling of the loss.
//   - [simd.Int8] rounds operands to integers, in inference alone: [NewTape] refuses it with Gradients.
//
// The arithmetic holds for [Linear] and its forms, [MatMul], [Attention] and its forms, [LSTM], [GRU], [DeformConv2d], and
// [Conv2d] unless it is small: its documentation has the rule, by shape, and the gradients that follow it. There are three
// exceptions:
//
//   - Conv2d is Strict in Accurate, and where the processor has no instructions for it ([simd.Math.PixelChannels]). BF16 needs
//     AVX512-BF16.
//   - Products of two Tensors, such as those of attention, have no Int8: they are BF16 where the processor multiplies bfloat16,
//     and Strict elsewhere.
//   - A parameter may limit the arithmetic ([Parameter.LimitMath]), as quantized models do where a layer needs more precision.
//     [Tape.MathOf] returns the arithmetic of two operands.
//
// All other operations compute in float32, always: norms, softmax, activations, residuals, losses, sums, [ConvTranspose2d],
// depthwise convolutions, and the other gradients of Conv2d. A [Profile] names the arithmetic of each operation with products.
//
// With one arithmetic on one instruction set, results do not depend on the number of threads, nor on what else is in the
// batch. Tapes of several arithmetics share a model: inference packs a weight once for each.
//
// # Passes
//
// Two switches of a tape are independent. Options.Gradients records what [Backward] needs;
// Options.Training turns on dropout and batch statistics. The zero [Options] are inference on one core.
//
// Gradients are added into a table that the caller owns, [Gradients]. To accumulate over several passes, do
// not call Zero between them. Data parallelism is a table for each goroutine, and Merge. Clipping is All and
// Scale. The model is only read during forward and backward. A parameter that is Frozen, and all that leads
// only to such parameters, costs nothing in Backward. There are no gradients of gradients.
//
//	tape := autograd.NewTape(autograd.Options{Gradients: true, Training: true, Workers: w})
//	for step, batch := range batches {
//		tape.Step(uint64(step))
//		loss := model.Loss(tape, batch)
//		tape.Commit() // state updates, such as running statistics
//		loss.Backward(grads)
//		adamw.Step(grads, rate, 1, w) // package train
//		grads.Zero()
//		tape.Reset()
//	}
//
// A tape is used by one goroutine at a time. Options.Workers spreads each operation over cores. Results do
// not depend on it, to the bit, because work is divided by shape and every sum has one order.
//
// # Memory
//
// A tape takes memory from its [Arena], in size classes that are kept for reuse: a loop that has warmed up
// allocates nothing large. [Tape.Reset] ends a pass and gives everything back. A Tensor that is used after that
// panics with a [UseError], because its memory may hold another Tensor by then. Models that serve many
// goroutines lend arenas from [Arenas]. Arenas and packed weights are memory of the Go heap, which the
// memory limit of the process (GOMEMLIMIT) counts. Mapped files are not. An arena gives up what recent passes did not need, and Arenas give up idle
// ones. [Parameter.Share] holds equal weights of several models once.
//
// [Reshape], and a [Permute] that moves nothing, share their operand's memory, which is counted. A Tensor of
// [Tape.Use] shares the parameter's. No operation writes to its operands.
//
// On a tape that cannot record gradients, [Slice] and [Concat] along the channels of images [n, c, h, w] and
// [ChannelShuffle] share memory too. The channels of their result stay where they are. An operation that needs the
// image in one piece, and [Tensor.Floats], get it by one copy; a [Profile] shows it as "join planes".
//
// A parameter must not be updated between forward and backward. Operations count the versions of the
// parameters whose values they read, also through Use, and Backward panics with a UseError when one changed.
//
// # Segments
//
// [Tape.Segment] bounds the life of what a part of a model makes. [Tape.SegmentAll] does so for a part with
// several inputs or results, such as the levels of a feature pyramid.
//
//	for _, block := range m.Blocks {
//		x = tape.Segment(block.Forward, x)
//	}
//
// In inference, a chain of segments runs in the memory of two blocks. So does the frozen part of a model of
// which another part is trained. In training, Options.Recompute keeps only the inputs of each segment and
// runs it again in Backward. That trades a third more work for most of the memory. [Tape.Recompute] does so for
// one segment: a micro-batch of which only the embeddings are kept.
//
// A function given to Segment must be pure, for it may run twice: it changes nothing outside but through
// [Tape.Queue]. Backward consumes what it went through, and a segment consumes the results of others that it
// gets. [Tensor.Keep] holds what is to be read later.
//
// # Randomness
//
// Random operations ([Tape.Uniform], dropout) draw from a counter-based generator keyed by Options.Seed,
// the step and the number of the operation on the tape. So the same seed gives the same run: on any number
// of cores, recomputed, resumed in the middle.
//
// # Mistakes
//
// Shapes that do not fit are programming errors: operations panic with a [ShapeError], which names the
// operation and the shapes. Tensors used where they cannot be panic with a [UseError]. [Tape.Try], at the
// edge of a model, turns a ShapeError and the end of a context ([CanceledError]) into an error. It lets every
// other panic pass, and resets the tape in each case.
//
// With Options.Debug, memory that is given back is filled with NaN, so that a use after release shows in
// the results, and [Tape.Lent] finds scratch memory that an operation forgot.
//
// # Writing an operation outside this package
//
// An [Op] is a pair of functions, forward and backward, and [Custom] runs it:
//
//	var cube = autograd.Op{
//		Name: "cube",
//		Forward: func(f *autograd.ForwardStep) {
//			x, y := f.In(0), f.NewOut(f.Shape(0)...)
//			for i, v := range x {
//				y[i] = v * v * v
//			}
//		},
//		Backward: func(b *autograd.BackwardStep) {
//			x, dy := b.In(0), b.OutGrad(0)
//			b.Add(0, func(dx []float32) {
//				for i, v := range x {
//					dx[i] = 3 * v * v * dy[i]
//				}
//			})
//		},
//	}
//
//	y := autograd.Custom(cube, x)
//
// The steps give the functions all they need:
//
//   - In returns the values of an operand, Tensor or Parameter, to be read only. Half precision is widened.
//   - NewOut makes a result, and Forward writes every element of it. Backward reads the result with Out and
//     its gradient with OutGrad.
//   - Add computes a contribution to an operand's gradient. It calls its function only when that gradient is
//     wanted, and adds what the function wrote to what other operations have added.
//   - Save lends memory that Backward finds with Saved. Scratch lends memory until the function returns.
//   - Each divides work over the tape's cores. Uniform draws random numbers, again the same in a second run.
//   - Require refuses operands of the wrong shapes with a ShapeError.
//
// Such an operation works like the operations of this package: with frozen parameters, in segments that run
// again, on any number of cores. The author promises what the engine cannot know: results depend on the
// operands and on Uniform alone, and not on the order in which Each calls its function. Package gradcheck
// tests these promises and the gradients. With Options.Debug, a step that writes to what it should only read
// panics.
//
// # Writing an operation inside this package
//
// An operation is one section of a file: forward, backward, what it saves. The comment in op.go shows the
// frame, which has three calls:
//
//   - begin checks the operands and finds the tape.
//   - out makes the result.
//   - done records a closure that is given the result's gradient b.dy and adds to the gradients of the operands
//     that want one.
//
// The closure has three ways to add. With add it fills memory that is handed out. With pass the gradient goes
// on unchanged. With into a kernel adds to what is there itself.
//
// The values of operands and results stay until their backward steps have run, so most closures hold just
// those slices. Save lends memory for more, scratch within one step. Work is divided with each, by ranges or
// rows. What is summed across rows is summed in an order that the shape alone decides.
//
// The test of an operation is one call of checkOp with a golden file that a short Python script makes. Values
// and gradients are compared with PyTorch's, and package gradcheck checks the rest.
package autograd
