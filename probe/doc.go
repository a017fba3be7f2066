// Package probe classifies by frozen features: vectors that a pretrained encoder gives, or plain pixels.
//
//	c, _, err := probe.ChooseC(ctx, features, labels, classes, []float64{0.01, 0.1, 1, 10}, 5, probe.LogisticOptions{})
//	if err != nil {
//		return err
//	}
//	linear, err := probe.FitLogistic(ctx, features, labels, classes, probe.LogisticOptions{C: c})
//	if err != nil {
//		return err
//	}
//	fmt.Printf("logistic regression: %.1f %%\n", 100*metrics.Accuracy(linear.Logits(testFeatures), testLabels))
//
//	near, err := probe.FitNeighbors(features, labels, classes, probe.NeighborsOptions{K: 20, Temperature: 0.07})
//	if err != nil {
//		return err
//	}
//	predicted := near.Predict(testFeatures)
//
// Features are row-major, [samples, width]. The two classifiers are the usual measures of features without labels: the
// linear probe and the nearest neighbors. On raw pixels they are baselines that a trained network must beat.
//
// # Logistic regression
//
// [FitLogistic] minimizes the cross-entropy with a penalty on squared weights, by L-BFGS. Options and solution are those of
// scikit-learn's LogisticRegression. Two classes are its binary regression, and classes without samples are left out. The
// minimum is unique, so the weights agree to the tolerance. On images it is found in less than half of scikit-learn's steps,
// because the features are centered first.
//
//   - Weight and Bias have the layout of nn.Linear, so that the head of a network can begin with them.
//   - [FitLogisticSoft] learns from probabilities, and LogisticOptions.Weights weights samples: for distillation and
//     self-training.
//   - [ChooseC] chooses the penalty by cross-validation on the training samples, and [SearchC] by other samples, as CLIP's
//     linear probe does. Test samples must play no part in it.
//
// # Nearest neighbors
//
// [FitNeighbors] keeps the rows, and [Neighbors.Predict] lets the nearest vote: each the same, or by similarity as in
// DINO. [Neighbors.Nearest] returns the rows themselves, for a search among some ten thousand images. The search is exact
// and compares a query with every row.
//
// # The same bits
//
// A fit computes in float64 with one order of each sum, and without the functions of package math that differ between
// machines. So it gives the same bits on every machine, for any number of workers. Similarities are products of package
// simd and follow its rules.
//
// # Mistakes
//
// Features, labels and targets come from files and models, so a mistake in them is an error that names the sample.
// Queries of another width are a mistake of the program and panic. A query that is not finite gets some class.
package probe
