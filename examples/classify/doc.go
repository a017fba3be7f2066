// Classify prints the most probable classes of images, and shows what a Vision Transformer sees in them.
//
//	go run ./examples/classify -model google/vit-base-patch16-224 photo.jpg holiday
//
// The model is a Vision Transformer. -model takes:
//
//   - a folder in the layout of Hugging Face or timm
//   - a single file of weights, as the papers' authors release them
//   - the name of a model on the hub, which is downloaded first
//
// The arguments are image files and folders, which stand for all images below them. - is an image on standard input.
// -list FILE reads more paths, one in each line, and -list - reads them from standard input:
//
//	find holiday -name '*.jpg' | go run ./examples/classify -model DIR -csv -list -
//
// Images are prepared exactly as the model's own library prepares them, with their EXIF orientation applied.
//
// # Output
//
// Without -json or -csv, the program prints text, with bars on a terminal. -json prints one JSON value:
//
//	[{"image":"photo.jpg","logits":[…],"top":[{"label":"tabby","index":281,"p":0.93}]}]
//
// p is the probability of a class. For a model whose classes do not exclude each other (problem_type
// multi_label_classification, or a single class) it is that of the class by itself. For problem_type regression, it is
// the value that the model gives. -csv prints a row for each image and class, with the columns image, rank, index, label
// and p.
//
// An image that cannot be read is named on standard error and skipped. The exit status is 0 if all images were
// classified, 1 otherwise, and 130 after Ctrl-C.
//
// # Without a classifier
//
// These flags also take a model that has no classifier, such as DINOv2:
//
//   - -neighbors DIR prints the images of a folder that are most similar to each image, by the cosine of what the model embeds.
//     Where the folder has a folder for each class, the nearest 20 vote for a class, as DINO's do (arXiv 2104.14294,
//     appendix F.1). JSON gains "neighbors":[{"image":p,"label":s,"similarity":x}] and "vote":s. With -csv, the rows are
//     the neighbors.
//   - -attention DIR writes what the class token attends to, laid over each image. -layer and -head choose the weights;
//     -rollout follows attention through all layers in their place.
//   - -pca DIR writes the first principal components of the patches of all images as colors, beside each image (DINOv2). What
//     is taken for background is black.
//
// Overlays show the image as the model sees it, resized and cropped.
package main
