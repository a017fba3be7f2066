// Package vit is the Vision Transformer of Dosovitskiy et al., "An image is worth 16x16 words" (arXiv
// 2010.11929), as transformers' ViTForImageClassification computes it.
//
// A picture is cut into square patches; each is projected to a token; a class token is put before them and
// learned positions are added; pre-norm transformer blocks follow. The class token after the last norm, or
// the mean of the patch tokens ([MeanPooling]), goes through one linear layer to the classes' logits.
//
// [Load] reads a model folder and [Model.Classify] answers for pictures of any size. To train, make a tape
// that records gradients and call [Model.Forward] on it. [Encoder] is the tower without pooling and head, on
// which other models are built.
package vit
