// Package vision turns image files into pixels, and pixels into the numbers a model reads:
//
//	image, err := vision.DecodeFile(os.DirFS("photos"), "cat.jpg", vision.DecodeOptions{ApplyOrientation: true})
//	if err != nil {
//		return err
//	}
//	preprocess := vision.ImageNet(224)
//	pixels, height, width, err := preprocess.Pixels(nil, nil, image) // [1, 3, height, width]
//
// # Images
//
// An [Image] is a plain struct: 8-bit samples, interleaved, row after row without padding. Photographs have three
// channels (red, green, blue). [Image.Gray] makes one channel. Four channels, with straight alpha, exist so that
// drawings with transparency can be resized correctly. An Image is itself an image.Image, so that the whole standard
// library takes it.
//
// Sizes are height before width: as arguments, results and fields, and in the shape [images, channels, height, width].
// Boxes and points are x before y, as in image.Rectangle. Messages give the width first, as in "640×480 pixels".
//
// [Decode] and [DecodeFile] read JPEG, PNG, GIF, WebP, BMP and TIFF, and of an animation the first frame. They also
// read every format that the program has registered with the image package. A blank import of
// github.com/gen2brain/heic or github.com/gen2brain/avif adds the photographs of phones.
//
// The result is always RGB, by the rules of Pillow's convert("RGB"):
//
//   - Colors of a palette are looked up, and gray is repeated.
//   - Alpha is dropped, not composited.
//   - CMYK is converted without a color profile.
//   - 16 bits become the upper 8.
//
// Chroma of JPEG and WebP files is interpolated as libjpeg-turbo and libwebp do it. The standard library repeats
// samples instead, which moves edges by tens of levels from the training images of a model. All formats agree with
// Pillow byte for byte; [Decode] lists the exceptions. The orientation that a camera notes in EXIF data, or a program
// in XMP, is applied on request.
//
// Files are untrusted. A file that is not an image, claims too many pixels, or ends early gives a [DecodeError]. It
// names the file and matches [ErrFormat], [ErrTooLarge] or [ErrCorrupt]. Nothing panics. Dimensions are checked
// against the caller's limit and the length of the file before memory is set aside for them.
//
// # Resizing
//
// [Resizer] computes the same bytes as Pillow's Image.resize: for all six filters, for gray, RGB and RGBA, and for a
// source box with fractional edges. A resize without antialiasing, or with other coefficients, moves edges by tens of
// levels, and a model then sees what it was not trained on. The arithmetic is integer, so the SIMD kernels of package
// simd give the same bytes on every machine. On one core they are ten times as fast as Pillow with AVX-512, five times
// with AVX2, and about as fast in plain Go. (bench/vision.py measures it, by --simd each.) Where a crop follows, only
// the cropped pixels are computed.
//
// # From pixels to a model's input
//
// A [Preprocess] makes float32 planes of an image, [3, h, w], or [1, h, w] with Gray: resize, crop, normalize.
// [LoadPreprocess] reads it from the files beside a model's weights, in every form that transformers has written and in
// timm's form.
//
// Each of these libraries has its own arithmetic. transformers 5 resizes tensors with torchvision, earlier versions
// resize images with Pillow, and timm rounds the position of a crop to even. The files say which one applies, and a
// [Backend] names it. The result equals the library's to the last bit. A file that asks for an unknown step is
// rejected, and the error names the step.
//
// [Augment] is the random half of preparing images for training, and [Mix] blends the images and labels of a batch.
// Every random decision comes from a generator keyed by (seed, epoch, sample). So it depends neither on the number of
// goroutines nor on their order.
//
// # Data sets
//
// A [Dataset] is a numbered list of labeled images: [OpenFolder] (one sub-folder per class), [Memory], [OpenCSV] for
// tables of paths and labels, and [OpenIDX] for files in the MNIST format. [Split] divides one. Package vision/boxes reads
// boxes around objects, and makes a data set of their crops.
//
// A [Captioned] data set has captions in place of labels, for models of images and texts: [OpenPairs] reads a table of paths
// and captions, [OpenShards] indexes tar files in the layout of webdataset. A [Loader] puts one caption beside each image.
//
// Links in folders are followed, and what a class reaches twice is listed once. Named pipes and devices are never opened.
//
// A [Loader] prepares batches of a data set ahead of the training step, with the mechanics of package data. Their
// order depends on the seed and the epoch alone. An epoch can be entered at any batch, so that an interrupted run
// continues with the batches it would have seen. [Loader.Describe] gives the settings that must be the same then. Memory
// is bounded by the batches prepared ahead and one photograph per goroutine, and is used again from one image to the next.
//
// # Images for people
//
// [WritePNG] and [SavePNG] write an image. Package vision/draw draws boxes, heat maps and sheets of images for people
// to look at.
package vision
