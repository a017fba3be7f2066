// Finetune-text trains a classifier of texts from a pretrained BERT or a variant, on a table with a text and a label in
// each row:
//
//	go run ./examples/finetune-text -model sentence-transformers/all-MiniLM-L6-v2 -data tickets.csv -out tickets
//	go run ./examples/finetune-text -model all-MiniLM-L6-v2     # a folder, on the embedded texts
//	go run ./examples/finetune-text                             # a small BERT from scratch, on the embedded texts
//
// -data is a file whose name ends in .csv, .tsv or .jsonl. -text and -label name its columns, which stand in the first
// row; in .jsonl they name fields of the object on each line. The texts for testing are in the file of -test, or are a
// fifth of the texts, drawn class by class. A tenth of the rest is for validation. Training ends when -patience epochs
// bring no better validation, and the best epoch is kept.
//
// Without -data, it uses 2,000 snippets of movie reviews, positive or negative, and 1,000 for testing (package
// reviews). With seed 1, a small BERT from scratch gets 71 % of the test snippets right, and bags of words get 73 %: so
// few texts cannot teach a model English. From all-MiniLM-L6-v2, three epochs give 85 %.
//
// Beside the accuracy on the test texts, with a confidence interval, stand two baselines that learn from the same
// texts: logistic regression on bags of words, and always naming the largest class. It writes to the folder of -out:
//
//	model                 the classifier, for [bert.Open], examples/classify-text and transformers
//	confusion.png         labels and predictions of the test texts
//	curves.png            the loss, and the accuracy on validation texts
//	mistakes.txt          the test texts that are wrong, the most certain first
//	run.json              the settings of the run
//	run.safetensors       the state of an unfinished run; removed at the end
//	.finetune-text.lock   locks the folder during a run
//
// -lora trains adapters and the head alone, and merges them into the model in the end. -freeze trains the last layers
// alone. -balance makes the texts of rare classes count more. Ctrl-C interrupts a run, and -resume continues it. The
// resumed run ends with the same bits as a run without the interrupt.
//
// -json prints one JSON value on standard output:
//
//	{"classes":[s],"train":n,"validation":n,"test":n,"loss":[…],"validation_accuracy":[…],"best_epoch":n,
//	 "accuracy":x,"interval":[x,x],"balanced_accuracy":x,"macro_f1":x,"words_accuracy":x,"majority_accuracy":x,
//	 "confusion":[[n]],"out":"DIR"}
//
// loss and validation_accuracy have a value for each epoch, and best_epoch counts from 1. With -balance,
// validation_accuracy is the mean over the classes. The exit status is 0 for a finished run, 1 after an error, and 130
// after an interrupt.
//
// The source files, in the order of the program's course: main.go and settings.go (flags), table.go and data.go
// (texts), run.go, model.go, train.go and resume.go (training), measure.go, words.go, show.go and json.go (results).
//
// [bert.Open]: https://pkg.go.dev/github.com/fovea-ml/fovea/models/bert#Open
package main
