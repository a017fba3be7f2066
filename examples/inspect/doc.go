// Inspect shows what a checkpoint holds, and converts checkpoints.
//
//	go run ./examples/inspect vit-base/                     # a folder as on Hugging Face
//	go run ./examples/inspect google/vit-base-patch16-224   # a model on the hub, which is fetched
//	go run ./examples/inspect model.safetensors             # a file, or the index of shards
//	go run ./examples/inspect -root model_ema train.pth     # a part of a training checkpoint of PyTorch
//	go run ./examples/inspect -all -stats model.safetensors # every tensor, and what its numbers are like
//	go run ./examples/inspect -to out.safetensors -dtype f16 -shard 2GB train.pth
//
// It prints how large the checkpoint is, its metadata, and which family of models its names belong to, then the
// tensors: blocks that are alike are shown once, as blocks.{0..11}.attn.qkv.weight. Nothing of the data is read
// until -stats or -to asks for it.
//
// -to writes safetensors, to the bit what the file holds unless -dtype asks for another type; a conversion that
// fails or is interrupted leaves no trace. Tensors that share their data in a PyTorch file are each written whole,
// because readers of safetensors expect every name; they are listed.
//
// -json prints one JSON value: {"path", "files", "tensors", "parameters", "bytes", "types", "metadata", "config",
// "family", "tied", "list"}. The exit status is 0, 1 after an error, and 130 after Ctrl-C.
//
// summary.go gathers what there is to say, family.go knows the families by their names, tree.go folds repeated
// blocks, stats.go reads the numbers, print.go writes for people, and convert.go converts.
package main
