package detect

import (
	"context"
	"fmt"
	"image"
	"slices"

	"github.com/fovea-ml/fovea/metrics"
	"github.com/fovea-ml/fovea/vision/boxes"
)

// DetectDataset finds the objects in the images of a data set, for an evaluation with data.Truth():
//
//	model.Options.MinScore = new(float32(0.001)) // curves of precision and recall also need unsure detections
//	found, err := model.DetectDataset(ctx, data)
//	…
//	result, err := metrics.COCO(data.Truth(), found, metrics.COCOOptions{})
//
// The Image of a detection is the number of the image, and its Class the label in data. Classes are told by their
// names. Detections of classes that data lacks are left out: [Model.OtherClasses] names them. Boxes are cut to the
// image, and those that lie outside are left out.
//
// It returns an error that names the classes of objects in data which the model does not have, and one for an image
// that cannot be read. ctx ends it with the context's error.
func (m *Model) DetectDataset(ctx context.Context, data *boxes.Dataset) ([]metrics.Detection, error) {
	if missing := m.missing(data); len(missing) > 0 {
		return nil, fmt.Errorf("detect: the data set has objects of the classes %q, which the model does not have: set its names with SetLabels, or leave these objects out by boxes.Options", missing)
	}
	label := make([]int, m.Classes) // in data, of each class; -1 for none
	for i, name := range m.Labels() {
		label[i] = slices.Index(data.Classes(), name)
	}
	var all []metrics.Detection
	for first := 0; first < data.Len(); first += m.Network.batch() {
		var images []image.Image
		for i := first; i < min(first+m.Network.batch(), data.Len()); i++ {
			img, err := data.Open(i)
			if err != nil {
				return nil, fmt.Errorf("detect: %w", err)
			}
			images = append(images, img)
		}
		found, err := m.Detect(ctx, images...)
		if err != nil {
			return nil, err
		}
		for i, each := range found {
			size := images[i].Bounds()
			for _, d := range each {
				b := d.Box.Clip(float32(size.Dx()), float32(size.Dy()))
				if label[d.Class] >= 0 && b.Valid() {
					box := metrics.Corners(float64(b.X0), float64(b.Y0), float64(b.X1), float64(b.Y1))
					all = append(all, metrics.Detection{Image: first + i, Class: label[d.Class], Box: box, Score: float64(d.Score)})
				}
			}
		}
	}
	return all, nil
}

// missing returns the names of classes that objects in a data set have and the model has not.
func (m *Model) missing(data *boxes.Dataset) (names []string) {
	has := make([]bool, len(data.Classes()))
	for i := range data.Len() {
		for _, o := range data.Objects(i) {
			has[o.Label] = true
		}
	}
	labels := m.Labels()
	for i, name := range data.Classes() {
		if has[i] && !slices.Contains(labels, name) {
			names = append(names, name)
		}
	}
	return names
}

// OtherClasses returns the names of the model's classes that a data set does not have.
func (m *Model) OtherClasses(data *boxes.Dataset) (names []string) {
	for _, name := range m.Labels() {
		if !slices.Contains(data.Classes(), name) {
			names = append(names, name)
		}
	}
	return names
}
