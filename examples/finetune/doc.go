// Finetune trains a pretrained Vision Transformer to classify your own images, in a folder with one sub-folder a class:
//
//	go run ./examples/finetune -model vit-base -data photographs -out classifier
//
// -model takes a folder in the layout of Hugging Face or timm, a file of weights, or the name of a model on the hub, which is
// downloaded first. A fifth of each class is set apart and never trained on.
//
// Training ends when 5 epochs bring no better accuracy on the images set apart, after at most 30. The best model is saved to the
// folder of -out, in the layout of Hugging Face. After Ctrl-C, repeat the command: it goes on where it stopped.
//
// Accuracy is the mean over the classes, so guessing one class is as good as chance. -json prints one JSON value:
//
//	{"epoch":7,"accuracy":0.93,"chance_accuracy":0.2,"out":"classifier"}
//
// The exit status is 0, 1 after an error, and 130 after Ctrl-C.
package main
