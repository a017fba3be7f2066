// Package photo reads the images that a user names, and names the files that a program draws from them:
//
//	img, err := photo.Read("holiday.jpg")
//	files, err := photo.NewOutputs("drawn", []string{"holiday.jpg"})
//	err = vision.SavePNG(files.Path("holiday.jpg"), drawn) // drawn/holiday.png
package photo

import (
	"fmt"
	"os"

	"github.com/fovea-ml/fovea/vision"
)

// Read decodes an image file and applies its EXIF orientation. It keeps the alpha of a PNG file for the model to decide.
func Read(name string) (*vision.Image, error) {
	// Opening a named pipe would wait, and no signal would end that.
	if info, err := os.Stat(name); err == nil && !info.Mode().IsRegular() && !info.IsDir() {
		return nil, fmt.Errorf("%s: %w: expected an image file", name, vision.ErrNotRegular)
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return vision.Decode(f, vision.DecodeOptions{Name: name, ApplyOrientation: true, Alpha: true})
}
