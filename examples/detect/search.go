package main

import (
	"context"
	"fmt"
	"image"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/fovea-ml/fovea/examples/internal/console"
	"github.com/fovea-ml/fovea/examples/internal/photo"
	"github.com/fovea-ml/fovea/models/detect"
	"github.com/fovea-ml/fovea/vision"
)

// extensions are those of the images that are taken from a folder.
var extensions = []string{".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"}

// list returns the image files that the arguments name: files, and the images in folders.
func list(args []string) ([]string, error) {
	var files []string
	for _, arg := range args {
		before := len(files)
		folder := false
		err := filepath.WalkDir(arg, func(path string, d fs.DirEntry, err error) error {
			switch {
			case path == arg && (err != nil || !d.IsDir()):
				files = append(files, arg) // what is wrong with a file is said when it is read
				return nil
			case err != nil:
				return err
			case d.IsDir():
				folder = true
			case d.Type().IsRegular() && slices.Contains(extensions, strings.ToLower(filepath.Ext(path))):
				files = append(files, path)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		if folder && len(files) == before {
			return nil, fmt.Errorf("%s: the folder has no images (%s)", console.Printable(arg), strings.Join(extensions, " "))
		}
	}
	return files, nil
}

// result is what was found in an image file, or the error that the file caused.
type result struct {
	name   string
	image  *vision.Image
	found  detect.Detections
	tracks []int // the number of each object, or nil
	err    error
}

// batchSize is the number of images that are searched in one pass.
const batchSize = 8

// search finds the objects in image files and calls f with the number of each and its result, in the order of names.
func search(ctx context.Context, m *detect.Model, names []string, f func(int, *result) error) error {
	done := 0
	for chunk := range slices.Chunk(names, batchSize) {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		results := make([]result, len(chunk))
		m.Workers.For(len(chunk), func(i int) {
			results[i].name = chunk[i]
			results[i].image, results[i].err = photo.Read(chunk[i])
		})
		var readable []int
		var batch []image.Image
		for i := range results {
			if results[i].err == nil {
				readable, batch = append(readable, i), append(batch, results[i].image)
			}
		}
		found, err := m.Detect(ctx, batch...)
		if err != nil {
			return err
		}
		for k, i := range readable {
			results[i].found = found[k]
		}
		for i := range results {
			if err := f(done+i, &results[i]); err != nil {
				return err
			}
		}
		done += len(chunk)
	}
	return nil
}
