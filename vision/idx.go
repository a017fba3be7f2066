package vision

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"

	"github.com/fovea-ml/fovea/internal/printable"
)

// ErrIDX: a file is not in the idx format, is truncated, or has unexpected dimensions.
var ErrIDX = errors.New("not a valid idx file")

// ReadIDX reads an array of unsigned bytes in the idx format of MNIST: two zero bytes, the type 8, the number of
// dimensions, each dimension as a big-endian 32-bit number, the values. A gzip-compressed file is recognized and
// unpacked. r is read to its end, so that the checksum of a compressed file is compared; bytes after the values are an
// error. An array of more than limit values is rejected (0 means 1 GiB), and so is one above 64 MiB that is more
// than 256 times as large as its file. Memory grows with the bytes read, so a false header costs nothing.
//
// Errors match [ErrIDX] or [ErrTooLarge], or are the reader's.
func ReadIDX(r io.Reader, limit int64) (dims []int, values []uint8, err error) {
	return readIDX(r, limit, 0)
}

// readIDX is ReadIDX for an array of so many dimensions, or of any number for 0.
func readIDX(r io.Reader, limit int64, dimensions int) (dims []int, values []uint8, err error) {
	if limit <= 0 {
		limit = 1 << 30
	}
	read := &counted{from: r}
	b := bufio.NewReader(read)
	if magic, _ := b.Peek(2); bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		z, err := gzip.NewReader(b)
		if err != nil {
			return nil, nil, idxError(err)
		}
		b = bufio.NewReader(z)
	}
	var head [4]byte
	if _, err := io.ReadFull(b, head[:]); err != nil {
		return nil, nil, idxError(err)
	}
	if head[0] != 0 || head[1] != 0 || head[2] != 8 || head[3] == 0 {
		return nil, nil, fmt.Errorf("%w: begins with % x, expected 00 00 08 and a number of dimensions", ErrIDX, head)
	}
	if n := int(head[3]); dimensions > 0 && n != dimensions {
		return nil, nil, fmt.Errorf("%w: %d dimensions, expected %d", ErrIDX, n, dimensions)
	}
	total := int64(1)
	for range head[3] {
		var d [4]byte
		if _, err := io.ReadFull(b, d[:]); err != nil {
			return nil, nil, idxError(err)
		}
		n := int64(binary.BigEndian.Uint32(d[:]))
		// The division avoids a product that could overflow; the first test keeps n inside a 32-bit int.
		if n > 1<<31-1 || n > 0 && total > limit/n {
			return nil, nil, fmt.Errorf("%w: idx file of more than %d values", ErrTooLarge, limit)
		}
		total *= n
		dims = append(dims, int(n))
	}
	// The byte after the values is asked for too: at the end of the file gzip compares its checksum.
	for n := int64(0); n <= total; n = int64(len(values)) {
		if len(values) == cap(values) {
			values = slices.Grow(values, int(min(total+1-n, max(n, 64<<10)))) // never past the end: half of it would be in vain
		}
		k, err := b.Read(values[n:cap(values)])
		values = values[:n+int64(k)]
		if err == io.EOF {
			break
		}
		if n := int64(len(values)); n > 64<<20 && n > 256*read.n {
			return nil, nil, fmt.Errorf("%w: %d bytes of the file hold more than %d values", ErrTooLarge, read.n, n)
		}
		if err != nil {
			return nil, nil, idxError(err)
		}
	}
	n := int64(len(values))
	if n > total {
		return nil, nil, fmt.Errorf("%w: dimensions %v say %d values, found more", ErrIDX, dims, total)
	}
	if n < total {
		return nil, nil, fmt.Errorf("%w: dimensions %v say %d values, found %d", ErrIDX, dims, total, n)
	}
	return dims, values, nil
}

// counted counts the bytes that are read.
type counted struct {
	from io.Reader
	n    int64
}

func (c *counted) Read(b []byte) (int, error) {
	n, err := c.from.Read(b)
	c.n += int64(n)
	return n, err
}

// idxError wraps an error of the reader.
func idxError(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%w: ends early", ErrIDX)
	}
	return fmt.Errorf("%w: %w", ErrIDX, err)
}

// IDX is a data set of gray images in idx files, held in memory as it is on disk.
type IDX struct {
	name          string
	pixels        []uint8
	labels        []uint8
	classes       []string
	height, width int
}

// OpenIDX reads a pair of idx files, such as train-images-idx3-ubyte.gz and train-labels-idx1-ubyte.gz, compressed or
// not. classes names the labels; nil numbers them up to the highest label. Errors name the file and match [ErrIDX],
// [ErrTooLarge] or fs.ErrNotExist.
func OpenIDX(fsys fs.FS, images, labels string, classes []string) (*IDX, error) {
	read := func(name string, want int) ([]int, []uint8, error) {
		f, _, err := openRegular(fsys, name)
		if err != nil {
			return nil, nil, fmt.Errorf("vision: %s: %w", printable.Name(name), err)
		}
		defer f.Close()
		dims, values, err := readIDX(f, 0, want)
		if err != nil {
			return nil, nil, fmt.Errorf("vision: %s: %w", printable.Name(name), err)
		}
		return dims, values, nil
	}
	dims, pixels, err := read(images, 3)
	if err != nil {
		return nil, err
	}
	count, given, err := read(labels, 1)
	if err != nil {
		return nil, err
	}
	if dims[0] != count[0] {
		return nil, fmt.Errorf("vision: %s: %w: %d labels for the %d images of %s", labels, ErrIDX, count[0], dims[0], images)
	}
	if dims[0] == 0 || dims[1] == 0 || dims[2] == 0 {
		return nil, fmt.Errorf("vision: %s: dimensions %v: %w", images, dims, ErrNoImages)
	}
	most := 0
	for _, l := range given {
		most = max(most, int(l))
	}
	if classes == nil {
		for i := range most + 1 {
			classes = append(classes, fmt.Sprint(i))
		}
	}
	if most >= len(classes) {
		return nil, fmt.Errorf("vision: %s: %w: label %d of %d classes", labels, ErrIDX, most, len(classes))
	}
	return &IDX{name: images, pixels: pixels, labels: given, classes: classes, height: dims[1], width: dims[2]}, nil
}

// Len returns the number of images.
func (d *IDX) Len() int { return len(d.labels) }

// Classes returns the class names.
func (d *IDX) Classes() []string { return d.classes }

// Label returns the label of image i.
func (d *IDX) Label(i int) int { return int(d.labels[i]) }

// Name returns the file's name and the image's number in it.
func (d *IDX) Name(i int) string { return fmt.Sprintf("%s#%d", d.name, i) }

// Open returns image i, with one channel, sharing the data set's memory.
func (d *IDX) Open(i int) (*Image, error) {
	n := d.height * d.width
	return &Image{Pix: d.pixels[i*n : (i+1)*n : (i+1)*n], Height: d.height, Width: d.width, Channels: 1}, nil
}
