// Package mae is the masked autoencoder of He et al., "Masked autoencoders are scalable vision learners"
// (arXiv 2111.06377), as transformers' ViTMAEForPreTraining and facebookresearch/mae compute it.
//
// Most patches of a picture, three quarters by default, are hidden. The encoder, a Vision Transformer, sees
// the visible ones only, which is what makes pre-training cheap; a small decoder receives its tokens and, for
// each hidden patch, a shared mask token, and predicts the hidden pixels. What the encoder learns in this way
// from pictures without labels serves a classifier that is then fine-tuned on few.
//
// # Pre-training
//
// [New] makes a model, [Load] reads one. [Model.Loss] is the training loss of a batch under a [Masking], which is
// drawn from noise that the caller keys with a seed and a step ([Model.Noise], [Model.Masking]): the same key hides
// the same patches, so that a resumed run is the same run. With NormPixLoss the decoder predicts patches that are
// normalized by their own mean and variance, which the paper found to teach the encoder more.
//
// # Afterwards
//
// [Model.Classifier] hands a copy of the encoder over to a vit.Model with a new head. [Model.Reconstruct] shows what
// the model makes of pictures: as they are, masked, and filled in. [Model.Encode] and [Model.Decode] are the two
// halves of a pass, [Model.Predict] and [Model.Target] what the loss compares.
//
// The position tables are fixed sines and cosines and frozen; a classifier trains its copy. Load reads
// what transformers and the original release write, under whichever of their names, and [Model.Save] writes for the
// one or, with [OriginalNames], for the other.
package mae
