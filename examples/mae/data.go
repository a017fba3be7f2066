package main

import (
	"context"
	"fmt"
	"hash/crc32"
	"math"
	"slices"

	"github.com/fovea-ml/fovea/data"
	"github.com/fovea-ml/fovea/examples/mae/fashion"
	"github.com/fovea-ml/fovea/vision"
)

// pictures is the data of a run. Pre-training sees train without its labels; the classifiers learn from
// labeled, a part of train, and are judged on test, which nothing else sees.
type pictures struct {
	train   vision.Dataset
	labeled vision.Dataset
	test    vision.Dataset
	skipped []*data.ItemError
}

// loadPictures reads the data that the settings name.
func loadPictures(ctx context.Context, s *settings, r *recipe) (*pictures, error) {
	p := &pictures{}
	if s.Data == "" {
		train, test, err := fashion.Load()
		if err != nil {
			return nil, err
		}
		p.train, p.test = clothing(train), clothing(test)
	} else if err := p.readFolder(ctx, s, r); err != nil {
		return nil, err
	}
	p.labeled = perClass(p.train, s.Labels, s.Seed)
	return p, nil
}

// clothing presents Fashion-MNIST as a data set, without copying its pixels.
func clothing(m fashion.Images) vision.Dataset {
	d := &vision.Memory{ClassNames: fashion.Classes[:]}
	for i := range m.Len() {
		gray := m.Image(i)
		d.Images = append(d.Images, &vision.Image{Pix: gray.Pix, Width: fashion.Size, Height: fashion.Size, Channels: 1})
		d.Labels = append(d.Labels, int(m.Labels[i]))
	}
	return d
}

// readFolder reads a folder with one sub-folder a class and sets a share of every class apart for testing.
func (p *pictures) readFolder(ctx context.Context, s *settings, r *recipe) error {
	folder, err := vision.OpenDir(s.Data, vision.FolderOptions{})
	if err != nil {
		return err
	}
	all, skipped, err := examine(ctx, folder, 2*r.Model.ImageSize, s.Threads, s.SkipBroken)
	if err != nil {
		return err
	}
	p.skipped = skipped
	count := make([]int, len(all.Classes()))
	for i := range all.Len() {
		count[all.Label(i)]++
	}
	for label, n := range count {
		if n < 2 {
			return fmt.Errorf("data folder %s: class %q has %d readable pictures, expected at least 2: one to learn from and one to test with",
				s.Data, all.Classes()[label], n)
		}
	}
	p.train, p.test, err = vision.Split(all, r.TestShare, s.Seed)
	return err
}

// perClass chooses n pictures of each class at random, or all where there are fewer.
func perClass(d vision.Dataset, n int, seed uint64) *vision.Subset {
	const choosing = 0x1abe1 // keeps these draws apart from others of the same seed
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

// fingerprint tells data sets apart by their names, labels and pixels where these are in memory.
func fingerprint(d vision.Dataset) string {
	h := crc32.New(crc32.MakeTable(crc32.Castagnoli))
	for i := range d.Len() {
		fmt.Fprintf(h, "%d %s\n", d.Label(i), d.Name(i))
	}
	return fmt.Sprintf("%d pictures in %d classes, %08x", d.Len(), len(d.Classes()), h.Sum32())
}

// countLabels says how many labels a class has, as text: the same for all, or a range.
func countLabels(d vision.Dataset) string {
	count := make([]int, len(d.Classes()))
	for i := range d.Len() {
		count[d.Label(i)]++
	}
	lo, hi := math.MaxInt, 0
	for _, n := range count {
		lo, hi = min(lo, n), max(hi, n)
	}
	if lo == hi {
		return fmt.Sprint(lo)
	}
	return fmt.Sprintf("%d to %d", lo, hi)
}
