// Package vision turns files into pixels and pixels into the numbers a model reads.
//
// # Images
//
// An [Image] is a plain struct: 8-bit samples, interleaved, row after row without padding. Photographs have
// three channels (red, green, blue); [Image.Grey] makes one channel, and four (with straight, not
// premultiplied, alpha) exist so that drawings with transparency can be resized correctly. An Image is itself
// an image.Image, so it can be handed to anything in the standard library.
//
// [Decode] and [DecodeFile] read JPEG, PNG, GIF (its first frame), WebP and BMP. The result is always RGB, by
// the rules that the Python world is used to: a palette is looked up, grey is repeated, alpha is dropped and
// not composited, CMYK is converted without a colour profile. Chroma of JPEG and WebP files is interpolated as
// libjpeg-turbo and libwebp do it, where the standard library repeats samples; without that, a model sees
// edges that differ by tens of levels from those it was trained on. JPEG pixels stay within three levels of
// libjpeg-turbo (the inverse cosine transforms round differently), WebP, PNG, GIF and BMP agree byte for byte.
//
// Files are untrusted. A file that is not an image, claims too many pixels, or ends early gives a
// [DecodeError] that names the file and matches [ErrFormat], [ErrTooLarge] or [ErrDamaged]; nothing panics, and
// dimensions are checked against the length of the file before memory is set aside for them.
//
// # Resizing
//
// [Resizer] computes what Pillow's Image.resize computes, byte for byte, for all six filters, for grey, RGB and
// RGBA, and for a source box with fractional edges. That matters more than it seems: a resize without
// antialiasing, or with other coefficients, costs a classifier about one percent.
//
// # From pixels to a model's input
//
// A [Preprocess] is the whole road from an image to float32 planes [3, h, w]: resize, crop, normalise. It reads
// and writes the preprocessor_config.json beside a model's weights. [Augment] is the random half used in
// training. Every random decision is drawn from a generator keyed by (seed, epoch, sample), so that it depends
// neither on the number of goroutines nor on the order in which they run.
//
// # Data sets
//
// A [Dataset] is a numbered list of labelled images: [OpenFolder] (one sub-folder a class), [Memory], and
// [OpenIDX] for files in the MNIST format. [Split] divides one. A [Loader] prepares its batches ahead of the
// training step and yields them in an order that depends on the seed and the epoch alone; an epoch can be
// entered at any batch, which is how an interrupted run continues with the batches it would have seen.
package vision
