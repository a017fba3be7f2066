// Package vit is the Vision Transformer of Dosovitskiy et al., "An image is worth 16x16 words" (arXiv 2010.11929), and its
// family: DeiT (arXiv 2012.12877), DINOv2 with and without registers (arXiv 2304.07193, 2309.16588), DINOv3 (arXiv
// 2508.10104), BEiT (arXiv 2106.08254), data2vec (arXiv 2202.03555) and timm's variants.
//
//	model, err := vit.Open(path, vit.LoadOptions{})
//	…
//	predictions, err := model.Classify(ctx, photograph)
//	fmt.Println(predictions[0].Top[0].Label)
//
// An image is cut into square patches, and each is projected to a token. A class token is put before them, and
// learned positions are added. Pre-norm transformer blocks follow. One linear layer maps the class token after the last
// norm, or the mean of the patch tokens ([MeanPooling]), to the logits of the classes. [Encoder] is the tower without
// pooling and head, on which other models are built.
//
// # Using a model
//
// [Open] reads a model folder or file, and [Model.Classify] takes images of any size. [Model.Embed] returns the vectors
// that the head classifies, for search or for a classifier of one's own. [Model.Features] returns the class, register and
// patch tokens of any layers, with the grid of the patches. [Model.Forward], [Model.Pooled] and [Encoder.Layers] are the
// same for pixels on a tape. Decode photographs with vision.DecodeFile or vision.Decode, with ApplyOrientation: they give the
// pixels of Pillow, and the standard library's image.Decode gives slightly different ones.
//
// [Model.Attention] returns the attention weights of layers and heads, and [Model.Rollout] follows attention through all
// layers. draw.Heatmap lays such a map over the image. [PCA] shows the tokens of patches as colors.
//
// Any number of goroutines may use one model at once. A call only reads the model and has its own tape, whose memory is
// reused. Model.Workers sets how many cores a call takes, and
// Model.Math the arithmetic of products.
//
// # Training
//
// [New] draws initial weights from a generator that the caller gives. [Model.NewHead] gives a model that was loaded a
// classifier for other classes. [Model.Training] then prepares a run of package train on a data set. For a loop of your own,
// make a tape that records gradients and call [Model.Forward] on it, as the
// example of package train does for any model. [Model.Layer] numbers parameters for layer-wise decay, and
// [Model.NoDecay] names those without weight decay. Dropout and drop path follow the configuration and the switches of the
// tape.
//
// A model learns from a larger one through [TrainOptions].Distillation. In a loop of your own, [Model.ForwardHeads] gives
// train.Distillation the logits of the distillation token (DeiT).
//
// Low-rank adapters (LoRA) are attached by package nn/lora, which saves and loads them as PEFT does with
// [Model.AdapterNames].
//
// # Folders
//
// [Open] reads a folder of Hugging Face's or timm's, or a single file of weights of an original release, such as an .npz
// file of Google's. [Load] reads the same from any fs.FS, such as checkpoint.Embedded.
// [Model.Save] writes for transformers or for timm. A configuration is compared with the weights before memory is
// reserved for a model.
//
// The members of the family differ in the last fields of [Config]: registers, a distillation token, layer scale, gated
// layers, rotary positions, pooling by attention, and so on. Save writes the model_type of transformers that computes the
// same. timm's Vision Transformers have combinations that transformers' lack. transformers ignores fields that it does not
// know, so Save gives such models a model_type of Fovea's own, which transformers refuses.
//
// # Memory
//
// A file that the system can map is not copied. Weights are read from it when they are first used and packed for matrix
// products; then the file's pages are released. So a model takes about the size of its file. Half precision is kept
// ([LoadOptions].Widen changes that). A quantized model takes the size of its file in Int8 alone: in Strict its packed weights are
// float32.
package vit
