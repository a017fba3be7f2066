// Ask answers questions about a text file with parts of the text.
//
//	go run ./examples/ask -model distilbert/distilbert-base-cased-distilled-squad -file notes.txt "Who wrote it?"
//
// The model is a BERT or a variant with a head for question answering: a folder of transformers, or a name on the hub,
// which is downloaded first. A file that is longer than the model takes is read in windows that overlap. "-" is
// standard input.
//
// Without -json, the program prints the answers with their lines. -none also lets the answer be that there is none,
// which suits models trained on SQuAD 2.0. -json prints one JSON value:
//
//	[{"question":"Who wrote it?","answers":[{"text":"Ada Lovelace","line":3,"start":104,"end":116,"score":0.87}]}]
//
// start and end are bytes in the file. An answer that there is none has an empty text and line 0. The exit status is 0,
// 1 after an error, and 130 after Ctrl-C.
package main
