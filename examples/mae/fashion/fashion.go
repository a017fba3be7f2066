// Package fashion embeds a part of Fashion-MNIST, so that programs can train without a download:
//
//	train, test, err := fashion.Load()
//	if err != nil {
//		return err
//	}
//	fmt.Println(train.Len(), fashion.Classes[train.Labels[0]]) // 8000 Ankle boot
//
// The data set (Xiao, Rasul, Vollgraf, 2017, https://arxiv.org/abs/1708.07747) has gray images of clothing in ten
// classes, 28×28 pixels each. This part has 8,000 training and 2,000 test images, 800 and 200 of each class. They are the
// first images of each class, unchanged and in the original order.
//
// The images add 4.4 MB to a program. Zalando SE published them under the MIT license in the file LICENSE.
// testdata/gen/fashion.go wrote the four files in the folder data. They have the names and the format of the original
// files (idx, compressed with gzip). [LoadFS] can therefore read the whole data set too, and others in this format, such
// as MNIST.
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

// Images holds gray images and their labels.
type Images struct {
	Pixels []uint8 // [n, Size, Size]: 0 is the background, 255 is white
	Labels []uint8 // [n]: indices into Classes
}

// Len returns the number of images.
func (m Images) Len() int { return len(m.Labels) }

// Image returns image i. It shares its pixels with m.
func (m Images) Image(i int) *image.Gray {
	const n = Size * Size
	return &image.Gray{Pix: m.Pixels[i*n : (i+1)*n : (i+1)*n], Stride: Size, Rect: image.Rect(0, 0, Size, Size)}
}

//go:embed data
var embedded embed.FS

// Files returns the four embedded files, with their names in the original data set.
func Files() fs.FS {
	sub, err := fs.Sub(embedded, "data")
	if err != nil {
		panic(err) // cannot happen: the name is valid
	}
	return sub
}

// Load decompresses the embedded images: 8,000 for training and 2,000 for testing. Each call allocates 7.9 MB and takes
// about 50 ms.
func Load() (train, test Images, err error) { return LoadFS(Files()) }

// LoadFS reads a data set of 28×28 images from the four files in fsys, which have the original names.
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
		return m, fmt.Errorf("%s: expected %d images, the number of labels, found %d", name, n, images)
	}
	return Images{Pixels: pixels, Labels: labels}, nil
}

// maxElements bounds the decompressed size of a file. It is a little more than all of Fashion-MNIST.
const maxElements = 64 << 20

// readIDX reads a gzip-compressed idx file of unsigned bytes and returns the first dimension as n. The other dimensions
// must equal sizes. The format is: two zeros, the type 8, the rank, the dimensions as big-endian 32-bit numbers, the data.
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
	// Reading one more byte detects a file that is too long.
	data, err = io.ReadAll(io.LimitReader(z, int64(count*each)+1))
	if err != nil {
		return nil, 0, fmt.Errorf("%s: %w", name, err)
	}
	if uint64(len(data)) != count*each {
		return nil, 0, fmt.Errorf("%s: expected %d elements, found %d or more", name, count*each, len(data))
	}
	return slices.Clip(data), int(count), nil
}
