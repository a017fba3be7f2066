package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/fovea-ml/fovea/data"
	"github.com/fovea-ml/fovea/examples/internal/console"
	"github.com/fovea-ml/fovea/examples/internal/imageset"
	"github.com/fovea-ml/fovea/vision"
)

// imageSet is a part of the images.
type imageSet struct {
	files vision.Dataset // read from the files
	kept  vision.Dataset // the same images, reduced and in memory if they fit
}

// corpus holds the images of a run. Nothing is learned from test, and validation chooses the epoch or the penalty alone.
type corpus struct {
	classes                 []string
	train, validation, test imageSet
	skipped                 []*data.ItemError
}

// Shares of the images that are set apart: for testing, and of the rest for validation.
const (
	testShare       = 0.2
	validationShare = 0.15
)

// decode applies the orientation of photographs, as transformers' load_image and examples/classify do.
var decode = vision.DecodeOptions{ApplyOrientation: true, Alpha: true}

// sources are the data sets before their images are read. validation and test may be nil.
type sources struct{ train, validation, test vision.Dataset }

// open lists the images of -data and -test.
func (s *settings) open() (d sources, err error) {
	parts := partsOf(s.Data)
	if parts == nil {
		parts = map[string]string{"train": s.Data}
	}
	d.train, err = openImages(parts["train"])
	if err == nil && parts["val"] != "" {
		d.validation, err = openImages(parts["val"])
	}
	if err == nil && parts["test"] != "" {
		d.test, err = openImages(parts["test"])
	}
	if err != nil {
		return d, fmt.Errorf("-data: %w", err)
	}
	if s.Test != "" {
		if d.test, err = openImages(s.Test); err != nil {
			return d, fmt.Errorf("-test: %w", err)
		}
	}
	for _, part := range []vision.Dataset{d.validation, d.test} {
		if part != nil && !slices.Equal(part.Classes(), d.train.Classes()) {
			return d, fmt.Errorf("expected the same classes for training, validation and testing, found %q and %q", d.train.Classes(), part.Classes())
		}
	}
	return d, nil
}

// openImages lists the images of a folder with a sub-folder for each class, or of a table.
func openImages(path string) (vision.Dataset, error) {
	if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
		if ext := strings.ToLower(filepath.Ext(path)); ext != ".csv" && ext != ".tsv" {
			return nil, fmt.Errorf("%s: expected a folder, or a table whose name ends in .csv or .tsv", path)
		}
		return vision.OpenCSV(os.DirFS(filepath.Dir(path)), filepath.Base(path), vision.CSVOptions{Decode: decode})
	}
	return vision.OpenDir(path, vision.FolderOptions{Decode: decode})
}

// partsOf returns the sub-folders train, val and test of a folder that has train and no other sub-folder. They are parts and
// no classes.
func partsOf(dir string) map[string]string {
	names := map[string]string{"train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val", "test": "test", "testing": "test"}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil
	}
	parts := map[string]string{}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		if info, err := os.Stat(path); err != nil || !info.IsDir() || strings.HasPrefix(e.Name(), ".") {
			continue
		}
		part := names[strings.ToLower(e.Name())]
		if part == "" || parts[part] != "" {
			return nil
		}
		parts[part] = path
	}
	if parts["train"] == "" || len(parts) < 2 {
		return nil
	}
	return parts
}

// read decodes all images and divides them. Unreadable ones are left out.
func (r *run) read(ctx context.Context, d sources, side int) error {
	s, c := &r.settings, &r.corpus
	c.classes = d.train.Classes()
	examine := func(d vision.Dataset) (*imageset.Images, error) {
		show := r.console.Phase("reading images", console.Files, int64(d.Len()))
		defer show.End()
		m, err := imageset.Examine(ctx, d, side, s.Threads, func(done int) { show.At(int64(done)) })
		if err != nil {
			return nil, err
		}
		c.skipped = append(c.skipped, m.Skipped...)
		for class, n := range imageset.Counts(m.Readable) {
			if n == 0 {
				return nil, fmt.Errorf("no image of the class %q can be read: %w", d.Classes()[class], m.Skipped[0])
			}
		}
		return m, nil
	}
	all, err := examine(d.train)
	if err != nil {
		return fmt.Errorf("-data: %w", err)
	}
	rest := make([]int, all.Readable.Len())
	for i := range rest {
		rest[i] = i
	}
	apart := func(given vision.Dataset, share float64, seed uint64) (imageSet, error) {
		if given != nil {
			m, err := examine(given)
			if err != nil {
				return imageSet{}, err
			}
			return imageSet{m.Readable, m.Readable}, nil
		}
		labels := make([]int, len(rest))
		for i, k := range rest {
			labels[i] = all.Readable.Label(k)
		}
		first, second, err := data.Split(labels, len(c.classes), share, seed)
		if err == nil && len(second) == 0 {
			err = errors.New("no class has enough images to set one apart for validation and testing: expected at least 3 in a class")
		}
		if err != nil {
			return imageSet{}, err
		}
		out := subset(all, pick(rest, second))
		rest = pick(rest, first)
		return out, nil
	}
	if c.test, err = apart(d.test, testShare, s.Seed); err == nil {
		c.validation, err = apart(d.validation, validationShare, s.Seed+1)
	}
	if err != nil {
		return fmt.Errorf("-data: %s: %w", s.Data, err)
	}
	c.train = subset(all, rest)
	return nil
}

func subset(all *imageset.Images, indices []int) imageSet {
	return imageSet{&vision.Subset{Of: all.Readable, Indices: indices}, &vision.Subset{Of: all.Kept, Indices: indices}}
}

func pick(list, at []int) []int {
	out := make([]int, len(at))
	for i, k := range at {
		out[i] = list[k]
	}
	return out
}
