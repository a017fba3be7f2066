// Package fovea is the map of the library; it has no code itself. To label a photograph with words of your choice, for
// example, use models/clip and vision:
//
//	model, err := clip.Open(folder, clip.LoadOptions{})
//	image, err := vision.Decode(photograph, vision.DecodeOptions{ApplyOrientation: true})
//	words, err := model.Classifier(ctx, []string{"cat", "dog"}, nil)
//	predictions, err := words.Classify(ctx, image)
//	fmt.Println(predictions[0].Top[0].Label)
//
// Fovea is a differentiable tensor engine with hand-written SIMD kernels, and models of images and text on top of it, without cgo.
// The packages, from the lowest layer to the highest. A package imports only packages that come before it in this list:
//
//   - simd: kernels on float32 slices for AVX2, AVX-512, NEON and portable Go, with the same bits on each: products,
//     depthwise convolutions, functions, sums. Also the workers that run them in parallel. Math modes (bfloat16, integers)
//     trade exactness of products for speed: every model has a field Math.
//   - autograd: Tensor, Parameter and Tape; differentiable operations of transformers, convolutional networks, detectors
//     and recurrent networks; memory and random numbers. autograd/gradcheck compares the gradients of a function with
//     finite differences.
//   - checkpoint: reads and writes weights: safetensors and PyTorch files, mapped or embedded. Also rules that translate
//     tensor names.
//   - data: cuts lists of items into batches and prepares them ahead; random numbers from seed, epoch and item.
//   - metrics: accuracy, top-k accuracy and confusion of predictions; recall of retrieval; precision of detections.
//   - index: exact search over vectors, in memory or in a folder that survives crashes.
//   - probe: classifies frozen features by logistic regression or nearest neighbors.
//   - vision: decodes and resizes images with Pillow's exact pixels. Also image processors of transformers and timm,
//     augmentation, data sets and loaders. vision/boxes reads annotations; vision/draw draws boxes, heat maps and sheets of images.
//   - text: tokenizers, with the ids of Hugging Face's tokenizers and transformers.
//   - serve: gathers concurrent requests to a model into batches.
//   - nn: layers as plain structs (attention, LSTM, rotary tables), initializers, named parameters. nn/lora fine-tunes with
//     low-rank adapters, and nn/quant converts weights to integers of 8 bits.
//   - train: optimizers, schedules, feeds, the training loop with validation and early stopping, exact resume.
//     train/contrast has the losses of CLIP, SigLIP and sentence embeddings, and batches larger than memory.
//   - models: the types that all models share: options, class names, predictions. models/vit is the Vision
//     Transformer, models/bert BERT and its variants, models/mae the masked autoencoder, models/clip CLIP and SigLIP.
//     models/backbone has convolutional networks, and models/detect the detectors on them.
//   - hub: downloads model folders into the cache shared with Python. It is the only package that uses the network.
//
// The programs:
//
//   - examples/mae pre-trains, fine-tunes and compares, on your own images.
//   - examples/zeroshot labels images with words, and examples/clip-train trains a CLIP model. examples/eval measures such
//     models, and classifiers.
//   - examples/embed turns texts into vectors and searches files, examples/ask answers questions about a file, and
//     examples/fillmask predicts masked words.
//   - examples/finetune-text trains a classifier of texts, and examples/classify-text uses it.
//   - examples/classify classifies images, and examples/finetune trains a model to classify your own.
//   - examples/detect finds objects in images and frames, and examples/detect-train trains a detector on your own images.
//   - examples/inspect shows and converts checkpoints, and examples/quantize converts weights to integers.
//   - examples/tokenize shows the tokens of texts, counts those of files, and trains tokenizers.
//
// A model belongs to no goroutine and no tape. Load it once, and use it in any number of goroutines.
package fovea
