// Package mae is the masked autoencoder of He et al., "Masked autoencoders are scalable vision learners"
// (arXiv 2111.06377), as transformers' ViTMAEForPreTraining and facebookresearch/mae compute it.
//
// Most patches of a picture, three quarters by default, are hidden. The encoder, a Vision Transformer, sees
// the visible ones only, which is what makes pre-training cheap; a small decoder receives its tokens and, for
// each hidden patch, a shared mask token, and predicts the hidden pixels. What the encoder learns in this way
// from pictures without labels serves a classifier that is then fine-tuned on few.
//
// [New] makes a model, [Load] reads one; [Model.Loss] is the training loss of a batch under a [Masking];
// [Model.Reconstruct] shows what the model makes of pictures; [Model.Classifier] hands the encoder over to a
// classifier.
package mae
