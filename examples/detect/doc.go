// Detect prints the objects in images: their classes, scores and boxes.
//
//	go run ./examples/detect -weights fastestdet.pth -draw found street.jpg holiday/
//
// -weights takes a file of FastestDet's or CenterNet's release, a file of torchvision's (FCOS, RetinaNet or Faster R-CNN on a
// ResNet with a feature pyramid), a file .weights of darknet's YOLOv1 beside its .cfg, a folder that Fovea saved or one of
// transformers (DETR, YOLOS, RT-DETR), or the name of such a folder on the hub. -model states which detector it is, and need not
// be given. -keep-size, -flip and -scales change how a CenterNet searches. A file beside the weights whose name ends in .names has
// the names of the classes.
//
// Arguments are images and folders of images; of a folder, all images in it and below are taken, in the order of their
// paths, but none that is hidden. The EXIF orientation is applied. -draw writes each image with boxes around what was found to a
// folder, as PNG. The folder must not hold any of the images, which could be replaced.
//
// -frames takes frames from standard input in place of files, JPEG files one after the other or raw images, as ffmpeg writes
// them. -track gives each object a number, which it keeps while its boxes in following frames overlap:
//
//	ffmpeg -i street.mp4 -f mjpeg - | go run ./examples/detect -weights fastestdet.pth -frames mjpeg -track
//	ffmpeg -i street.mp4 -f rawvideo -pix_fmt rgb24 -s 640x480 - | go run ./examples/detect -weights fastestdet.pth -frames 640x480
//
// Without -json, the program prints text. -json prints one JSON value:
//
//	[{"image":"street.jpg","detections":[{"box":[12.5,30.1,200.7,180.2],"label":"car","score":0.91,"landmarks":[]}]}]
//
// A box has its left, upper, right and lower edge, in pixels. It may reach outside of the image. landmarks are points of the
// object, for detectors that find them. With -track, a detection also has "track", its number. An image from standard input
// is called frame-000000 and so on. The JSON value is printed at the end, and not after Ctrl-C: read the text of an endless stream.
//
// An image that cannot be read is named on standard error and skipped. So is a frame that cannot be decoded. A stream that is cut
// off within a frame, or is no longer in the format, ends there, and what was found before is printed. The exit status is 0 if all
// images were searched, 1 otherwise, and 130 after Ctrl-C.
package main
