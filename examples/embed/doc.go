// Embed turns texts into vectors, and searches a text file by meaning.
//
//	go run ./examples/embed -model sentence-transformers/all-MiniLM-L6-v2 "A dog runs." "Ein Hund läuft."
//	go run ./examples/embed -model sentence-transformers/all-MiniLM-L6-v2 -file notes.txt "where did I park?"
//	go run ./examples/embed -model sentence-transformers/all-MiniLM-L6-v2 -file notes.txt -index notes.index "where did I park?"
//
// The model is a BERT or a variant, as transformers or sentence-transformers saves it: a folder, or a name on the hub,
// which is downloaded first. The pooling, prompts and limits are those of the folder.
//
// Without -file, the program prints how similar the texts are: the cosine of their vectors. With -file, each line of
// the file is a text, and the program prints the lines that are most similar to each text of the command line. It reads
// the file once and keeps the best lines only, so the file may be of any size; "-" is standard input. The file's lines
// get the prompt
// -passage-prompt, and the texts the prompt -prompt. Of a line, the first megabyte counts.
//
// With -index too, the vectors of the lines are kept in a folder, and the next command embeds only lines that are new.
// The folder grows while the file is read: after Ctrl-C, a crash or a kill, the next command goes on. The file may grow
// at its end and must not change otherwise. -among searches some lines alone, and -forget removes lines from the index.
// Without texts, the command only brings the index up to date.
//
// -json prints one JSON value. Without -file it holds the ids of the tokens, and the vectors as the model gives them:
//
//	{"tokens":[[101,1037,3899,3216,1012,102]],"embeddings":[[…]]}
//
// With -file it holds the best lines, numbered from 1:
//
//	[{"text":"where did I park?","lines":[{"line":7,"text":"…","score":0.71}]}]
//
// The exit status is 0, 1 after an error, and 130 after Ctrl-C.
package main
