// Mae pre-trains a masked autoencoder on pictures without labels and shows what that is worth.
//
// It fine-tunes a classifier from the pre-trained encoder on the labels of a few pictures, trains the same
// network from scratch on the same labels for the same number of steps, and prints how many test pictures each
// of them names rightly. Without flags it needs nothing: a part of Fashion-MNIST is in the program.
//
//	go run ./examples/mae
//	go run ./examples/mae -data photographs        # one sub-folder a class, pictures of any size
//	go run ./examples/mae -init vit-mae-base -data photographs -epochs 5
//
// It writes to the folder of -out:
//
//	reconstruction.png  test pictures: original, masked, reconstructed
//	curves.png          losses and accuracies
//	pretrained          the masked autoencoder, as transformers' ViTMAEForPreTraining loads it
//	classifier          the fine-tuned classifier, for [vit.Load] and transformers
//	scratch             the classifier that was trained from scratch
//	resume              what an unfinished run needs to be continued; removed at its end
//
// Ctrl-C stops a run so that -resume continues it, to the same bits as if it had not been stopped; a second
// one ends it at once. The exit status is 0 for a finished run, 1 after an error, and 130 for a run that was
// stopped.
//
// The files follow the program's course: settings.go, data.go and examine.go say what to do and with what,
// run.go goes through the phases, train.go holds them, and reconstruction.go and curves.go draw the results.
//
// [vit.Load]: https://pkg.go.dev/github.com/fovea-ml/fovea/models/vit#Load
package main
