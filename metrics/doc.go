// Package metrics measures predictions against labels:
//
//	c := metrics.NewConfusion(len(classes))
//	c.Names = classes
//	for batch, err := range loader.Epoch(ctx, 0) {
//		if err != nil {
//			return err
//		}
//		if err := c.AddLogits(predict(batch), batch.Labels); err != nil {
//			return err
//		}
//	}
//	fmt.Printf("%.1f %% right, %.1f %% balanced\n", 100*c.Accuracy(), 100*c.BalancedAccuracy())
//	fmt.Print(c) // the table
//
// [Accuracy] and [TopKAccuracy] take the logits of a whole data set; [Correct] counts one batch, for sums over many.
// [Interval] says how far a share may be off, by the number of samples.
// A [Confusion] counts each pair of label and prediction. Accuracy, recall, precision and F1 follow from it, for each
// class and as means. Logits are row-major, [samples, classes]: what a model returns.
//
// A [Retrieval] ranks items for queries, such as images for texts. Its recall at 1, 5 and 10 measures models of images and
// texts, also where an image has several captions. [Spearman] and [Pearson] compare similarities with those that people gave.
//
// # Detection
//
//	truth, err := metrics.ReadCOCO(annotations) // or []metrics.Object of your own
//	if err != nil {
//		return err
//	}
//	r, err := metrics.COCO(truth.Objects, found, metrics.COCOOptions{Images: truth.ImageIDs()})
//	if err != nil {
//		return err
//	}
//	fmt.Print(r.COCOFigures) // the twelve figures, as pycocotools prints them
//
// An [Object] is the ground truth, a [Detection] is what a model found. Both are plain structs with ids of an image and a
// class and a [Box] in pixels. Boxes are evaluated; masks and key points are not.
//
//   - [COCO] computes the twelve figures of pycocotools. It gives them and the precisions at 101 recalls for each class too.
//   - [VOC] computes average precision as VOC's devkit, over eleven recalls or the whole curve.
//   - [DetectionConfusion] counts which class is taken for which, and what is missed or taken for the background.
//   - [FindErrors] names the mistake of each detection, and says how much each kind costs, as TIDE.
//
// [ReadCOCO], [ReadCOCOResults] and [WriteCOCOResults] read and write COCO's files.
//
// # Order
//
// [Argmax], [ArgmaxRows] and [TopK] rank values from the highest to the lowest. Of equal values the first comes first.
// NaN counts as higher than all numbers, as in torch.argmax and torch.topk. So a model that has diverged predicts the
// first class that is NaN, and its accuracy falls to chance.
//
// # Definitions
//
// Names and values are scikit-learn's. A ratio whose denominator is zero is 0 for one class (recall without samples,
// precision without predictions). Means over classes leave out the classes that have nothing to average: balanced
// accuracy those without samples, macro F1 those with neither samples nor predictions. A share of no samples at all is
// NaN. Ties are the one difference: for equal scores, sklearn.metrics.top_k_accuracy_score prefers the last class.
//
// # Mistakes
//
// Sizes that do not fit panic. [Confusion.AddLogits] reports a label beyond the classes as an error, because labels come
// from files. The functions without an error panic.
package metrics
