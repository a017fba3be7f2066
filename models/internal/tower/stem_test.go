package tower

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/fovea-ml/fovea/checkpoint"
)

// TestStride counts strides whose product overflows as more than the largest.
func TestStride(t *testing.T) {
	for _, c := range []struct {
		stem Stem
		want int
	}{
		{Stem{Kind: ConvStem, Kernels: []int{4, 2}}, 8},
		{Stem{Kind: ConvStem, Kernels: []int{256, 256}}, LargestStride},
		{Stem{Kind: ConvStem, Kernels: []int{256, 257}}, LargestStride + 1},
		{Stem{Kind: ConvStem, Kernels: slices.Repeat([]int{256}, 8)}, LargestStride + 1},
		{Stem{Kind: ConvStem, Kernels: []int{1 << 62, 4}}, LargestStride + 1},
		{Stem{Kind: ResNetV2}, 4},
		{Stem{Kind: ResNetV2, Layers: []int{3, 4, 9}}, 16},
		{Stem{Kind: ResNetV2, Layers: slices.Repeat([]int{1}, 64)}, LargestStride + 1},
	} {
		if got := c.stem.Stride(); got != c.want {
			t.Errorf("%v: %d, expected %d", c.stem, got, c.want)
		}
	}
}

// TestReadStem refuses weights of so many convolutions that the stride overflows.
func TestReadStem(t *testing.T) {
	for _, c := range []struct {
		paths  string
		layers int
		want   string
	}{
		{"Encoder.Stem.Convs.%d.Conv.Weight", 16, ""},
		{"Encoder.Stem.Convs.%d.Conv.Weight", 64, "more than 65536 pixels"},
		{"Encoder.Stem.Stages.%d.0.Conv3.Weight", 15, ""},
		{"Encoder.Stem.Stages.%d.0.Conv3.Weight", 64, "more than 65536 pixels"},
	} {
		var entries []checkpoint.Entry
		add := func(path string) {
			entries = append(entries, checkpoint.Entry{Name: path, Shape: []int{1, 1, 2, 2}, Floats: make([]float32, 4)})
		}
		if strings.Contains(c.paths, "Stages") {
			add("Encoder.Stem.Conv.Weight")
		}
		for i := range c.layers {
			add(fmt.Sprintf(c.paths, i))
		}
		var weights bytes.Buffer
		if err := checkpoint.Encode(&weights, entries, checkpoint.WriteOptions{}); err != nil {
			t.Fatal(err)
		}
		f, err := checkpoint.OpenFS(fstest.MapFS{"model.safetensors": {Data: weights.Bytes()}}, "model.safetensors", checkpoint.OpenOptions{})
		if err != nil {
			t.Fatal(err)
		}
		s, _, err := readStem(f.Tensor)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%d of %s: expected %q, found %v", c.layers, c.paths, c.want, err)
		}
		if err == nil && s.Stride() != LargestStride {
			t.Errorf("%d of %s: a stride of %d", c.layers, c.paths, s.Stride())
		}
	}
}
