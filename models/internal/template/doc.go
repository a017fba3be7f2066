// Package template is a small classifier of sequences of vectors that shows how a model package is built. Copy the folder
// to begin a new one:
//
//	cp -r models/internal/template models/toy
//	perl -pi -e 's/template/toy/g' models/toy/*.go
//
// A package comment opens with a snippet of the task, names the paper and the reference, and describes the architecture.
// Here a linear layer embeds each vector, and pre-norm transformer blocks follow. The mean over the sequence goes through
// a batch normalization, and a linear layer maps it to the logits of the classes.
//
// The files come in the same order in every model package: doc.go, config.go, model.go, load.go, and a file for the task.
package template
