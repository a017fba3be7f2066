// Command fashion writes the data set that examples/mae/fashion embeds.
//
//	go run testdata/gen/fashion.go -from DIR -to examples/mae/fashion/data
//
// DIR holds the four files of Fashion-MNIST (Debian: package dataset-fashion-mnist). The output has the first images of
// each class, 800 for training and 200 for testing, in the original order and format. The same input gives the same
// files.
package main

import (
	"compress/gzip"
	"encoding/binary"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"
)

const (
	classes = 10
	pixels  = 28 * 28
)

func main() {
	log.SetFlags(0)
	from := flag.String("from", "", "`folder` with the four files of Fashion-MNIST")
	to := flag.String("to", "", "`folder` to write to")
	flag.Parse()
	if *from == "" || *to == "" {
		log.Fatal("fashion: expected -from and -to")
	}
	for _, split := range []struct {
		name  string
		total int
		each  int // images of each class
	}{{"train", 60000, 800}, {"t10k", 10000, 200}} {
		if err := subset(*from, *to, split.name, split.total, split.each); err != nil {
			log.Fatal("fashion: ", err)
		}
	}
}

func subset(from, to, split string, total, each int) error {
	imageName, labelName := split+"-images-idx3-ubyte.gz", split+"-labels-idx1-ubyte.gz"
	images, err := read(filepath.Join(from, imageName), 16+total*pixels)
	if err != nil {
		return err
	}
	labels, err := read(filepath.Join(from, labelName), 8+total)
	if err != nil {
		return err
	}
	// An idx file starts with two zeros, the type (8: unsigned byte), the rank and the sizes, big-endian.
	n := uint32(classes * each)
	keptImages := header(0x803, n, 28, 28)
	keptLabels := header(0x801, n)
	var count [classes]int
	for i, label := range labels[8:] {
		if count[label] < each {
			count[label]++
			keptLabels = append(keptLabels, label)
			keptImages = append(keptImages, images[16+i*pixels:][:pixels]...)
		}
	}
	if err := write(filepath.Join(to, imageName), keptImages); err != nil {
		return err
	}
	return write(filepath.Join(to, labelName), keptLabels)
}

func header(values ...uint32) []byte {
	var b []byte
	for _, v := range values {
		b = binary.BigEndian.AppendUint32(b, v)
	}
	return b
}

func read(path string, size int) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(z)
	if err == nil && len(b) != size {
		err = fmt.Errorf("%s: expected %d bytes, found %d", path, size, len(b))
	}
	return b, err
}

func write(path string, data []byte) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	z, err := gzip.NewWriterLevel(f, gzip.BestCompression)
	if err != nil {
		return err
	}
	if _, err := z.Write(data); err != nil {
		return err
	}
	if err := z.Close(); err != nil {
		return err
	}
	return f.Close()
}
