// Package backbone has the convolutional networks on which detectors are built, as classifiers and as sources of features:
// residual networks (ResNet; He et al., arXiv 1512.03385), ShuffleNetV2 (Ma et al., arXiv 1807.11164), DLA-34 (Yu et al.,
// arXiv 1707.06484), and a small plain network.
//
//	model, err := backbone.Open("resnet50.pth", backbone.LoadOptions{})
//	…
//	predictions, err := model.Classify(ctx, photograph)
//	fmt.Println(predictions[0].Top[0].Label)
//
// A [Body] maps pixels to features at several strides: each level has half the height and width of the one before, and
// usually twice the channels. A classifier takes the mean of the last level. A detector takes all levels:
//
//	levels := model.Body.Forward(pixels) // for a ResNet at strides 4, 8, 16 and 32
//
// # Using a model
//
// [Open] reads a model folder or file, and [Model.Classify] takes images of any size. [Model.Embed] returns the vectors
// that the head classifies. [Model.Forward] and [Model.Pooled] are the same for pixels on a tape. Decode photographs with
// vision.DecodeFile or vision.Decode, with ApplyOrientation.
//
// Any number of goroutines may use one model at once. Model.Workers sets how many cores a call takes, and
// Model.Math the arithmetic of products.
//
// # Batch normalization
//
// Inference folds every normalization into its convolution. A training tape uses the statistics of the batch and updates
// the running ones when it is committed. [FreezeNorms] keeps the loaded statistics, as detectors that train on small
// batches do.
//
// # Folders
//
// [Open] reads the files of torchvision (.pth), folders and files of timm, and folders of transformers' ResNet. The weights
// tell the architecture and its sizes. [Model.Save] writes for transformers or for timm; the names of timm's tensors are
// torchvision's.
package backbone
