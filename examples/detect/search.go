package main

import (
	"context"
	"image"
	"slices"

	"github.com/fovea-ml/fovea/examples/internal/photo"
	"github.com/fovea-ml/fovea/models/detect"
	"github.com/fovea-ml/fovea/vision"
)

// result holds the detections of an image file, or the error that the file caused.
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
