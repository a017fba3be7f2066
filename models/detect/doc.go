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
//   - [DETR] (arXiv 2005.12872): a set of queries, each of which finds one object, by a transformer on a residual network
//   - [YOLOS] (arXiv 2106.00666): the same by a Vision Transformer
//   - [RTDETR] (arXiv 2304.08069, and its second version, 2407.17140): a transformer that predicts a set of objects, without
//     non-maximum suppression
//   - [YOLOv1] (arXiv 1506.02640): a grid of cells, on a modern backbone; for training, because nobody released weights
//   - [Darknet] (github.com/pjreddie/darknet): YOLOv1 as its authors' program builds it, from the files yolov1.cfg and
//     yolov1.weights, or the tiny ones
//
// # Using a model
//
// [Open] reads a model folder or file, and [Model.Detect] takes images of any size. Boxes are in pixels of the image, as
// [Box] says, and detections are sorted by score. [Options] sets the least score, and how much boxes may overlap. Decode
// photographs with vision.DecodeFile or vision.Decode, with ApplyOrientation. Package vision/draw draws what was found.
//
// Any number of goroutines may use one model at once. Model.Workers sets how many cores a call takes, and
// Model.Math the arithmetic of products.
//
// # Training
//
// [New] draws initial weights, and [Model.NewHead] the layers of new classes for a model that was loaded. [Model.Training]
// then prepares a run of package train on a data set of package vision/boxes:
//
//	err := model.NewHead(images.Classes(), rng)
//	…
//	run, err := model.Training(images, detect.TrainOptions{Augment: &boxes.Augment{Flip: 0.5}})
//	…
//	result, err := train.Run(ctx, run)
//
// For a loop of your own, [Model.Prepare] prepares an image and the objects in it as [Model.Detect] prepares images.
// [Model.Samples] makes a batch of some, and [Model.Losses] gives the parts of its loss, which are those of
// torchvision, of the paper for CenterNet and YOLOv1, of the release for FastestDet, and of transformers for DETR,
// YOLOS and RT-DETR:
//
//	prepared, err := model.Prepare(photograph, objects, 0)
//	…
//	samples := model.Samples(detect.Samples{}, []detect.Prepared{prepared})
//	losses, err := model.Losses(samples.Batch(tape), rng) // on a tape with Gradients and Training
//	…
//	losses.Sum().Backward(grads)
//
// The Loss method of a network, such as [FCOS.Loss] or [DETR.Loss], takes pixels that are prepared otherwise. Classes of objects begin at 0 in all networks but Faster
// R-CNN, where 0 is the background. [Model.ClassesOf] tells them by their names.
//
// [backbone.FreezeNorms] keeps the statistics of a backbone that was trained before. [Model.DetectDataset] gives the
// detections that package metrics evaluates.
//
// # Folders
//
// [Open] reads:
//
//   - files of torchvision, and of the releases of FastestDet, CenterNet and DETR (.pth)
//   - files of darknet's YOLOv1 (.cfg and .weights)
//   - folders of transformers: DETR, YOLOS and RT-DETR
//   - folders that [Model.Save] wrote. transformers reads those of the detectors that it has.
//
// A file beside the weights whose name ends in .names has the names of the classes, one a line, as darknet's data sets
// have it. Nothing in a folder is trusted.
//
// [backbone.FreezeNorms]: https://pkg.go.dev/github.com/fovea-ml/fovea/models/backbone#FreezeNorms
package detect
