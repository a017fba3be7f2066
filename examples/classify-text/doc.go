// Classify-text names the classes of texts, with a classifier such as finetune-text trains:
//
//	go run ./examples/classify-text -model finetuned-text/model "A deft, moving film." "Dull."
//	go run ./examples/classify-text -model finetuned-text/model < lines.txt
//
// Without arguments, each line of standard input is a text. Texts that are longer than the model takes are cut. -top
// shows the N most probable classes of each text.
//
// -json prints one JSON value on standard output:
//
//	[{"text":s,"logits":[…],"top":[{"label":s,"index":i,"p":x}]}]
//
// The exit status is 0 for success, 1 after an error, and 130 after an interrupt.
package main
