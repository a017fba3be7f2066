// Package quant converts the weights of a loaded model to integers of 8 bits, or to bfloat16:
//
//	weights, err := quant.Quantize(model, quant.Blocks)
//	model.Math = simd.Int8
//	predictions, err := model.Classify(ctx, image)
//	err = model.Save("quantized", models.SaveOptions{})
//	again, err := vit.Open("quantized", vit.LoadOptions{}) // Math is Int8
//
// A quantized weight takes a fourth of the memory and of the file, and its products take less time where the processor
// multiplies integers of 8 bits. A rule says for each weight in which arithmetic its products are.
//
// # Arithmetic
//
// A row of the weight [out, in] is one scale times integers from -127 to 127: the scale is the largest magnitude of the
// row divided by 127 ([simd.F32ToInt8]). Rows of activations are rounded in the same way in each product, with scales of
// their own ([simd.Int8]). No data is needed to find them. A filter of a convolution, [in/groups, kh, kw], is such a row.
// [autograd.Conv2d] says how activations are rounded there, and which convolutions are Strict in every mode.
//
// Quantize changes the weights of linear layers ([nn.Linear]) and convolutions ([nn.Conv2d]) alone. Embeddings,
// normalizations, biases, position tables, projections of patches, and transposed and deformable convolutions stay as they
// are, and their products are Strict. So do the convolution that says where a deformable one reads, and the two of an
// [nn.RepConv]: it multiplies their sum, whose numbers are not those integers. A weight that is also an embedding (tied
// weights) stays too. [Tables] stores embeddings in bfloat16.
//
// Inference folds a batch normalization into the convolution before it ([nn.ConvNorm]): it multiplies each filter by a number.
// That changes the scale of the filter, not its integers, so Int8 multiplies the integers that are stored. A filter of
// bfloat16 is rounded again when it is folded.
//
// Each weight keeps its products in the arithmetic of its type, by [autograd.Parameter.LimitMath]: integers in Int8,
// bfloat16 in BF16, float32 in Strict. The Math of the model or tape allows it: while that is Strict, a quantized model
// computes in float32 with the values that the integers stand for. Its packed weights are then float32: the file is
// smaller, the memory is not. In Int8, products of activations (attention) are bfloat16 where the processor multiplies
// it, else float32; so the bits of a model depend on the instruction set.
//
// # Files
//
// The Save method of a model writes integers as they are, and what is needed to read them: see models.SaveOptions. Training
// makes a weight that it changes float32 again, and its products with it. Adapters (package nn/lora) may be trained beside
// quantized weights. Their products are in float32, and so are those of a new head ([nn.LimitAdded]).
package quant
