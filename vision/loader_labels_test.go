package vision

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/fovea-ml/fovea/data"
)

// unopened fails the test when an image is opened.
type unopened struct {
	*Memory
	t *testing.T
}

func (d unopened) Open(i int) (*Image, error) {
	d.t.Errorf("image %d was opened", i)
	return d.Memory.Open(i)
}

// TestLoaderChecksLabels finds a label beyond the classes before any image is opened.
func TestLoaderChecksLabels(t *testing.T) {
	for name, c := range map[string]struct {
		labels  []int
		classes []string
		mix     *Mix
		want    string
	}{
		"too large":      {[]int{0, 1, 2, 0}, []string{"a", "b"}, nil, "image 2, #2, has label 2, expected 0 to 1 for 2 classes"},
		"negative":       {[]int{0, -1, 0, 0}, []string{"a", "b"}, nil, "image 1, #1, has label -1, expected 0 to 1 for 2 classes"},
		"with Mix":       {[]int{0, 1, 0, 5}, []string{"a", "b"}, &Mix{Mixup: 0.8}, "image 3, #3, has label 5, expected 0 to 1 for 2 classes"},
		"no classes":     {[]int{0, 1, 0, 0}, nil, nil, "image 1, #1, has label 1, expected 0: the data set has no classes"},
		"no classes, -1": {[]int{-1, 0, 0, 0}, nil, nil, "image 0, #0, has label -1, expected 0: the data set has no classes"},
	} {
		d := unopened{&Memory{Images: numbered(4).Images, Labels: c.labels, ClassNames: c.classes}, t}
		l := &Loader{Data: d, Preprocess: Half(8), BatchSize: 1, Mix: c.mix, OnError: data.SkipErrors}
		for _, err := range l.Epoch(t.Context(), 0) {
			if err == nil || !strings.HasSuffix(err.Error(), c.want) {
				t.Errorf("%s: found %v, expected %s", name, err, c.want)
			}
		}
	}
	// Images without labels, for training that needs none.
	l := &Loader{Data: &Memory{Images: numbered(4).Images}, Preprocess: Half(8)}
	if b := collect(t, l, 0, 0); len(b) != 1 || !slices.Equal(b[0].Labels, []int{0, 0, 0, 0}) {
		t.Errorf("without classes: %d batches", len(b))
	}
	if first, second, err := Split(l.Data, 0.25, 1); err != nil || first.Len() != 3 || second.Len() != 1 {
		t.Errorf("split without classes: %v", err)
	}
	func() {
		defer func() {
			if p := fmt.Sprint(recover()); !strings.Contains(p, "image 1 of the batch has label 3, expected one of 3 classes") {
				t.Errorf("mixing an unknown label: %s", p)
			}
		}()
		(&Mix{Mixup: 1}).Apply(data.NewRand(1), &Batch{Channels: 3, Height: 1, Width: 1, Pixels: make([]float32, 6), Labels: []int{0, 3}}, 3)
	}()
}
