package detect

import (
	"context"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"iter"
	"strconv"
	"strings"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/data"
	"github.com/fovea-ml/fovea/vision/boxes"
)

// Loader prepares the images of a data set for training, in other goroutines. Its batches depend on the options and the epoch
// alone. [Model.Loader] makes one.
type Loader struct {
	items    *data.Loader[loading]
	describe map[string]string
}

// loading is a batch under way.
type loading struct {
	changed  []boxes.Sample // with the model's classes
	prepared []Prepared     // of the slots, unless the size is drawn for the whole batch
	all      []Prepared     // of the batch
	samples  Samples
	err      error
}

// Loader returns the loader of [Model.Training], for a loop of your own. It returns the errors of Training about images.
func (m *Model) Loader(images *boxes.Dataset, o TrainOptions) (*Loader, error) {
	if err := m.checkTraining(images, o); err != nil {
		return nil, fmt.Errorf("detect: training: %w", err)
	}
	return m.loader(images, o)
}

func (m *Model) loader(images *boxes.Dataset, o TrainOptions) (*Loader, error) {
	classes, err := m.ClassesOf(images.Classes())
	if err != nil {
		return nil, err
	}
	augmentation, err := json.Marshal(o.Augment) // its fields are numbers
	if err != nil {
		return nil, err
	}
	configuration, err := json.Marshal(m.Config)
	if err != nil {
		return nil, err
	}
	size := 0 // of all images, unless there are several
	if len(o.Sizes) == 1 {
		size = o.Sizes[0]
	}
	open := func(i int) (boxes.Sample, error) {
		s, err := images.Sample(i)
		if err != nil {
			return s, err
		}
		used := boxes.Sample{Image: s.Image}
		for _, object := range s.Objects {
			if object.Difficult && o.SkipDifficult {
				continue
			}
			object.Label = classes[object.Label]
			used.Objects = append(used.Objects, object)
		}
		return used, nil
	}
	l := &Loader{items: &data.Loader[loading]{
		Len: images.Len(), Name: images.Name, BatchSize: o.batchSize(), Shuffle: true, Seed: o.Seed, Weights: o.Weights,
		Goroutines: m.Workers.Limit(), OnError: o.OnError,
		Reset: func(b *loading, n int) {
			b.changed, b.prepared = make([]boxes.Sample, n), make([]Prepared, n)
		},
		Prepare: func(b *loading, slot, item int, r *data.Rand) error {
			s, err := open(item)
			if err == nil && o.Augment != nil {
				s, err = o.Augment.Apply(r, s, func(r *data.Rand) (boxes.Sample, error) { return open(r.IntN(images.Len())) })
			}
			switch {
			case err != nil:
			case len(o.Sizes) < 2:
				b.prepared[slot], err = m.Prepare(s.Image, s.Objects, size)
			default: // the size is not yet known, but what no size makes right is an error of this image
				b.changed[slot], err = s, preparable(m.Network, s.Image)
			}
			return err
		},
		Finish: func(b *data.Batch[loading], slots []int, r *data.Rand) {
			v := &b.Value
			v.all, v.err = v.all[:0], nil
			if len(o.Sizes) > 1 {
				var slot int
				if slot, v.err = m.prepareAll(v, slots, o.Sizes[r.IntN(len(o.Sizes))]); v.err != nil {
					v.err = fmt.Errorf("%s: %w", images.Name(b.Items[slot]), v.err)
				}
			}
			for _, slot := range slots {
				v.all = append(v.all, v.prepared[slot])
			}
			v.samples = m.Samples(v.samples, v.all)
		},
	}}
	l.describe = l.items.Describe()
	l.describe["classes"] = fmt.Sprintf("%q", images.Classes())
	l.describe["augmentation"] = string(augmentation)
	l.describe["sizes"] = strings.Trim(fmt.Sprint(o.Sizes), "[]")
	l.describe["input"] = fmt.Sprintf("%s, image size %d, min size %d, max size %d", m.Config.ModelType, m.Config.ImageSize, m.Config.MinSize, m.Config.MaxSize)
	switch d := m.Network.(type) {
	case setNetwork:
		l.describe["input"] = fmt.Sprintf("%s, %+v", m.Config.ModelType, *d.preparing())
	case *CenterNet:
		l.describe["input"] += fmt.Sprintf(", keep size %t", d.KeepSize)
	}
	l.describe["configuration"] = fmt.Sprintf("%08x", crc32.ChecksumIEEE(configuration))
	l.describe["skip difficult"] = strconv.FormatBool(o.SkipDifficult)
	return l, nil
}

