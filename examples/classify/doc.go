// Classify prints the most probable classes of images.
//
//	go run ./examples/classify -model google/vit-base-patch16-224 photo.jpg holiday/*.jpg
//
// The model is a Vision Transformer. -model takes:
//
//   - a folder in the layout of Hugging Face or timm
//   - a single file of weights, as the papers' authors release them
//   - the name of a model on the hub, which is downloaded first
//
// Images are prepared exactly as the model's own library prepares them, with their EXIF orientation applied.
//
// Without -json, the program prints text, with bars on a terminal. -json prints one JSON value:
//
//	[{"image":"photo.jpg","logits":[…],"top":[{"label":"tabby","index":281,"p":0.93}]}]
//
// p is the probability of a class. For a model whose classes do not exclude each other (problem_type
// multi_label_classification, or a single class) it is that of the class by itself. For problem_type regression, it is
// the value that the model gives.
//
// An image that cannot be read is named on standard error and skipped. The exit status is 0 if all images were
// classified, 1 otherwise, and 130 after Ctrl-C.
package main
