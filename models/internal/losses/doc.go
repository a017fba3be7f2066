// Package losses has the differentiable losses that detectors share:
//
//	ce := losses.Focal(logits, targets, losses.FocalOptions{})                       // [n, classes]
//	iou := losses.BoxLoss(autograd.IndexSelect(predicted, 0, rows), found, losses.GIoU) // [rows]
//	total := autograd.Add(autograd.Sum(ce, false), autograd.Sum(iou, false))
//
// [Focal] is the sigmoid focal loss of RetinaNet (arXiv 1708.02002), as torchvision.ops.sigmoid_focal_loss computes it.
// [HeatmapFocal] is CenterNet's, which penalizes less near a center (arXiv 1808.01244, equation 1). [BoxLoss] compares boxes
// by GIoU (arXiv 1902.09630), DIoU or CIoU (arXiv 1911.08287), as torchvision's losses, by the GIoU of DETR, or by SIoU (arXiv
// 2205.12740).
//
// Losses of elements and of rows are not reduced: the caller sums them and divides by what its paper says. Every result is a
// function of its inputs alone, whatever the number of threads.
//
// # Boxes without area
//
// torchvision adds 1e-7 to denominators, so that equal boxes without area have a finite loss. The gradient of CIoU's aspect
// ratio is 0 for them here, where torchvision's is NaN: one such box would end a training run.
package losses