// prepareAll prepares the images of a batch at one size. It returns the number among them of the first that fails.
func (m *Model) prepareAll(b *loading, slots []int, size int) (int, error) {
	errs := make([]error, len(slots))
	m.Workers.For(len(slots), func(i int) {
		s := b.changed[slots[i]]
		b.prepared[slots[i]], errs[i] = m.Prepare(s.Image, s.Objects, size)
	})
	for i, err := range errs {
		if err != nil {
			return i, err
		}
	}
	return 0, nil
}

// Batches returns the number of batches in an epoch.
func (l *Loader) Batches() int { return l.items.Batches() }

// Describe returns the settings that decide the batches, by name. A training run compares them with those of the run that it
// continues.
func (l *Loader) Describe() map[string]string { return l.describe }

// Skipped returns every image that was skipped so far, sorted, each once.
func (l *Loader) Skipped() []*data.ItemError { return l.items.Skipped() }

// EpochFrom yields the batches of an epoch from number first on. A batch is valid until the next iteration. An error is
// the last thing it yields, as for [data.Loader.Epoch].
func (l *Loader) EpochFrom(ctx context.Context, epoch, first int) iter.Seq2[*Samples, error] {
	return func(yield func(*Samples, error) bool) {
		for b, err := range l.items.EpochFrom(ctx, epoch, first) {
			if err == nil {
				err = b.Value.err
			}
			if err != nil {
				yield(nil, err)
				return
			}
			b.Value.samples.Number, b.Value.samples.Items = b.Number, b.Items
			if !yield(&b.Value.samples, nil) {
				return
			}
		}
	}
}

// Samples are the images of a batch, not yet on a tape.
type Samples struct {
	Pixels []float32 // Shape
	Shape  [4]int    // [n, 3, h, w]
	Sizes  [][2]int  // the height and the width of each image, in the upper left corner of its pixels
	Truth  []Truth
	// Number and Items are the number of the batch in its epoch, and those of the images in the data set, in batches of
	// a Loader.
	Number int
	Items  []int
}

// Len returns the number of images.
func (s *Samples) Len() int { return len(s.Truth) }

// Position returns Number.
func (s *Samples) Position() int { return s.Number }

// Batch puts the images on a tape.
func (s *Samples) Batch(t *autograd.Tape) Batch {
	return Batch{Pixels: t.Input(s.Pixels, s.Shape[:]...), Sizes: s.Sizes, Truth: s.Truth}
}

// Samples puts prepared images into the upper left corners of a batch, with zeros right of them and below. It reuses
// the memory of dst.
func (m *Model) Samples(dst Samples, images []Prepared) Samples {
	multiple := 1
	if n, err := m.trainable(); err == nil {
		multiple = n.multiple()
	}
	s := Samples{Sizes: dst.Sizes[:0], Truth: dst.Truth[:0]}
	all := make([]planes, len(images))
	for i, p := range images {
		all[i] = planes{p.Pixels, p.Height, p.Width}
		s.Sizes, s.Truth = append(s.Sizes, [2]int{p.Height, p.Width}), append(s.Truth, p.Truth)
	}
	var h, w int
	s.Pixels, h, w = batched(dst.Pixels, all, multiple)
	s.Shape = [4]int{len(images), 3, h, w}
	return s
}
