// Package fovea is the map of the library; it holds no code. Fovea gives a Go program eyes and reading
// glasses without cgo: a differentiable tensor engine, hand-written SIMD kernels, and models that see.
//
// From the bottom up, each package importing only those below it:
//
//   - simd: kernels over float32 slices for AVX2, AVX-512, NEON and portable Go, with the same bits on
//     each, and the workers that run them in parallel.
//   - autograd: Tensor, Parameter and Tape; differentiable operations, memory and randomness.
//   - checkpoint: safetensors in and out, and the rules that translate tensor names.
//   - vision: pictures in and out; resizing equal to Pillow's, augmentation, data sets and loaders.
//   - nn: layers as plain structs, initialisers, named parameters.
//   - train: optimisers, schedules, the training loop, exact resume.
//   - models/vit: the Vision Transformer. models/mae: the masked autoencoder on top of it.
//   - examples/mae: a program that pre-trains, fine-tunes and compares on your own images.
//
// A model belongs to no thread and no tape: load it once, use it from any number of goroutines.
package fovea
