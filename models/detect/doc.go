// Package detect finds objects in images: their boxes, classes and scores.
//
//	model, err := detect.Open("fastestdet.pth", detect.LoadOptions{})
//	…
//	found, err := model.Detect(ctx, photograph)
//	for _, d := range found[0] {
//		fmt.Println(d.Label, d.Score, d.Box)
//	}
//
// The detector is FastestDet (github.com/dog-qiuqiu/FastestDet): a network of 0.24 M parameters without anchors, for devices
// without much power. A [Network] is the part that differs from one detector to another.
//
// # Using a model
//
// [Open] reads a model folder or file, and [Model.Detect] takes images of any size. Boxes are in pixels of the image, as
// [Box] says, and detections are sorted by score. [Options] sets the least score, and how much boxes may overlap. Decode
// photographs with vision.DecodeFile or vision.Decode, with ApplyOrientation. Package vision/draw draws what was found.
//
// Any number of goroutines may use one model at once. Model.Workers sets how many cores a call takes.
//
// # Folders
//
// [Open] reads the release of FastestDet (.pth), or a folder that [Model.Save] wrote. A file beside the weights whose name
// ends in .names has the names of the classes, one a line, as darknet's data sets have it. Nothing in a folder is trusted.
package detect
