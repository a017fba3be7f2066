package vision_test

import (
	"context"
	"fmt"
	"os"
	"testing/fstest"

	"github.com/fovea-ml/fovea/data"
	"github.com/fovea-ml/fovea/vision"
)

// A table of paths and labels lies beside its images.
func ExampleOpenCSV() {
	folder := fstest.MapFS{
		"birds/train.csv": {Data: []byte("file,species\na.jpg,robin\nb.jpg,wren\nmore/c.jpg,robin\n")},
	}
	data, err := vision.OpenCSV(folder, "birds/train.csv", vision.CSVOptions{Label: "species"})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(data.Classes())
	for i := range data.Len() {
		fmt.Println(data.Name(i), data.Label(i))
	}
	// Output:
	// [robin wren]
	// birds/a.jpg 0
	// birds/b.jpg 1
	// birds/more/c.jpg 0
}

// A model's folder says how images are prepared.
func ExampleLoadPreprocess() {
	// os.DirFS("clip-vit-base-patch32") for a folder on disk
	folder := fstest.MapFS{vision.PreprocessorName: {Data: []byte(`{
		"image_processor_type": "CLIPImageProcessor",
		"size": {"shortest_edge": 224}, "crop_size": {"height": 224, "width": 224}}`)},
	}
	p, err := vision.LoadPreprocess(folder)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("shorter side to", p.Width, p.Filter, "then the center", p.CropWidth, "×", p.CropHeight)
	fmt.Println("mean", p.Mean)
	// Output:
	// shorter side to 224 bicubic then the center 224 × 224
	// mean [0.48145467 0.4578275 0.40821072]
}

// two is a data set of one photograph, once in color and once in gray.
func two() *vision.Memory {
	m, err := vision.DecodeFile(os.DirFS("testdata/decode"), "420.jpg", vision.DecodeOptions{})
	if err != nil {
		panic(err)
	}
	return &vision.Memory{Images: []*vision.Image{m, m.Gray()}, Labels: []int{0, 1}, ClassNames: []string{"color", "gray"}}
}

// RandAugment is named as in timm's --aa option. The same generator gives the same image.
func ExampleRandAugment() {
	rand, err := vision.ParseRandAugment("rand-m9-mstd0.5-inc1")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(rand.Magnitude, rand.MagnitudeStd, rand.Increasing)
	m := two().Images[0]
	const seed, epoch, sample = 1, 0, 2
	once := rand.Apply(data.NewRand(seed, epoch, sample), m)
	again := rand.Apply(data.NewRand(seed, epoch, sample), m)
	fmt.Println(string(once.Pix) == string(again.Pix), string(once.Pix) == string(m.Pix))
	// Output:
	// 9 0.5 true
	// true false
}

// Images are mixed in pairs, and the targets give the share of each class.
func ExampleMix() {
	loader := &vision.Loader{Data: two(), Preprocess: vision.Half(32), Mix: &vision.Mix{Cutmix: 1}, Seed: 3}
	for batch, err := range loader.Epoch(context.Background(), 0) {
		if err != nil {
			fmt.Println(err)
			return
		}
		for i, label := range batch.Labels {
			fmt.Printf("%d: %.2f\n", label, batch.Targets[2*i:2*i+2])
		}
	}
	// Output:
	// 0: [0.31 0.69]
	// 1: [0.69 0.31]
}

// A table of images and captions, as open_clip reads it. An image may have several captions.
func ExampleOpenPairs() {
	folder := fstest.MapFS{
		"photographs.tsv": {Data: []byte("filepath\ttitle\n1.jpg\tA cat, asleep\n1.jpg\tAn orange cat\n2.jpg\tTwo dogs\n")},
	}
	pairs, err := vision.OpenPairs(folder, "photographs.tsv", vision.PairOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	for i := range pairs.Len() {
		captions, err := pairs.Captions(i)
		fmt.Printf("%s %q %v\n", pairs.Name(i), captions, err)
	}
	// Output:
	// 1.jpg ["A cat, asleep" "An orange cat"] <nil>
	// 2.jpg ["Two dogs"] <nil>
}
