package draw_test

import (
	"context"
	"fmt"
	"os"

	"github.com/fovea-ml/fovea/vision"
	"github.com/fovea-ml/fovea/vision/draw"
)

// Boxes that a detector found are drawn on the image.
func ExampleAnnotate() {
	m := vision.NewImage(240, 320, 3)
	out, err := draw.Annotate(m, []draw.Annotation{
		{Box: draw.Box{X0: 40, Y0: 60, X1: 200, Y1: 180}, Label: "cat", Score: 0.97},
		{Box: draw.Box{X0: 220, Y0: 90, X1: 300, Y1: 200}, Label: "cup", Score: 0.61, Class: 1},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	// vision.SavePNG("found.png", out) writes it to a file.
	fmt.Println(out.At(100, 60), draw.ClassColor(0))
	// Output: {242 61 36 255} [242 61 36]
}

// The weights of a model's attention over 3×2 patches are laid over the image.
func ExampleHeatmap() {
	m := vision.NewImage(64, 96, 3)
	out, err := draw.Heatmap(m, []float32{0.1, 0.7, 0.1, 0, 0.1, 0}, 2, 3, draw.HeatmapOptions{Colors: draw.Turbo})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(out.Width, out.Height, out.At(48, 16) != out.At(0, 0))
	// Output: 96 64 true
}

// two is a data set of one photograph, once in color and once in gray.
func two() *vision.Memory {
	m, err := vision.DecodeFile(os.DirFS("../testdata/decode"), "420.jpg", vision.DecodeOptions{})
	if err != nil {
		panic(err)
	}
	return &vision.Memory{Images: []*vision.Image{m, m.Gray()}, Labels: []int{0, 1}, ClassNames: []string{"color", "gray"}}
}

// The recipe that fine-tunes masked autoencoders uses RandAugment, random erasing, mixup and CutMix. A contact sheet
// shows what training sees of it.
func ExampleContactSheet() {
	rand, err := vision.ParseRandAugment("rand-m9-mstd0.5-inc1")
	if err != nil {
		fmt.Println(err)
		return
	}
	loader := &vision.Loader{
		Data:       two(),
		Preprocess: vision.ImageNet(64),
		Augment:    &vision.Augment{Crop: true, Flip: 0.5, Rand: rand, Erase: &vision.RandomErasing{Prob: 0.25, Mode: vision.ErasePixels}},
		Mix:        &vision.Mix{Mixup: 0.8, Cutmix: 1, Smoothing: 0.1},
		BatchSize:  2,
		Shuffle:    true,
		Seed:       1,
	}
	sheet, err := draw.ContactSheet(context.Background(), loader, 0, 1, 2)
	if err != nil {
		fmt.Println(err)
		return
	}
	// vision.SavePNG("batch.png", sheet) writes it to a file.
	fmt.Println(sheet.Width, sheet.Height)
	// Output: 132 64
}

// An image and what a filter makes of it are shown side by side.
func ExampleBeforeAfter() {
	m := two().Images[0]
	small, err := vision.Resize(m, m.Height/4, m.Width/4, vision.Lanczos)
	if err != nil {
		fmt.Println(err)
		return
	}
	sheet, err := draw.BeforeAfter([][2]*vision.Image{{m, small}}, "original", "a quarter")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(sheet.Width > 2*m.Width, sheet.Height > m.Height)
	// Output: true true
}
