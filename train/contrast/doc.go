// Package contrast trains encoders by comparison: each sample of a batch belongs to one other sample, and all the
// others of the batch are its negatives.
//
//	func(ctx context.Context, t *autograd.Tape, b *train.Batch) (*autograd.Tensor, error) { // train.Config.Loss
//		pairs, err := feed.Next(ctx, b)
//		if err != nil {
//			return nil, err
//		}
//		images := contrast.Encode(t, pairs.Len(), 32, func(from, to int) *autograd.Tensor {
//			return model.EmbedImages(pixels(t, pairs, from, to))
//		})
//		texts := contrast.Encode(t, pairs.Len(), 32, func(from, to int) *autograd.Tensor {
//			return model.EmbedTexts(t, tokens(pairs, from, to))
//		})
//		return contrast.Softmax(images, texts, model.LogitScale), nil
//	}
//
// # Losses
//
//   - [Softmax] is the loss of CLIP, symmetric InfoNCE: a sample finds its partner among all samples of the other kind.
//   - [Sigmoid] is the loss of SigLIP: each pair of samples is a decision of its own.
//   - [Ranking] is the loss of sentence embeddings: an anchor finds its positive among those of all anchors and among
//     hard negatives.
//
// All losses compare by cosine similarity. The embeddings they get need not be normalized. The factor of similarities
// is a learned parameter or a number; [ClampScale] bounds a learned one, as CLIP does. Model.Training of models/clip
// and Model.SentenceTraining of models/bert use them.
//
// # Batches larger than memory
//
// The loss of a pair depends on the whole batch, so that gradients of small batches do not add up to those of a large
// one. [Encode] caches instead (Gao et al., "Scaling deep contrastive learning batch size under memory limited setup",
// arXiv
// 2101.06983). It encodes micro-batches one after the other and keeps their embeddings alone. Backward first computes the
// gradients of the embeddings, then encodes each micro-batch again and continues into the encoder. The gradients are
// those of the whole batch. Memory grows by the embeddings and logits. An encoder runs twice instead of once, about a
// third more work for a step.
//
// The second run draws the same random numbers, so dropout is the same in both. It holds for any number of encoders,
// and for [autograd.Options] with Recompute too. Batch normalization in training alone sees the micro-batch instead of
// the batch.
//
// # Data
//
// The function given to Encode runs twice for each range of samples, the second time from the last range to the first.
// It may read its samples when it runs, so that only one micro-batch of pixels is in memory, if it finds the same
// samples both times.
package contrast
