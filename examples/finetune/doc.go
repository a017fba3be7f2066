// Finetune trains a Vision Transformer to classify your own images, in a folder with one sub-folder for each class:
//
//	go run ./examples/finetune -model google/vit-base-patch16-224-in21k -data photographs -out classifier
//	go run ./examples/finetune -model vit-base -data photographs -budget 30m
//	go run ./examples/finetune -data photographs                     # a small ViT from scratch
//	go run ./examples/classify -model classifier/model holiday.jpg   # what it learned
//
// -model takes a folder in the layout of Hugging Face or timm, a file of weights, or the name of a model on the hub. -data may also be a folder with the
// sub-folders train, val and test, or a table of images and labels (.csv, .tsv). Without images for testing, a fifth of each
// class is set apart, and 15 % of the rest for validation. Unreadable images are skipped and counted.
//
// There are three methods. It measures a few steps, and prints the time and memory that each will take:
//
//	head   logistic regression on the features of the model, which are computed once: the default
//	lora   low-rank adapters of attention and MLP in all blocks, merged into the weights in the end
//	full   all weights, with smaller steps for lower layers; -freeze leaves out the first blocks
//
// -budget takes the slowest that fits into a time, with fewer epochs if need be. -method chooses one. A flag that
// has no effect on the method is refused, or named once -budget has chosen. Training ends when -patience epochs bring no better
// validation, and the best epoch is kept. -balance draws images of rare classes more often.
//
// Beside the accuracy on the test images, with a confidence interval, stand two baselines that learn from the same images:
// logistic regression on pixels, and always naming the largest class. It writes to the folder of -out:
//
//	model             the classifier, for [vit.Open], examples/classify and transformers
//	confusion.png     labels and predictions of the test images
//	curves.png        the loss, and the accuracy on validation images
//	mistakes.png      the test images that are wrong, the most certain first
//	mistakes.txt      their names
//	run.json          the settings of the run
//	run.safetensors   the state of an unfinished run; removed at the end
//	.finetune.lock    locks the folder during a run
//
// Ctrl-C interrupts a run, and the same command continues it. It ends with the same bits as a run without the interrupt.
//
// -json prints one JSON value on standard output:
//
//	{"method":s,"classes":[s],"train":n,"validation":n,"test":n,"skipped":n,
//	 "expected":[{"method":s,"epochs":n,"seconds":x,"bytes":n}],"seconds":x,"peak":n,"loss":[…],"validation_accuracy":[…],"best":n,
//	 "accuracy":x,"interval":[x,x],"balanced_accuracy":x,"macro_f1":x,"pixels_accuracy":x,"majority_accuracy":x,
//	 "confusion":[[n]],"out":"DIR"}
//
// loss and validation_accuracy have a value for each epoch, and best counts from 1. A head has no epochs: they are the results
// on the validation images for each strength of the penalty. With -balance, validation_accuracy is the mean over the classes.
// expected is empty where nothing was measured: bytes are beside the images, and peak is the memory of the whole process. seconds are those of the
// method, without planning and baselines. The exit status is 0 for a finished run, 1 after an error, and 130 after an
// interrupt.
//
// The source files, in the order of the program's course: main.go and settings.go (flags), run.go, data.go (images), model.go,
// resume.go, plan.go (the choice), head.go and train.go (training), measure.go, show.go and json.go (results).
//
// [vit.Open]: https://pkg.go.dev/github.com/fovea-ml/fovea/models/vit#Open
package main
