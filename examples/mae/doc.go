// Mae pre-trains a masked autoencoder on images without labels, and measures the gain.
//
//	go run ./examples/mae
//	go run ./examples/mae -data photographs        # one sub-folder for each class, images of any size
//	go run ./examples/mae -init vit-mae-base -data photographs -epochs 5
//
// The program has these phases:
//
//   - It pre-trains the masked autoencoder on all training images, without their labels.
//   - It fits logistic regression to the features of the frozen encoder, on the labels of a few images.
//   - It fine-tunes encoder and classifier together, from there, on the same labels.
//   - It lets that classifier label all training images, and trains it further on its own answers (self-training).
//   - It trains the same network from scratch, on the few labels.
//
// It then prints the accuracy of each on test images. Beside them it prints two baselines on the same labels: logistic
// regression on the pixels, and nearest neighbors on the frozen features. Without flags it uses a part of Fashion-MNIST,
// which is embedded in the program.
//
// It writes to the folder of -out:
//
//	reconstruction.png  test images: original, masked, reconstructed
//	curves.png          losses and accuracies
//	pretrained          the masked autoencoder, in the format of transformers' ViTMAEForPreTraining
//	classifier          the fine-tuned classifier, for [vit.Load]; with -data also for transformers
//	selftrained         the classifier after self-training
//	scratch             the classifier trained from scratch
//	run.json            the settings of the run
//	resume              the state of an unfinished run; removed at the end
//	.mae.lock           locks the folder during a run
//
// It replaces the results of earlier runs there. It refuses a folder in which these names belong to something else. One run
// at a time writes to a folder.
//
// Ctrl-C interrupts a run, and -resume continues it. The resumed run ends with the same bits as a run without the
// interrupt. A second Ctrl-C ends the program at once. The exit status is 0 for a finished run, 1 after an error, and 130
// after an interrupt.
//
// The source files, in the order of the program's course:
//
//   - main.go, settings.go, data.go and examine.go: flags, recipes and data
//   - run.go and output.go: the phases of a run, and the folder they write to
//   - train.go and resume.go: the training of one phase
//   - probe.go and selftrain.go: classifiers on frozen features and on pixels, and a model's own answers as labels
//   - reconstruction.go, curves.go and json.go: charts of the results, and -json
//
// [vit.Load]: https://pkg.go.dev/github.com/fovea-ml/fovea/models/vit#Load
package main
