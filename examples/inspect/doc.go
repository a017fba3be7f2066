// Inspect shows the contents of a checkpoint, and converts checkpoints.
//
//	go run ./examples/inspect vit-base/                     # a folder in the layout of Hugging Face
//	go run ./examples/inspect google/vit-base-patch16-224   # a model on the hub, which is downloaded
//	go run ./examples/inspect model.safetensors             # a file, or the index of shards
//	go run ./examples/inspect -root model_ema train.pth     # a part of a PyTorch training checkpoint
//	go run ./examples/inspect -all -stats model.safetensors # every tensor, with statistics of its values
//	go run ./examples/inspect -to out.safetensors -dtype f16 -shard 2GB train.pth
//	go run ./examples/inspect -names hf -to vit-hf/ model_best.pth.tar  # for transformers
//	go run ./examples/inspect -names timm -to vit-timm/ google/vit-base-patch16-224
//
// It prints the checkpoint's size and metadata, the family of models that its names suggest, and the tensors. Equal
// blocks are shown once, as blocks.{0..11}.attn.qkv.weight. For a model that Fovea loads, it also prints how images are
// prepared, and whether that is assumed because no file states it. Only -stats and -to read the values.
//
// -to writes safetensors. Without -dtype, each value keeps its bits. A conversion that fails or is interrupted leaves
// no files. PyTorch tensors may share data; the program lists them and writes each of them in full, because readers of
// safetensors expect every name.
//
// -names renames the tensors of a Vision Transformer or a masked autoencoder, as transformers (hf) or timm names them.
// Where the names differ, tensors are joined or divided. -to is then a new folder, which gets config.json and
// preprocessor_config.json too. It has what the input's config.json states, or what the sizes of a bare file tell. The
// library loads the folder to the same outputs. With a name that ends in .safetensors, -to is one file of tensors. The
// program refuses what the library cannot have:
//
//   - variants of ViT that transformers lacks, such as pooling by the mean
//   - a masked autoencoder for timm, which has no decoder
//   - weights of Hugging Face's without the config.json that states their number of heads
//
// -json prints one JSON value: {"path", "files", "tensors", "parameters", "bytes", "types", "metadata", "config",
// "family", "images", "tied", "root", "roots", "list"}. The exit status is 0, 1 after an error, and 130 after Ctrl-C.
//
// The source files:
//
//   - main.go and config.go read the flags and open the checkpoint
//   - summary.go collects the facts about a checkpoint
//   - family.go recognizes the family by its tensor names
//   - tree.go combines repeated blocks
//   - stats.go reads the values
//   - print.go prints text
//   - convert.go converts, and rename.go renames
package main
