// Package jpeg decodes JPEG files to exactly the pixels that libjpeg-turbo makes of them:
//
//	h, err := jpeg.ReadHeader(file)
//	if err != nil {
//		return err
//	}
//	pix := make([]uint8, 3*h.Width*h.Height)
//	err = jpeg.Decode(pix, file, 8) // 8 eighths of the size: the whole image
//
// # Supported files
//
// Files with samples of 8 bits are read, with Huffman or arithmetic coding:
//
//   - baseline, extended sequential and progressive,
//   - interleaved or one scan per component, with or without restart markers,
//   - one component (gray), three (YCbCr or RGB) or four (CMYK or YCCK),
//   - every whole ratio of sampling factors.
//
// [ReadHeader] and [Decode] reject the others with [ErrUnsupported], and the error names the feature: 12-bit samples,
// lossless and hierarchical files, fractional ratios, and heights given after the pixels.
//
// When coded data is corrupted, libjpeg warns, goes on, and paints the missing part gray. A model should not see such
// an image: here it is an error, [ErrCorrupt]. Faults outside the coded data that libjpeg only remarks on are accepted,
// such as stray bytes between segments, or a missing end marker after a single complete scan.
//
// A progressive file may end before its coefficients are complete. Where one of the lowest ten is not, libjpeg estimates
// them from the blocks around, and so does this package.
//
// # Why the pixels are equal
//
// The file determines the coefficients. From there on libjpeg-turbo rounds three times, and this package does the same
// in the same integers:
//
//   - The inverse cosine transform has 13-bit constants (libjpeg's slow integer method, Pillow's default).
//   - Chroma at half resolution is interpolated linearly with alternating rounding ("fancy upsampling").
//   - The conversion to RGB is in 16-bit fixed point.
//
// Integer sums do not depend on their order. So the assembly may group terms freely, and the tests compare bytes.
// (Coefficients that no 8-bit samples lead to overflow 16 bits. There libjpeg's vector code, its C code and this
// package all differ.)
//
// At a half, a quarter or an eighth of the size, the pixels equal those of libjpeg's reduced transforms.
//
// # How the time is spent
//
// Pixels are made one row of coded blocks at a time, in planes small enough for the cache. They are written once, to
// the caller's slice. A progressive file needs all its coefficients first, two bytes each.
//
// Byte stuffing is removed before decoding, a few thousand bytes at a time, so that the bit reader takes eight bytes
// without looking at them. A look-up of ten bits gives run, length and value of most coefficients at once. Transform,
// chroma and color have AVX2 versions beside the portable ones, chosen as package simd chooses.
//
// On one core of a Xeon (family 6, model 207), 12 megapixels at 4:2:0 take 38 ms. libjpeg-turbo 3.2 through Pillow
// takes 96 ms. Both are medians of 15 runs by turns; python bench/vision.py --only decode measures it again.
//
// # Untrusted input
//
// No file makes a function panic or hang. With Huffman codes, a coefficient block costs the file at least one bit.
// [Header.MinBytes] counts these bits, and [Decode] requires them before it sets memory aside for anything but a small image. Passes of a
// progressive file over its blocks are limited to a fixed number plus what the length of the file pays for.
package jpeg
