// Package vision turns files into pixels and pixels into the numbers a model reads.
//
// # Images
//
// An [Image] is a plain struct: 8-bit samples, interleaved, row after row without padding. Photographs have
// three channels (red, green, blue); [Image.Gray] makes one channel, and four (with straight, not
// premultiplied, alpha) exist so that drawings with transparency can be resized correctly. An Image is itself
// an image.Image, so it can be handed to anything in the standard library.
//
// [Decode] and [DecodeFile] read JPEG, PNG, GIF, WebP (of both, the first frame of an animation), BMP and TIFF, and
// whatever else the program has registered with the image package: a blank import of github.com/gen2brain/heic or
// github.com/gen2brain/avif adds the pictures of phones. The result is always RGB, by the rules that the Python world
// is used to: a palette is looked up, gray is repeated, alpha is dropped and not composited, CMYK is converted without
// a color profile, 16 bits become the upper 8. Chroma of JPEG and WebP files is interpolated as libjpeg-turbo and
// libwebp do it, where the standard library repeats samples; without that, a model sees edges that differ by tens of
// levels from those it was trained on. All formats agree with Pillow byte for byte; see [Decode] for the exceptions.
// The orientation that a camera notes in EXIF data, or a program in XMP, is applied when asked for.
//
// Files are untrusted. A file that is not an image, claims too many pixels, or ends early gives a
// [DecodeError] that names the file and matches [ErrFormat], [ErrTooLarge] or [ErrCorrupt]; nothing panics, and
// dimensions are checked against the caller's limit and the length of the file before memory is set aside for them.
//
// # Resizing
//
// [Resizer] computes what Pillow's Image.resize computes, byte for byte, for all six filters, for gray, RGB and
// RGBA, and for a source box with fractional edges. That matters more than it seems: a resize without
// antialiasing, or with other coefficients, moves edges by tens of levels, and a model then sees what it was not
// trained on. The arithmetic is integer, so the SIMD kernels of package simd give the same bytes on every machine: ten
// times as fast as Pillow on one core with AVX-512, five times with AVX2, and about as fast in plain Go (bench/vision.py
// measures it, by --simd each). Where a crop follows, only what it keeps is computed.
//
// # From pixels to a model's input
//
// A [Preprocess] is the whole road from an image to float32 planes [3, h, w]: resize, crop, normalize.
// [LoadPreprocess] reads it from the files beside a model's weights, those of transformers in every form they have
// had and those of timm. Each of these libraries has its own arithmetic: transformers 5 resizes tensors by
// torchvision, earlier versions images by Pillow, timm rounds the place of a crop to even. A [Backend] names the one to
// follow, the files say which it is, and what comes out equals the library's to the last bit. A file that asks for a
// step that is not known is refused, not read as if it did not.
//
// [Augment] is the random half of preparing images for training, [Mix] blends the images and labels of a batch. Every
// random decision is drawn from a generator keyed by (seed, epoch, sample), so that it depends neither on the number of
// goroutines nor on the order in which they run.
//
// # Data sets
//
// A [Dataset] is a numbered list of labeled images: [OpenFolder] (one sub-folder a class), [Memory], [OpenCSV] for
// tables of paths and labels, and [OpenIDX] for files in the MNIST format. [Split] divides one. A [Loader] prepares
// its batches ahead of the training step and yields them in an order that depends on the seed and the epoch alone; an
// epoch can be entered at any batch, which is how an interrupted run continues with the batches it would have seen.
// Memory is bounded by the batches prepared ahead and one photograph a goroutine, and is used again from one image to
// the next.
//
// # Images for people
//
// [WritePNG] and [SavePNG] write an image. Package vision/draw draws boxes, heat maps and sheets of images for people
// to look at.
package vision
