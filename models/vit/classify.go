package vit

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"image"
	"slices"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/simd"
)

// Prediction is what a model thinks a picture shows.
type Prediction struct {
	Logits []float32 // one a class
	Top    []Class   // all classes, the most probable first; of equals, the lower index
}

// Class is one class of a Prediction.
type Class struct {
	Index       int
	Label       string  // "" when the configuration names none
	Probability float32 // from 0 to 1: the softmax of the logits
}

// batch is how many pictures Classify runs at once: enough to fill the cores, few enough to stay small.
const batch = 16

// Classify says what each picture shows, in the order of the pictures, which may have any size. ctx ends it between
// blocks and batches with an error that matches the context's; the model stays usable. It is safe for concurrent
// use.
//
// It returns an error for a model without a classifier or of other than 3 channels, for a picture without pixels,
// which it names by its position, and for a Preprocess whose output is no multiple of the patch size.
func (m *Model) Classify(ctx context.Context, pictures ...image.Image) ([]Prediction, error) {
	if m.Head == nil {
		return nil, errors.New("vit: the model has no classifier")
	}
	if m.Config.NumChannels != 3 {
		return nil, fmt.Errorf("vit: pictures have 3 channels, the model takes %d", m.Config.NumChannels)
	}
	arena := m.arenas.Get()
	defer m.arenas.Put(arena)
	tape := autograd.NewTape(autograd.Options{Workers: m.Workers, Arena: arena, Context: ctx})
	labels := m.Config.labels(m.Head.Weight.Shape()[0])
	out := make([]Prediction, 0, len(pictures))
	var pixels []float32
	for some := range slices.Chunk(pictures, batch) {
		var width, height int
		var err error
		pixels, width, height, err = m.Preprocess.Pixels(pixels, m.Workers, some...)
		if err != nil {
			return nil, fmt.Errorf("vit: from picture %d: %w", len(out), err)
		}
		if p := m.Config.PatchSize; width%p != 0 || height%p != 0 || width < p || height < p {
			return nil, fmt.Errorf("vit: preprocessing gives %d×%d pixels, expected multiples of the patch size %d", width, height, p)
		}
		err = tape.Try(func() error {
			logits := m.Forward(tape.Input(pixels, len(some), 3, height, width))
			classes := logits.Dim(1)
			values := logits.Floats(nil)
			for i := range some {
				out = append(out, prediction(values[i*classes:(i+1)*classes:(i+1)*classes], labels))
			}
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("vit: %w", err)
		}
	}
	return out, nil
}

func prediction(logits []float32, labels []string) Prediction {
	p := Prediction{Logits: logits, Top: make([]Class, len(logits))}
	probabilities := make([]float32, len(logits))
	simd.Softmax(probabilities, logits, 1)
	for i, q := range probabilities {
		p.Top[i] = Class{Index: i, Probability: q}
		if i < len(labels) {
			p.Top[i].Label = labels[i]
		}
	}
	slices.SortStableFunc(p.Top, func(a, b Class) int { return cmp.Compare(b.Probability, a.Probability) })
	return p
}
