// Package vit is the Vision Transformer of Dosovitskiy et al., "An image is worth 16x16 words" (arXiv
// 2010.11929), as transformers' ViTForImageClassification computes it.
//
// A picture is cut into square patches; each is projected to a token; a class token is put before them and
// learned positions are added; pre-norm transformer blocks follow. The class token after the last norm, or
// the mean of the patch tokens ([MeanPooling]), goes through one linear layer to the classes' logits.
//
// # Using a model
//
// [Load] reads a model folder and [Model.Classify] answers for pictures of any size. Decode photographs with
// vision.DecodeFile or vision.Decode, which give the pixels of Pillow (the standard library's image.Decode gives
// slightly others), and turn those that were taken sideways when ApplyOrientation says so. [Model.Features] gives
// what the head sees, a vector a picture. Any number of goroutines may use one model at once: it is only read, each
// call has its own tape, and the memory of tapes is lent from a short list and kept. Model.Workers says how many
// cores a call takes.
//
// # Training
//
// [New] draws initial weights from a generator that the caller gives. To train, make a tape that records
// gradients and call [Model.Forward] on it, as the example of package train does for any model; [Model.Layer]
// numbers parameters for layer-wise decay. Dropout and drop path follow the configuration and the switches of the
// tape.
//
// # Folders
//
// [Load] reads a folder of Hugging Face's or timm's, or a single file of weights of an original release, under whichever
// of their names; Model.Save writes for transformers or, with [ForTimm], for timm. What a folder claims is compared
// with what its weights hold before memory is set aside for a model.
//
// timm's Vision Transformers have variants that transformers' has not: pooling by the mean, no class token, layer
// scale, a norm before the blocks, positions resized by another filter. They are the last fields of [Config].
//
// # Memory
//
// A file that the system can map is not copied: weights are read from it when they are first used, and then packed
// for matrix products, after which the file's pages are given back. So a model takes about the size of its file,
// in half precision too, which stays so ([LoadOptions].Widen). From file to first logits, ViT-B/16 takes two
// to three times as long as a later call: bench/load.py measures both, beside PyTorch.
//
// # Building on it
//
// [Encoder] is the tower without pooling and head, on which other models are built.
package vit
