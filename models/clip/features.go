package clip

import (
	"context"
	"errors"
	"fmt"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/data"
	"github.com/fovea-ml/fovea/models/internal/run"
	"github.com/fovea-ml/fovea/train"
	"github.com/fovea-ml/fovea/train/contrast"
	"github.com/fovea-ml/fovea/vision"
)

// Features are the outputs of a model for the images of a data set, in its order. They are computed once, and then
// serve any number of classifiers: [Classifier.Predict], [Features.Linear].
type Features struct {
	Embeddings [][]float32 // [n][Config.ProjectionDim], of length 1
	Tower      []float32   // [n, width], of the image tower, before the projection
	Labels     []int
	Classes    []string
	Indices    []int             // positions of the images in the data set
	Skipped    []*data.ItemError // images that were left out, with data.SkipErrors

	model *Model
}

// FeatureOptions change how features are computed.
type FeatureOptions struct {
	OnError data.ErrorPolicy
	// OnBatch, if not nil, is called after each batch with the number of images so far.
	OnBatch func(done int)
}

// Features encodes the images of a data set. They are decoded while others are encoded, and need not be in memory
// together. It returns the errors of the loader, and one for images of another size or number of channels than the
// model takes.
func (m *Model) Features(ctx context.Context, d vision.Dataset, o FeatureOptions) (*Features, error) {
	if m.Config.Vision.NumPatches != 0 {
		return nil, errors.New("clip: features: expected a model of images of one size, found NaFlex: a loader prepares all images alike; EncodeImages takes images of any size")
	}
	f := &Features{Classes: d.Classes(), model: m}
	loader := &vision.Loader{Data: d, Preprocess: m.Preprocess, Goroutines: m.Workers.Limit(), OnError: o.OnError}
	channels := m.Config.Vision.NumChannels
	height, width := m.Config.Vision.Size()
	err := train.Evaluate(ctx, loader, m.tape(), func(t *autograd.Tape, b *vision.Batch) error {
		if b.Channels != channels || b.Height != height || b.Width != width {
			return fmt.Errorf("expected images of %d channels and %d×%d pixels, found %d and %d×%d", channels, height, width, b.Channels, b.Height, b.Width)
		}
		tower := m.Vision.Forward(t.Input(b.Pixels, b.Shape()...))
		embeddings := m.project(tower)
		f.Tower = append(f.Tower, tower.Floats(nil)...)
		f.Embeddings = run.AppendRows(f.Embeddings, contrast.Normalize(embeddings))
		f.Labels, f.Indices = append(f.Labels, b.Labels...), append(f.Indices, b.Indices...)
		if o.OnBatch != nil {
			o.OnBatch(len(f.Labels))
		}
		return nil
	})
	if err == nil && len(f.Labels) == 0 {
		err = vision.ErrNoImages
	}
	if err != nil {
		return nil, fmt.Errorf("clip: features: %w", err)
	}
	f.Skipped = loader.Skipped()
	return f, nil
}

// width is that of the image tower.
func (f *Features) width() int { return len(f.Tower) / max(1, len(f.Labels)) }

// Subset returns the features of some images.
func (f *Features) Subset(indices []int) *Features {
	s := &Features{Classes: f.Classes, model: f.model}
	width := f.width()
	for _, i := range indices {
		s.Embeddings = append(s.Embeddings, f.Embeddings[i])
		s.Tower = append(s.Tower, f.Tower[i*width:(i+1)*width]...)
		s.Labels, s.Indices = append(s.Labels, f.Labels[i]), append(s.Indices, f.Indices[i])
	}
	return s
}

// Split divides the features at random, class by class, as [vision.Split] does.
func (f *Features) Split(share float64, seed uint64) (first, second *Features, err error) {
	a, b, err := vision.Split(f.labels(), share, seed)
	if err != nil {
		return nil, nil, err
	}
	return f.Subset(a.Indices), f.Subset(b.Indices), nil
}

// labels returns a data set of the labels alone.
func (f *Features) labels() vision.Dataset { return labelSet{f} }

// labelSet is a data set without images.
type labelSet struct{ of *Features }

func (l labelSet) Len() int          { return len(l.of.Labels) }
func (l labelSet) Classes() []string { return l.of.Classes }
func (l labelSet) Label(i int) int   { return l.of.Labels[i] }
func (l labelSet) Name(i int) string { return fmt.Sprintf("#%d", l.of.Indices[i]) }

func (l labelSet) Open(int) (*vision.Image, error) {
	return nil, errors.New("clip: features hold no images")
}
