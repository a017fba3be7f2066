// Classify says what pictures show.
//
//	go run ./examples/classify -model vit-base-patch16-224 photo.jpg holiday/*.jpg
//
// The model is a Vision Transformer in a folder of Hugging Face's or timm's, a single file of weights as the papers
// release them, or the name of such a model on the hub, which is fetched first. Pictures are prepared as the model's own
// library prepares them, and turned as their EXIF data says.
//
// For each picture the most probable classes are printed, with bars on a terminal; -json prints one JSON value instead:
//
//	[{"image":"photo.jpg","logits":[…],"top":[{"label":"tabby","index":281,"p":0.93}]}]
//
// A picture that cannot be read is named on the standard error stream and left out. The exit status is 0 when all were
// classified, 1 otherwise, and 130 after Ctrl-C.
package main
