// Package clip is CLIP of Radford et al., "Learning transferable visual models from natural language supervision" (arXiv
// 2103.00020), as transformers' CLIPModel computes it.
//
//	model, err := clip.Open(path, clip.LoadOptions{})
//	…
//	images, err := model.EncodeImages(ctx, photograph)
//	texts, err := model.EncodeTexts(ctx, "a photo of a cat", "a photo of a dog")
//
// Two towers map images and texts to vectors of one space. The vector of a text is near those of the images it describes.
package clip
