// Package fashion is a small data set to train on without a download: 8,000 training and 2,000 test images
// of Fashion-MNIST (Xiao, Rasul, Vollgraf, 2017, https://arxiv.org/abs/1708.07747), gray pictures of ten
// kinds of clothing, 28×28 pixels, 800 and 200 of each kind. They are the first of each class in the
// originals, in their order, which is mixed; no pixel is changed.
//
// The images are in the program itself, 4.4 MB of it. They are Zalando SE's, under the MIT license in the
// file LICENSE. The four files in the folder data were made by testdata/gen/fashion.go and have the names
// and the format of the originals (idx, compressed with gzip), so that the whole data set, or another in
// this format such as MNIST, reads the same way.
package fashion

import (
	"compress/gzip"
	"embed"
	"encoding/binary"
	"fmt"
	"image"
	"io"
	"io/fs"
	"slices"
)

// Size is the width and the height of an image.
const Size = 28

// Classes are the names of the labels 0 to 9.
var Classes = [...]string{
	"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
	"Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
}

// Images are labeled gray pictures.
type Images struct {
	Pixels []uint8 // [n, Size, Size]: 0 is the background, 255 the brightest
	Labels []uint8 // [n]: index into Classes
}

// Len returns the number of images.
func (m Images) Len() int { return len(m.Labels) }

// Image returns image i as the standard library has it. It shares its pixels with m.
func (m Images) Image(i int) *image.Gray {
	const n = Size * Size
	return &image.Gray{Pix: m.Pixels[i*n : (i+1)*n : (i+1)*n], Stride: Size, Rect: image.Rect(0, 0, Size, Size)}
}

//go:embed data
var embedded embed.FS

// Files returns the four embedded files, under their names in the original data set.
func Files() fs.FS {
	sub, err := fs.Sub(embedded, "data")
	if err != nil {
		panic(err) // the name is a constant and valid
	}
	return sub
}

// Load unpacks the embedded images: 8,000 for training and 2,000 for testing. Every call returns new memory,
// 7.9 MB, and takes about 50 ms.
func Load() (train, test Images, err error) { return LoadFS(Files()) }

// LoadFS reads a data set of 28×28 images from the four files of the originals' names in fsys.
func LoadFS(fsys fs.FS) (train, test Images, err error) {
	if train, err = load(fsys, "train"); err != nil {
		return Images{}, Images{}, fmt.Errorf("fashion: %w", err)
	}
	if test, err = load(fsys, "t10k"); err != nil {
		return Images{}, Images{}, fmt.Errorf("fashion: %w", err)
	}
	return train, test, nil
}

func load(fsys fs.FS, split string) (Images, error) {
	var m Images
	name := split + "-labels-idx1-ubyte.gz"
	labels, n, err := readIDX(fsys, name)
	if err != nil {
		return m, err
	}
	if most := slices.Max(append(labels, 0)); int(most) >= len(Classes) {
		return m, fmt.Errorf("%s: expected labels below %d, found %d", name, len(Classes), most)
	}
	name = split + "-images-idx3-ubyte.gz"
	pixels, images, err := readIDX(fsys, name, Size, Size)
	if err != nil {
		return m, err
	}
	if images != n {
		return m, fmt.Errorf("%s: expected %d images, as there are labels, found %d", name, n, images)
	}
	return Images{Pixels: pixels, Labels: labels}, nil
}

// maxElements bounds what a compressed file may grow to: a little more than the whole of Fashion-MNIST.
const maxElements = 64 << 20

// readIDX reads a gzip-compressed idx file of unsigned bytes: two zeros, the type 8, the rank, the sizes as
// big-endian 32-bit numbers, the data. The sizes after the first must be those given.
func readIDX(fsys fs.FS, name string, sizes ...uint32) (data []uint8, n int, err error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, 0, err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return nil, 0, fmt.Errorf("%s: %w", name, err)
	}
	head := make([]byte, 8+4*len(sizes))
	if _, err := io.ReadFull(z, head); err != nil {
		return nil, 0, fmt.Errorf("%s: %w", name, err)
	}
	rank := uint32(1 + len(sizes))
	if magic := binary.BigEndian.Uint32(head); magic != 0x800|rank {
		return nil, 0, fmt.Errorf("%s: expected an idx file of %d dimensions of bytes (%#08x), found %#08x", name, rank, 0x800|rank, magic)
	}
	count := uint64(binary.BigEndian.Uint32(head[4:]))
	each := uint64(1)
	for i, want := range sizes {
		if got := binary.BigEndian.Uint32(head[8+4*i:]); got != want {
			return nil, 0, fmt.Errorf("%s: expected dimension %d to be %d, found %d", name, 1+i, want, got)
		}
		each *= uint64(want)
	}
	if count*each > maxElements {
		return nil, 0, fmt.Errorf("%s: expected at most %d elements, found %d", name, maxElements, count*each)
	}
	// One byte more than promised shows a file that is too long.
	data, err = io.ReadAll(io.LimitReader(z, int64(count*each)+1))
	if err != nil {
		return nil, 0, fmt.Errorf("%s: %w", name, err)
	}
	if uint64(len(data)) != count*each {
		return nil, 0, fmt.Errorf("%s: expected %d elements, found %d or more", name, count*each, len(data))
	}
	return slices.Clip(data), int(count), nil
}
