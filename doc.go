// Package fovea is the map of the library; it holds no code. Fovea gives a Go program eyes and reading
// glasses without cgo: a differentiable tensor engine, hand-written SIMD kernels, and models that see.
//
// From the bottom up, each package importing only those below it:
//
//   - simd: kernels over float32 slices for AVX2, AVX-512, NEON and portable Go, with the same bits on
//     each, and the workers that run them in parallel.
//   - autograd: Tensor, Parameter and Tape; differentiable operations, memory and randomness.
//   - checkpoint: weights in and out: safetensors and PyTorch files, in place where they lie, and the rules that
//     translate tensor names.
//   - data: lists of items cut into batches, prepared ahead; random numbers keyed by seed, epoch and item.
//   - vision: pictures in and out; decoding and resizing equal to Pillow's, the image processors of transformers and
//     timm, augmentation, data sets and loaders. vision/draw: boxes, heat maps and sheets of images for people.
//   - nn: layers as plain structs, initializers, named parameters.
//   - train: optimizers, schedules, the training loop, exact resume.
//   - models/vit: the Vision Transformer. models/mae: the masked autoencoder on top of it.
//   - hub: fetches model folders into the cache shared with Python; the only package that touches the network.
//   - examples/mae: a program that pre-trains, fine-tunes and compares on your own images. examples/classify: one that
//     classifies pictures. examples/inspect: one that shows and converts checkpoints.
//
// A model belongs to no thread and no tape: load it once, use it from any number of goroutines.
package fovea
