// Quantize converts a model's weights to integers of 8 bits, and writes the model to a new folder.
//
//	go run ./examples/quantize -model sentence-transformers/all-MiniLM-L6-v2 -out minilm-int8
//	go run ./examples/quantize -model google/vit-base-patch16-224 -out vit-int8 -data photographs
//	go run ./examples/quantize -model google/vit-base-patch16-224 -out vit-mixed -keep '*.MLP.FC2.Weight' -keep-math bf16
//	go run ./examples/quantize -model sentence-transformers/all-MiniLM-L6-v2 -out minilm-small -tables bf16
//	go run ./examples/quantize -model fastestdet.pth -out fastestdet-small
//	go run ./examples/embed -model minilm-int8 "A dog runs."    # computes in int8
//
// The model is a Vision Transformer, a BERT, a CLIP, a masked autoencoder, a detector or a network of convolutions: a folder, a
// file of weights, or a name on the hub. The weights of linear layers in its blocks become integers, and so do wide convolutions
// there. Other convolutions become bfloat16, except depthwise ones and those of few channels (quant.Blocks is the rule). Other
// layers stay in float32. Those that -keep names stay too, or become bfloat16 with -keep-math bf16. -tables bf16 stores embedding
// tables in bfloat16. The program prints each layer with its size and the error of rounding, and the size of all parameters.
//
// With -data, a folder with one sub-folder for each class of a classifier, in the order of its classes, it also
// prints the accuracy before and after.
//
// The folder has the layout of transformers with the library compressed-tensors (int-quantized). The other programs load it
// as they load any folder. One with convolutions of integers has a format of its own (int-quantized-conv), which transformers does
// not load.
//
// -json prints one JSON value:
//
//	{"layers":[{"path":s,"shape":[n],"math":s,"error":x,"bytes_before":n,"bytes":n}],"bytes_before":n,"bytes":n,
//	 "images":n,"accuracy_before":x,"accuracy":x,"math":{"mode":s,"kernel":s},"out":"DIR"}
//
// Without -data, images is 0 and the accuracies are null. The exit status is 0, 1 after an error, and 130 after Ctrl-C.
package main
