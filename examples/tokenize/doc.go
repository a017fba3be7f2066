// Tokenize shows the tokens of texts as a model sees them.
//
//	go run ./examples/tokenize -model bert-base-uncased/ "Tokenizers cut words."  # pieces, ids and offsets
//	go run ./examples/tokenize -model bert-base-uncased/ -pair "Who?" "Ada."      # each two texts are a pair
//	go run ./examples/tokenize -model clip/ -json < caption.txt                   # standard input
//	go run ./examples/tokenize -model gpt2/ -ids 15496 995                        # the text of ids
//	go run ./examples/tokenize -model gpt2/ -count books/*.txt                    # tokens of files
//	go run ./examples/tokenize -train 8000 -kind bpe -out tokenizer.json books/*.txt
//
// -model takes a model folder in the layout of Hugging Face, the name of a model on the hub, or one file:
// tokenizer.json, vocab.txt, bpe_simple_vocab_16e6.txt.gz, or a SentencePiece model (*.model).
//
// For a text, the program prints the text cut into its pieces, and a table with a line for each token. On a terminal
// the pieces have colors, elsewhere brackets. A token of a part of a character, which adds no text, is a dot. Offsets
// are bytes of the text. Without texts, it reads one from standard input; a line break at its end is not part of the
// text.
//
// -count prints the number of tokens of each file, its characters, and the characters for each token. A file is one
// text, without special tokens around it; with -lines, each line is a text. Without files, it counts standard input.
//
// -train makes a vocabulary of that size from the lines of files, or of standard input, and writes a tokenizer.json.
// The pipelines are those of GPT-2 (bpe), BERT (wordpiece) and SentencePiece (unigram), which keep capital letters. The
// same lines give the same vocabulary. The kind of CLIP and the other options are in text.Train alone.
//
// -json prints one JSON value:
//
//	[{"text":s,"pair":s,"ids":[…],"tokens":[s],"offsets":[[start,end]],"type_ids":[…],"words":[…],"sequences":[…],"special":[b]}]
//	{"ids":[…],"tokens":[s],"text":s}                                                      with -ids
//	{"files":[{"file":p,"tokens":n,"characters":n,"bytes":n}],"tokens":n,"characters":n,"bytes":n}  with -count
//	{"out":p,"kind":s,"tokens":n}                                                          with -train
//
// The exit status is 0, 1 after an error, and 130 after Ctrl-C. A file that cannot be counted is named on standard
// error and skipped, and the status is 1.
package main
