// Package mae is the masked autoencoder of He et al., "Masked autoencoders are scalable vision learners"
// (arXiv 2111.06377), as transformers' ViTMAEForPreTraining and facebookresearch/mae compute it.
//
//	model := mae.New(mae.Base(), rng)
//	…
//	masking := model.Masking(model.Noise(seed, step, n), n)
//	loss := model.Loss(tape.Input(pixels, n, 3, 224, 224), masking)
//
// Most patches of an image, three quarters by default, are hidden. The encoder is a Vision Transformer that sees
// the visible patches only, so pre-training is cheap. A small decoder receives its tokens, and a shared mask token for
// each hidden patch, and predicts the hidden pixels. So the encoder learns from images without labels. A classifier
// on top of it is then fine-tuned on few labels.
//
// # Pre-training
//
// [New] makes a model, [Open] reads one. [Model.Loss] is the training loss of a batch under a [Masking], which is
// drawn from noise. A seed and a step key the noise ([Model.Noise], [Model.Masking]): the same key hides
// the same patches, so a resumed run is the same run. With NormPixLoss the decoder predicts patches that are
// normalized by their own mean and variance, which taught the paper's encoders more.
//
// # Afterwards
//
// [Model.Classifier] gives a copy of the encoder to a vit.Model with a new head. [Model.Embed] returns the encoder's
// features of images. [Model.Reconstruct] returns images as they are, masked, and filled in. [Model.Encode] and
// [Model.Decode] are the two halves of a pass. [Model.Predict] and [Model.Target] are the two sides of the loss.
//
// The position tables are fixed sines and cosines and frozen; a classifier trains its copy. [Load] reads the files of
// transformers and of the original release, and [Model.Save] writes either.
//
// Any number of goroutines may use one model at once. Model.Workers sets how many cores a call takes, and Model.Math the arithmetic
// of products ([simd.Math]). Package nn/quant converts weights to integers.
package mae
