// Package boxes has the arithmetic of boxes that detectors share:
//
//	found := make([]boxes.Box, len(anchors)) // what a model predicts, decoded
//	for i := range found {
//		found[i] = boxes.FromCenter(cx[i], cy[i], w[i], h[i]).Clip(width, height)
//	}
//	for _, i := range boxes.NMSByClass(found, scores, classes, 0.5) {
//		fmt.Println(found[i], scores[i], classes[i])
//	}
//
// A [Box] has the coordinates of [vision/boxes], x before y and edges in pixels, in float32, as models compute them. That
// package reads annotations, in float64; this one handles predictions.
//
// # Suppression
//
// [NMS] keeps the best of boxes that overlap. It takes them by descending score and drops each whose IoU with one that was
// kept is greater than the threshold. The result is that of torchvision.ops.nms to the last box: the same float32
// arithmetic, equal scores in the order of the boxes, NaN scores first.
//
// [NMSByClass] does so within each class. It compares classes, so it is right for negative coordinates too, where
// torchvision's shifted coordinates are not. Equal scores keep the order of the boxes, which torchvision leaves open.
//
// [SoftNMSLinear] and [SoftNMSGaussian] lower the scores of overlapping boxes instead, and [Fuse] merges what several models
// found into mean boxes.
//
// # Training
//
// [Anchors] lie on a grid over each feature map. [Matcher] gives them objects by IoU, and [Assign] pairs predictions and objects
// one to one at the least cost, as DETR does. [Coder] and [Distances] turn boxes into what a head predicts, and back. [Box.GIoU],
// [Box.DIoU] and [Box.CIoU] also tell near boxes from far ones where none overlaps. Their losses are in package losses. [Radius]
// and [DrawGaussian] make the heatmaps that CenterNet learns.
//
// # Untrusted boxes
//
// Predictions of a broken model, or for a hostile image, may be anything. A box that is inverted, has no area or has a
// coordinate that is not finite has an IoU of 0 or NaN with every other: it is kept and suppresses nothing, as in
// torchvision. Callers that do not want such boxes leave them out before; [Box.Valid] tells.
//
// The boxes that were kept lie in hashed cells, by size and place. So a box is compared with its neighbors only: 100,000
// random candidates in an image of 1,900×1,000 pixels take 0.2 s on one core of an AMD EPYC (family 25, model 17).
//
// [vision/boxes]: https://pkg.go.dev/github.com/fovea-ml/fovea/vision/boxes
package boxes
