//go:build !amd64

package jpeg

func inverse(dst []uint8, stride int, b *block, q *[64]int16) { inversePortable(dst, stride, b, q) }

func upsampleH2V1(dst, src []uint8) { upsampleH2V1Portable(dst, src, 1, len(src)-1) }

func upsampleH2V2(dst, near, far []uint8) { upsampleH2V2Portable(dst, near, far, 1, len(near)-1) }

func ycbcrToRGB(dst, y, cb, cr []uint8) { ycbcrToRGBPortable(dst, y, cb, cr) }
