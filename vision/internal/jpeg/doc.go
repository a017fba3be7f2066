// Package jpeg decodes JPEG files to the pixels that libjpeg-turbo makes of them, exactly.
//
// # What is read
//
// Huffman-coded files with samples of 8 bits: baseline, extended sequential and progressive, interleaved or one
// scan a component, with or without restart markers, of one component (gray), three (YCbCr or RGB) or four (CMYK
// or YCCK), at every ratio of sampling factors that is whole. [ReadHeader] and [Decode] refuse arithmetic coding,
// 12-bit samples, lossless and hierarchical files, fractional ratios, and heights given after the pixels, each by
// name, with [ErrUnsupported].
//
// libjpeg goes on with a warning when coded data is corrupted, and paints gray what is missing. A model should not
// see such a picture: here it is an error, [ErrCorrupt]. So is a progressive file that ends before the lowest ten
// coefficients of a component are complete, which libjpeg smooths over. What libjpeg only remarks on outside the
// coded data (stray bytes between segments, a missing end marker after a single complete scan) is accepted.
//
// # Why the pixels are equal
//
// After the coefficients, which the file determines, libjpeg-turbo makes three roundings, and this package makes
// the same ones in the same integers: the inverse cosine transform with 13-bit constants (what libjpeg calls the
// slow integer method, Pillow's default), linear interpolation of chroma at half resolution with alternating
// rounding ("fancy upsampling"), and the conversion to RGB in 16-bit fixed point. Arithmetic on integers has no
// order to be careful of, so the assembly may group terms as it likes and the tests ask for equal bytes. (Coefficients
// that no samples of 8 bits lead to overflow 16 bits. There libjpeg's vector code and its C differ from each other,
// and from what is done here.)
//
// At a half, a quarter or an eighth of the size the pixels are those of libjpeg's reduced transforms, equal as well.
//
// # How the time is spent
//
// Pixels are made one row of coded blocks at a time, in planes small enough for the cache, and are written once, to
// the caller's slice. A progressive file needs all its coefficients first, two bytes each. Byte stuffing is taken
// out ahead of decoding, a few thousand bytes at a time, so that the bit reader takes eight bytes without looking
// at them; a look-up of ten bits gives run, length and value of most coefficients at once. Transform, chroma and
// color have AVX2 versions beside the portable ones, chosen as package simd chooses.
//
// On one core of a Xeon (family 6, model 207), 12 megapixels at 4:2:0 take 38 ms where libjpeg-turbo 3.2 through Pillow
// takes 96, the medians of 15 runs by turns; python bench/vision.py --only decode measures it again.
//
// # Untrusted input
//
// No file makes a function panic or hang. A coefficient block costs the file at least one bit, which is what
// [Header.MinBytes] counts and [Decode] requires before it sets memory aside for anything but a small picture;
// the passes of a progressive file over its blocks are limited in number and by the length of the file.
package jpeg
