// Detect prints the objects in images: their classes, scores and boxes.
//
//	go run ./examples/detect -weights fastestdet.pth -draw found street.jpg holiday/
//
// The detector is FastestDet. -weights takes its file, a folder that Fovea saved, or the name of such a folder on the hub.
// -model states which detector it is, and need not be given. A file beside the weights whose name ends in .names has the names
// of the classes.
//
// Arguments are images and folders of images; of a folder, all images in it and below are taken, in the order of their
// paths. The EXIF orientation is applied. -draw writes each image with boxes around what was found to a folder, as PNG.
//
// Without -json, the program prints text. -json prints one JSON value:
//
//	[{"image":"street.jpg","detections":[{"box":[12.5,30.1,200.7,180.2],"label":"car","score":0.91,"landmarks":[]}]}]
//
// A box has its left, upper, right and lower edge, in pixels. It may reach outside of the image. landmarks are points of the
// object, for detectors that find them.
//
// An image that cannot be read is named on standard error and skipped. The exit status is 0 if all images were searched, 1
// otherwise, and 130 after Ctrl-C.
package main
