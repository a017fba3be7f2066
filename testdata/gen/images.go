// Command images writes a small data set of images, one sub-folder for each class: noisy discs, stripes and squares.
//
//	go run ./testdata/gen/images.go -out DIR
//
// Their size, place and color are random, and so are the sizes of the images. .ci/run trains the masked autoencoder on
// this data set.
package main

import (
	"flag"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"log"
	"math/rand/v2"
	"os"
	"path/filepath"
)

func main() {
	out := flag.String("out", "", "folder to write")
	each := flag.Int("each", 24, "images of each class")
	flag.Parse()
	if *out == "" {
		log.Fatal("images: -out is missing")
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for _, c := range []struct {
		class  string
		inside func(x, y float64) bool
	}{
		{"disc", func(x, y float64) bool { return x*x+y*y < 1 }},
		{"square", func(x, y float64) bool { return max(x, -x) < 0.8 && max(y, -y) < 0.8 }},
		{"stripes", func(x, y float64) bool { return int(4*x+40)%2 == 0 }},
	} {
		dir := filepath.Join(*out, c.class)
		if err := os.MkdirAll(dir, 0o777); err != nil {
			log.Fatal(err)
		}
		for i := range *each {
			if err := write(filepath.Join(dir, fmt.Sprintf("%03d", i)), draw(rng, c.inside), i); err != nil {
				log.Fatal(err)
			}
		}
	}
}

// draw draws one image.
func draw(rng *rand.Rand, inside func(x, y float64) bool) image.Image {
	w, h := 30+rng.IntN(60), 30+rng.IntN(60)
	cx, cy := float64(w)*(0.4+0.2*rng.Float64()), float64(h)*(0.4+0.2*rng.Float64())
	r := float64(min(w, h)) * (0.25 + 0.2*rng.Float64())
	fore, back := [3]float64{}, [3]float64{}
	for c := range 3 {
		fore[c], back[c] = 128+120*rng.Float64(), 100*rng.Float64()
	}
	img := image.NewNRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			ink := back
			if inside((float64(x)-cx)/r, (float64(y)-cy)/r) {
				ink = fore
			}
			var v [3]uint8
			for c := range 3 {
				v[c] = uint8(min(max(ink[c]+10*rng.NormFloat64(), 0), 255))
			}
			img.SetNRGBA(x, y, color.NRGBA{v[0], v[1], v[2], 255})
		}
	}
	return img
}

// write saves every second image as JPEG, the others as PNG.
func write(path string, img image.Image, i int) error {
	ext := ".png"
	if i%2 == 1 {
		ext = ".jpg"
	}
	f, err := os.Create(path + ext)
	if err != nil {
		return err
	}
	defer f.Close()
	if ext == ".png" {
		return png.Encode(f, img)
	}
	return jpeg.Encode(f, img, &jpeg.Options{Quality: 90})
}
