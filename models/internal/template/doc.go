// Package template is a small classifier of images that shows how a model package is built. Copy the folder to begin a new
// one:
//
//	cp -r models/internal/template models/toy
//	perl -pi -e 's/template/toy/g' models/toy/*.go && gofmt -w models/toy
//
// A package comment opens with a snippet of the task, names the paper and the reference, and describes the architecture.
// Here an image is cut into patches, and each is projected to a token. Pre-norm transformer blocks follow. The mean of the
// tokens goes through a batch normalization, and a linear layer maps it to the logits of the classes.
//
// The files come in the same order in every model package: doc.go, config.go, model.go, load.go, and a file for the task.
package template
