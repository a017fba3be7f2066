package imageset

import (
	"fmt"
	"hash/crc32"

	"github.com/fovea-ml/fovea/vision"
)

// Fingerprint identifies a data set by the names, labels and pixels of its images. It reads images that [Examine] did not.
func Fingerprint(d vision.Dataset) (string, error) {
	h := crc32.New(castagnoli)
	for i := range d.Len() {
		sum, err := pixelSum(d, i)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(h, "%d %08x %s\n", d.Label(i), sum, d.Name(i))
	}
	return fmt.Sprintf("%d images in %d classes, %08x", d.Len(), len(d.Classes()), h.Sum32()), nil
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// summed is a data set whose pixels were read before, and are not in memory.
type summed struct {
	vision.Dataset
	sums []uint32 // checksums of the pixels of each image
}

// pixelSum returns a checksum of the pixels of an image.
func pixelSum(d vision.Dataset, i int) (uint32, error) {
	switch d := d.(type) {
	case *vision.Subset:
		return pixelSum(d.Of, d.Indices[i])
	case *summed:
		return d.sums[i], nil
	}
	m, err := d.Open(i)
	if err != nil {
		return 0, err
	}
	return sumPixels(m), nil
}

func sumPixels(m *vision.Image) uint32 {
	head := fmt.Sprintf("%d %d %d\n", m.Width, m.Height, m.Channels)
	return crc32.Update(crc32.Checksum([]byte(head), castagnoli), castagnoli, m.Pix)
}
