// Package boxes reads data sets whose images have boxes around objects:
//
//	cells, err := boxes.OpenVOC(os.DirFS("bccd"), "train", boxes.Options{})
//	if err != nil {
//		return err
//	}
//	for i := range cells.Len() {
//		for _, o := range cells.Objects(i) {
//			fmt.Println(cells.Name(i), cells.Classes()[o.Label], o.Box)
//		}
//	}
//
// Three formats give the same [Dataset]: [OpenVOC] reads the XML files of PASCAL VOC, [OpenCOCO] the JSON file of COCO, and
// [OpenYOLO] the text files of YOLO.
//
// # Coordinates
//
// A [Box] is in pixels, x before y, measured from the left and upper edge of the image. A pixel in column 3 spans from
// 3 to 4. So the width of a box is X1 - X0, and a box around the whole image is from (0, 0) to (width, height). Each
// format has another convention:
//
//   - PASCAL VOC counts pixels from 1, and the last one is inside. xmin becomes X0 = xmin - 1, and xmax becomes X1. A box
//     from 1 to 640 then is 640 wide, as the devkit's evaluation computes it. (torchvision returns the numbers of the file.)
//   - COCO gives the left and upper edge, the width and the height. They are taken as they are.
//   - YOLO gives the center, the width and the height as shares of the image. They are multiplied by its size.
//
// Boxes are not clipped to the image. Rounding may let one exceed it.
//
// # Labels
//
// Labels count from 0 in the order of Classes. VOC's classes are the names in all annotations of the folder, sorted, so
// that training and validation parts agree. COCO's are the categories in the order of their numbers, which may have gaps.
// YOLO's come from data.yaml, classes.txt or obj.names. [Options] can fix the names instead.
//
// # Untrusted files
//
// Files come from many tools and hold mistakes. An annotation that cannot be used is an [Error] with the file, the place in
// it, what was expected and what was found: a box without area or outside the image, an unknown class, an image that is
// missing. It ends the reading, or it is left out and listed by [Dataset.Skipped], as Options.OnError says. Memory stays
// below a small multiple of the size of the files. Names of images cannot lead out of the file system.
//
// # Evaluation
//
//	r, err := metrics.COCO(val.Truth(), found, metrics.COCOOptions{}) // each found has the number of its image and a label
//
// [Dataset.Truth] returns the objects as package metrics compares them with detections. To compare with pycocotools to the
// last bit, read the file by metrics.ReadCOCO: it keeps widths and heights as they are written, and boxes without area.
//
// # Training
//
//	s, err := train.Sample(i)
//	…
//	a := boxes.Augment{Crop: 0.5, Flip: 0.5, Jitter: &vision.ColorJitter{Brightness: 0.3}}
//	s, err = a.Apply(data.NewRand(seed, epoch, uint64(i)), s, nil)
//
// A [Sample] is an image with its objects. Its methods flip, crop, pad and resize both alike. [Augment] does so at random: crops
// and smaller images as in SSD, mosaics, mixup, and changes of colors. The same random numbers give the same sample.
//
// # Crops
//
// [Dataset.Crops] turns each box into an image of its own. The result is a [vision.Dataset] for training a classifier.
package boxes
