// Fillmask predicts the words of the masks in texts.
//
//	go run ./examples/fillmask -model google-bert/bert-base-uncased "Paris is the [MASK] of France."
//
// The model is a BERT or a variant with a head for masked words: a folder of transformers, or a name on the hub, which
// is downloaded first. The mask is the model's mask token, [MASK] in BERT and <mask> in RoBERTa; [MASK] stands for it
// in every model. A text may have several masks. Each gets the words that are most probable while the others are
// unknown.
//
// Without -json, the program prints text. -json prints one JSON value:
//
//	[{"text":"Paris is the [MASK] of France.","masks":[[{"token":"capital","id":3007,"p":0.99}]]}]
//
// The exit status is 0, 1 after an error, and 130 after Ctrl-C.
package main
