// Detect-train trains a detector on your own images with boxes, in the format of PASCAL VOC, COCO or YOLO:
//
//	go run ./examples/detect-train -data cells -out detector                      # a small FCOS from scratch
//	go run ./examples/detect-train -data cells -init fcos_resnet50_fpn_coco-99b0c9b7.pth -budget 2h
//	go run ./examples/detect -weights detector/model street.jpg                   # what it learned
//
// -data is a folder with Annotations and JPEGImages (VOC), with a JSON file of annotations (COCO), or with text files
// beside images or in labels (YOLO); or a JSON file. The parts train, val and test are told by the names of lists,
// files or folders. Without images for testing, a fifth is set apart, and without some for validation 15 % of the rest.
// An annotation or image that cannot be used is an error, which names the file and the line or object. With
// -skip-errors it is left out and counted. Crowds do not count as objects.
//
// -model names the detector, and -init a file or folder with its weights: every detector that examples/detect knows. If
// these have other classes than the data, the layers for classes are drawn anew, and the output says how many values. A
// backbone that was trained before keeps its normalizations and first stage: -freeze says which part is not trained.
// Without -init the detector is a small one from scratch, which takes many epochs. -augment says how images are changed
// at random, all by the numbers of -seed: "light" takes parts of them, mirrors them and changes colors.
//
// After each epoch it measures COCO's average precision on the validation images. Training ends when -patience epochs
// bring no better one, and the best epoch is kept. Beside the precision on the test images stands a baseline that never
// looks at an image: it predicts the boxes that are most frequent in training, the same in every image. It writes to
// the folder of -out:
//
//	model                  the detector, for [detect.Open] and examples/detect
//	curves.png             the parts of the loss, and the average precision on validation images
//	precision.png          precision and recall on the test images
//	confusion.png          which class is taken for which, and for the background
//	found.png              validation images with the annotated boxes, and with those that were found
//	run.json               the settings of the run
//	run.safetensors        the state of an unfinished run; removed at the end
//	.detect-train.lock     locks the folder during a run
//
// Ctrl-C interrupts a run, and -resume continues it. It ends with the same bits as a run without the interrupt.
//
// -json prints one JSON value on standard output:
//
//	{"model":s,"classes":[s],"train":n,"validation":n,"test":n,"skipped":n,"loss":[x],"parts":{s:[x]},
//	 "validation_ap":[x],"validation_ap50":[x],"best":n,"ap":x,"ap50":x,"ap75":x,"class_ap50":[x],
//	 "baseline_ap":x,"baseline_ap50":x,"threshold":x,"confusion":[[n]],"out":"DIR"}
//
// loss, parts and the two of validation have a value for each epoch, and best counts epochs from 1. Precisions are from
// 0 to 1. A class without objects in the test images has null. threshold is the score that gives the best F1 on the
// validation images; the confusion counts detections above it, and its last row and column are the background. The exit
// status is 0 for a finished run, 1 after an error, and 130 after an interrupt.
//
// The source files, in the order of the program's course: main.go and settings.go (flags), run.go, data.go (images), model.go,
// resume.go, train.go, measure.go, show.go and json.go (results).
//
// [detect.Open]: https://pkg.go.dev/github.com/fovea-ml/fovea/models/detect#Open
package main
