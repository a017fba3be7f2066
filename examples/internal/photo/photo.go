// Package photo lists and reads the images that a user names, and names the files that a program draws from them:
//
//	names, err := photo.Files([]string{"street.jpg", "holiday"}) // of a folder, all images
//	img, err := photo.Read(names[0])
//	files, err := photo.NewOutputs("drawn", names)
//	err = vision.SavePNG(files.Path(names[0]), img) // drawn/street.png
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
