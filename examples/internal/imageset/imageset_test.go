package imageset

import (
	"context"
	"slices"
	"testing"

	"github.com/fovea-ml/fovea/vision"
)

// TestExamineKeepsWithinBounds checks that the memory bound counts bytes, not images. A narrow image is not reduced and
// may be a thousand times larger than a square one.
func TestExamineKeepsWithinBounds(t *testing.T) {
	narrow := vision.NewImage(65536, 4, 3)
	d := &vision.Memory{ClassNames: []string{"narrow"}}
	examined := func(n int) vision.Dataset {
		for d.Len() < n { // always the same image, so that the test itself needs little memory
			d.Images, d.Labels = append(d.Images, narrow), append(d.Labels, 0)
		}
		got, err := Examine(context.Background(), d, 32, 2, nil)
		if err != nil || got.Kept.Len() != n || got.Readable.Len() != n {
			t.Fatalf("%v, %v of %d images", err, got, n)
		}
		return got.Kept
	}
	if _, ok := examined(1000).(*vision.Memory); !ok {
		t.Error("800 MB of images are not kept")
	}
	if _, ok := examined(1500).(*vision.Memory); ok {
		t.Error("1.2 GB of images are kept")
	}
}

// broken is a data set whose image 1 cannot be read.
type broken struct{ vision.Dataset }

func (d broken) Open(i int) (*vision.Image, error) {
	if i == 1 {
		return nil, vision.ErrFormat
	}
	return d.Dataset.Open(i)
}

// TestExamine leaves out an image that cannot be read, and reduces a large one in memory alone.
func TestExamine(t *testing.T) {
	d := &vision.Memory{ClassNames: []string{"a", "b"}, Labels: []int{0, 1, 1}}
	for i := range 3 {
		d.Images = append(d.Images, vision.NewImage(20+60*i, 40+60*i, 3))
	}
	got, err := Examine(t.Context(), broken{d}, 32, 2, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Skipped) != 1 || got.Skipped[0].Name != "#1" || !slices.Equal(Labels(got.Kept), []int{0, 1}) || !slices.Equal(Counts(got.Readable), []int{1, 1}) {
		t.Errorf("skipped %v, labels %v, counts %v", got.Skipped, Labels(got.Kept), Counts(got.Readable))
	}
	whole, err := got.Readable.Open(1)
	if err != nil || whole.Height != 140 {
		t.Errorf("found %d rows, %v, expected 140", whole.Height, err)
	}
	small, err := got.Kept.Open(1)
	if err != nil || small.Height != 32 || small.Width != 36 {
		t.Errorf("found %d×%d pixels, %v, expected 36×32", small.Width, small.Height, err)
	}
}

// TestFingerprint compares data sets in memory with those that are read from files again.
func TestFingerprint(t *testing.T) {
	m := &vision.Memory{ClassNames: []string{"a", "b"}}
	var sums []uint32
	for i := range 6 {
		img := vision.NewImage(4, 5, 3)
		img.Pix[i] = 200
		m.Images, m.Labels = append(m.Images, img), append(m.Labels, i%2)
		sums = append(sums, sumPixels(img))
	}
	want, err := Fingerprint(m)
	if err != nil {
		t.Fatal(err)
	}
	all := []int{0, 1, 2, 3, 4, 5}
	got, err := Fingerprint(&vision.Subset{Of: &vision.Subset{Of: &summed{m, sums}, Indices: all}, Indices: all})
	if err != nil || got != want {
		t.Errorf("found %q (%v), expected %q", got, err, want)
	}
	sums[3]++
	if got, _ := Fingerprint(&summed{m, sums}); got == want {
		t.Error("another image has the same fingerprint")
	}
}

// TestSmall keeps small images as they are prepared, and the channels of large ones.
func TestSmall(t *testing.T) {
	for _, size := range []int{28, 32, 33, 224} {
		for _, gray := range []bool{false, true} {
			p := vision.ImageNet(size)
			p.Gray = gray
			q := Small(p, 32)
			if height, width, _ := q.FixedSize(); height != min(size, 32) || width != height || q.Gray != gray {
				t.Errorf("%d pixels, gray %v: prepared to %d×%d pixels, gray %v", size, gray, width, height, q.Gray)
			}
			if small := size <= 32; (q.Mean == p.Mean) != small {
				t.Errorf("%d pixels: the mean is %v", size, q.Mean)
			}
		}
	}
}
