// Package quant converts the weights of a loaded model to integers of 8 bits, or to bfloat16:
//
//	weights, err := quant.Quantize(model, quant.Blocks)
//	model.Math = simd.Int8
//	predictions, err := model.Classify(ctx, image)
//	err = model.Save("quantized", models.SaveOptions{})
//	again, err := vit.Open("quantized", vit.LoadOptions{}) // Math is Int8
//
// A quantized weight takes a fourth of the file, and a fourth of the memory while Math is Int8. Its products take less time where
// the processor multiplies integers of 8 bits. A rule says for each weight in which arithmetic its products are.
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
// are, and their products are Strict. The convolution that says where a deformable one reads stays too. So do both convolutions
// of an [nn.RepConv]: it multiplies the sum of their weights, which has other numbers than their integers. A weight that is also an
// embedding (tied weights) stays too. [Tables] stores embeddings in bfloat16.
//
// Inference folds a batch normalization into the convolution before it ([nn.ConvNorm]): it multiplies each filter by a number.
// That changes the scale of the filter, not its integers, so Int8 multiplies the integers that are stored. A folded filter of
// bfloat16 is rounded again.
//
// Each weight keeps its products in the arithmetic of its type, by [autograd.Parameter.LimitMath]: integers in Int8,
// bfloat16 in BF16, float32 in Strict. The Math of the model or tape allows it: while that is Strict, a quantized model
// computes in float32 with the values that the integers stand for. Its packed weights are then float32: the file is
// smaller, the memory is not. In Int8, products of activations (attention) are bfloat16 where the processor multiplies
// it, else float32; so the bits of a model depend on the instruction set.
//
// # Accuracy
//
// Measured on an AMD EPYC (family 25, model 17: AVX-512, AVX512-BF16, VNNI). MiniLM on the 1,379 test pairs of STS-B has these rank
// correlations (Spearman's, in points) and files:
//
//	float32             82.03   91 MB
//	BF16                82.04
//	Blocks              81.75   59 MB
//	Blocks and Tables   81.81   35 MB
//
// FastestDet has narrow convolutions: their sums have at most 96 products, except in two layers outside of numbered parts. So
// [Blocks] makes all of them bfloat16 or leaves them in float32. The table shows average precisions (COCO's, in points). The first
// network was trained on blood cells (BCCD, 6 epochs) and is tested on 72 and 87 labeled images. The second is the released one, on
// 120 parts of photographs. There the truth is the 259 objects that float32 finds by the release's threshold.
//
//	                          size      cells, test     cells, validation   photographs
//	                                    AP      AP50    AP      AP50        AP      AP50
//	float32                   0.95 MB   42.18   59.69   42.90   60.90       100     100
//	bfloat16 products         0.95 MB   42.20   59.68   42.92   60.90       98.51   99.76
//	Blocks                    0.55 MB   42.24   59.72   42.91   60.89       99.70   99.81
//	Int8, at least 256        0.50 MB   42.08   59.70   42.97   60.90       99.06   99.58
//	Int8, at least 64         0.41 MB   42.21   59.72   43.05   60.88       96.81   98.07
//	All                       0.28 MB   42.20   59.71   43.01   60.24       92.62   97.80
//
// Sizes are of the network for blood cells, which has three classes. The two rows before the last are Blocks, but Int8 for all
// convolutions whose sums have so many products. By labels, Blocks is within 0.1 point of float32. The last columns have no
// labels: they say how far detections move, not how good they are. Networks with wider convolutions, where Blocks chooses
// Int8, were not measured: compare your model's results before and after.
//
// # Files
//
// The Save method of a model writes integers as they are, and what is needed to read them: see models.SaveOptions. Training
// makes a weight that it changes float32 again, and its products with it. Adapters (package nn/lora) may be trained beside
// quantized weights. Their products are in float32, and so are those of a new head ([nn.LimitAdded]). Products in Int8 have no
// gradients: a loaded model's Math is Int8, and must be simd.Strict or simd.BF16 before Training.
package quant
