// Zeroshot says which of several texts describes an image.
//
//	go run ./examples/zeroshot -model openai/clip-vit-base-patch32 -image photo.jpg "a photo of a cat" "a photo of a dog"
//
// The model is a CLIP. -model takes:
//
//   - a folder in the layout of Hugging Face or open_clip
//   - OpenAI's archive, such as ViT-B-32.pt, with bpe_simple_vocab_16e6.txt.gz beside it
//   - the name of a model on the hub, which is downloaded first
//
// -image may be given several times. Images are prepared exactly as the model's own library prepares them, with their
// EXIF orientation applied.
//
// Without -json, the program prints the texts for each image, the most probable first. -json prints one JSON value,
// with a row for each image or text:
//
//	{"logits_per_image":[[…]],"probs":[[…]],"image_embeds":[[…]],"text_embeds":[[…]]}
//
// Embeddings have length 1. Logits are their products times the factor that the model has learned. Probabilities are
// the softmax of each row, or for SigLIP the sigmoid of each logit.
//
// The exit status is 0 if all went well, 1 otherwise, and 130 after Ctrl-C.
package main
