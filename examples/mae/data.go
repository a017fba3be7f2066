package main

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/fovea-ml/fovea/data"
	"github.com/fovea-ml/fovea/examples/internal/imageset"
	"github.com/fovea-ml/fovea/examples/mae/fashion"
	"github.com/fovea-ml/fovea/vision"
)

// images is the data of a run. Pre-training uses train without its labels. The classifiers train on labeled, a part of
// train. Only the accuracy is computed on test.
type images struct {
	train   vision.Dataset
	labeled *vision.Subset
	test    vision.Dataset
	skipped []*data.ItemError
}

// loadImages loads the data of -data, or Fashion-MNIST.
func loadImages(ctx context.Context, s *settings, r *recipe) (*images, error) {
	m := &images{}
	if s.Data == "" {
		train, test, err := fashion.Load()
		if err != nil {
			return nil, err
		}
		m.train, m.test = fashionDataset(train), fashionDataset(test)
	} else if err := m.readFolder(ctx, s, r); err != nil {
		return nil, err
	}
	m.labeled = perClass(m.train, s.Labels, s.Seed)
	return m, nil
}

// fashionDataset returns Fashion-MNIST as a data set. It does not copy the pixels.
func fashionDataset(m fashion.Images) vision.Dataset {
	d := &vision.Memory{ClassNames: fashion.Classes[:]}
	for i := range m.Len() {
		gray := m.Image(i)
		d.Images = append(d.Images, &vision.Image{Pix: gray.Pix, Width: fashion.Size, Height: fashion.Size, Channels: 1})
		d.Labels = append(d.Labels, int(m.Labels[i]))
	}
	return d
}

// readFolder reads a folder with one sub-folder for each class. It reserves a share of each class for testing.
func (m *images) readFolder(ctx context.Context, s *settings, r *recipe) error {
	folder, err := vision.OpenDir(s.Data, vision.FolderOptions{})
	if err != nil {
		return err
	}
	read, err := imageset.Examine(ctx, folder, 2*r.Model.ImageSize, s.Threads, nil)
	if err != nil {
		return err
	}
	m.skipped = read.Skipped
	if n := len(m.skipped); n > 0 && !s.SkipBroken {
		more := ""
		if n > 1 {
			more = fmt.Sprintf("and %d more; ", n-1)
		}
		return fmt.Errorf("%w (%suse -skip-broken to skip such files)", m.skipped[0], more)
	}
	all := read.Kept
	for label, n := range imageset.Counts(all) {
		if n < 2 {
			return fmt.Errorf("data folder %s: class %q has %d readable images, expected at least 2: one for training and one for testing",
				s.Data, all.Classes()[label], n)
		}
	}
	m.train, m.test, err = vision.Split(all, r.TestShare, s.Seed)
	return err
}

// perClass chooses n random images of each class. From a smaller class it takes all.
func perClass(d vision.Dataset, n int, seed uint64) *vision.Subset {
	const choosing = 0x1abe1 // makes these random numbers differ from others with the same seed
	members := make([][]int, len(d.Classes()))
	for i := range d.Len() {
		members[d.Label(i)] = append(members[d.Label(i)], i)
	}
	out := &vision.Subset{Of: d}
	for class, m := range members {
		for _, k := range data.NewRand(seed, choosing, uint64(class)).Perm(len(m))[:min(n, len(m))] {
			out.Indices = append(out.Indices, m[k])
		}
	}
	slices.Sort(out.Indices)
	return out
}

// countLabels returns the number of labels in each class as text: one number, or a range.
func countLabels(d vision.Dataset) string {
	lo, hi := math.MaxInt, 0
	for _, n := range imageset.Counts(d) {
		lo, hi = min(lo, n), max(hi, n)
	}
	if lo == hi {
		return fmt.Sprint(lo)
	}
	return fmt.Sprintf("%d to %d", lo, hi)
}
