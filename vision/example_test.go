package vision_test

import (
	"context"
	"fmt"
	"image"
	"image/color"
	"os"

	"github.com/fovea-ml/fovea/vision"
)

// A JPEG file becomes the input of a Vision Transformer.
func Example() {
	m, err := vision.DecodeFile(os.DirFS("testdata/decode"), "420.jpg", vision.DecodeOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	p := vision.ImageNet(224)
	pixels, height, width, err := p.Pixels(nil, nil, m)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%d×%d becomes [1, 3, %d, %d]: %d values\n", m.Width, m.Height, height, width, len(pixels))
	// Output: 48×32 becomes [1, 3, 224, 224]: 150528 values
}

// A resize gives the bytes of Pillow.
func ExampleResize() {
	m := vision.NewImage(1, 4, 1)
	copy(m.Pix, []uint8{0, 100, 200, 50})
	for _, f := range []vision.Filter{vision.Nearest, vision.Box, vision.Bilinear, vision.Bicubic} {
		out, err := vision.Resize(m, 1, 2, f)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(f, out.Pix)
	}
	// Output:
	// nearest [100 50]
	// box [50 125]
	// bilinear [71 121]
	// bicubic [68 127]
}

// The error of an unsupported file names its format, and the package that reads it.
func ExampleDecodeError() {
	_, err := vision.DecodeBytes([]byte("\x00\x00\x00\x18ftypheic\x00\x00\x00\x00"), vision.DecodeOptions{Name: "IMG_0001.HEIC"})
	fmt.Println(err)
	// Output: vision: IMG_0001.HEIC: unknown or unsupported image format: found a HEIC image, read by programs that import _ "github.com/gen2brain/heic"
}

// Batches of a data set, in the same order in every run.
func ExampleLoader() {
	data := &vision.Memory{ClassNames: []string{"dark", "light"}}
	for i := range 10 {
		src := image.NewGray(image.Rect(0, 0, 8, 8))
		for j := range src.Pix {
			src.Pix[j] = color.Gray{Y: uint8(25 * i)}.Y
		}
		m, err := vision.FromImage(src)
		if err != nil {
			fmt.Println(err)
			return
		}
		data.Images = append(data.Images, m)
		data.Labels = append(data.Labels, i/5)
	}
	loader := &vision.Loader{Data: data, Preprocess: vision.Half(4), BatchSize: 4, Shuffle: true, Seed: 1}
	for batch, err := range loader.Epoch(context.Background(), 0) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(batch.Indices, batch.Labels, len(batch.Pixels))
	}
	// Output:
	// [7 4 5 2] [1 0 1 0] 192
	// [1 9 8 0] [0 1 1 0] 192
	// [3 6] [0 1] 96
}

// The configuration of a timm checkpoint says how images are prepared.
func ExampleParseTimm() {
	p, err := vision.ParseTimm([]byte(`{"architecture": "vit_base_patch16_224", "pretrained_cfg": {
		"input_size": [3, 224, 224], "crop_pct": 0.9, "interpolation": "bicubic", "mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]}}`), false)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("shorter side to", p.Width, p.Filter, "then the center", p.CropWidth, "×", p.CropHeight)
	// Output: shorter side to 248 bicubic then the center 224 × 224
}
