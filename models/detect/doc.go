// Package detect finds objects in images: their boxes, classes and scores.
//
//	model, err := detect.Open("fastestdet.pth", detect.LoadOptions{})
//	…
//	found, err := model.Detect(ctx, photograph)
//	for _, d := range found[0] {
//		fmt.Println(d.Label, d.Score, d.Box)
//	}
//
// There are these detectors:
//
//   - [FastestDet] (github.com/dog-qiuqiu/FastestDet): 0.24 M parameters, without anchors, for devices without much power
//   - [FCOS] (arXiv 1904.01355): without anchors, on a residual network with a feature pyramid
//   - [RetinaNet] (arXiv 1708.02002): with anchors, on the same
//   - [FasterRCNN] (arXiv 1506.01497): in two stages, on the same
//   - [CenterNet] (arXiv 1904.07850): by the centers of objects, on a residual network or a DLA
//   - [YOLOv1] (arXiv 1506.02640): a grid of cells, on a modern backbone; for training, because nobody released weights
//
// # Using a model
//
// [Open] reads a model folder or file, and [Model.Detect] takes images of any size. Boxes are in pixels of the image, as
// [Box] says, and detections are sorted by score. [Options] sets the least score, and how much boxes may overlap. Decode
// photographs with vision.DecodeFile or vision.Decode, with ApplyOrientation. Package vision/draw draws what was found.
//
// Any number of goroutines may use one model at once. Model.Workers sets how many cores a call takes.
//
// # Training
//
// [New] draws initial weights. [FCOS.Loss], [RetinaNet.Loss] and [FasterRCNN.Loss] are the losses of torchvision for a batch of
// pixels and the objects of each image. [CenterNet.Loss] and [YOLOv1.Loss] are those of their
// papers:
//
//	network := model.Network.(*detect.FCOS)
//	losses := network.Loss(pixels, truth) // of a tape with Gradients and Training
//	autograd.Add(autograd.Add(losses.Class, losses.Box), losses.Center).Backward(grads)
//
// Prepare the pixels, [n, 3, height, width], as [Model.Detect] does. They are red, green and blue from 0 to 1, less
// vision.ImageNetMean, over vision.ImageNetStd. Resize each image so that its shorter side has Config.MinSize pixels, or its
// longer side Config.MaxSize where that makes a smaller image. Put it into the upper left corner of the batch, whose height
// and width are multiples of 32, with zeros right of it and below. YOLOv1 stretches each image to a square of Config.ImageSize
// pixels instead. CenterNet takes blue, green and red, and has a mean and deviation of its own. The boxes of a [Truth] are in these pixels.
//
// The classes that [New] counts are those of torchvision. They begin at 0, but for Faster R-CNN they begin
// at 1, and the background, 0, counts too: 3 classes of objects make 4. FastestDet has no loss yet.
//
// [backbone.FreezeNorms] keeps the statistics of a backbone that was trained before. [Model.DetectDataset] gives the
// detections that package metrics evaluates.
//
// # Folders
//
// [Open] reads files of torchvision (.pth), the releases of FastestDet and CenterNet (.pth), or a folder that [Model.Save] wrote. A file
// beside the weights whose name ends in .names has the names of the classes, one a line, as darknet's data sets have it.
// Nothing in a folder is trusted.
//
// [backbone.FreezeNorms]: https://pkg.go.dev/github.com/fovea-ml/fovea/models/backbone#FreezeNorms
package detect
