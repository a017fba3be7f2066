package main

import (
	"errors"
	"fmt"
	"hash/crc32"

	"github.com/fovea-ml/fovea/data"
	"github.com/fovea-ml/fovea/examples/internal/boxset"
	"github.com/fovea-ml/fovea/examples/internal/console"
	"github.com/fovea-ml/fovea/vision"
	"github.com/fovea-ml/fovea/vision/boxes"
)

// corpus holds the images of a run. Nothing is learned from test, and validation chooses the epoch alone.
type corpus struct {
	format                  string
	train, validation, test *boxes.Dataset
	skipped                 int
	first                   []string // errors about what is skipped
}

// Shares of the images that are set apart: for testing, and of the rest for validation.
const (
	testShare       = 0.2
	validationShare = 0.15
)

// open reads the annotations of -data, and divides the images where they are not divided.
func (s *settings) open() (*corpus, error) {
	o := boxes.Options{Decode: vision.DecodeOptions{ApplyOrientation: true}}
	if s.Skip {
		o.OnError = data.SkipErrors
	}
	p, err := boxset.Open(s.Data, o)
	if err != nil {
		if e := (*boxes.Error)(nil); errors.As(err, &e) && !s.Skip {
			err = fmt.Errorf("%w (-skip-errors leaves out what cannot be used)", err)
		}
		return nil, fmt.Errorf("-data: %w", err)
	}
	c := &corpus{format: p.Format, train: p.Train, validation: p.Validation, test: p.Test}
	var first []*boxes.Error
	c.skipped, first = p.Skipped()
	for _, e := range first {
		c.first = append(c.first, console.OneLine(e))
	}
	for _, d := range []**boxes.Dataset{&c.train, &c.validation, &c.test} {
		if *d == nil {
			continue
		}
		if *d, err = c.readable(*d, s.Skip); err != nil {
			return nil, fmt.Errorf("-data: %w", err)
		}
	}
	all := c.train.Len()
	apart := func(share float64, seed uint64) (*boxes.Dataset, error) {
		first, second, err := data.Split(make([]int, c.train.Len()), 1, share, seed)
		if err == nil && len(second) == 0 {
			err = fmt.Errorf("too few images (%d) to set some apart for validation and testing, expected at least 3", all)
		}
		if err != nil {
			return nil, fmt.Errorf("-data: %w", err)
		}
		part := c.train.Subset(second)
		c.train = c.train.Subset(first)
		return part, nil
	}
	if c.test == nil {
		if c.test, err = apart(testShare, s.Seed); err != nil {
			return nil, err
		}
	}
	if c.validation == nil {
		if c.validation, err = apart(validationShare, s.Seed+1); err != nil {
			return nil, err
		}
	}
	for _, part := range []struct {
		name   string
		images *boxes.Dataset
	}{{"training", c.train}, {"validation", c.validation}, {"testing", c.test}} {
		if countObjects(part.images) == 0 {
			return nil, fmt.Errorf("-data: none of the %d images for %s has an object", part.images.Len(), part.name)
		}
	}
	return c, nil
}

// readable returns the images whose headers can be read.
func (c *corpus) readable(d *boxes.Dataset, skip bool) (*boxes.Dataset, error) {
	var kept []int
	for i := range d.Len() {
		err := d.Check(i)
		switch {
		case err == nil:
			kept = append(kept, i)
		case !skip:
			return nil, fmt.Errorf("%s: %w (-skip-errors leaves out what cannot be used)", d.Name(i), err)
		default:
			c.skipped++
			c.first = append(c.first, console.OneLine(fmt.Errorf("%s: %w", d.Name(i), err)))
		}
	}
	if len(kept) == 0 {
		return nil, vision.ErrNoImages
	}
	return d.Subset(kept), nil
}

// countObjects returns the number of objects that count in training and in evaluations.
func countObjects(d *boxes.Dataset) (n int) {
	for i := range d.Len() {
		for _, o := range d.Objects(i) {
			if !o.Crowd {
				n++
			}
		}
	}
	return n
}

// fingerprint identifies a data set by the names and sizes of its images and the objects in them.
func fingerprint(d *boxes.Dataset) (string, error) {
	h := crc32.NewIEEE()
	fmt.Fprintf(h, "%q\n", d.Classes())
	for i := range d.Len() {
		height, width, err := d.Size(i)
		if err != nil {
			return "", err
		}
		fmt.Fprintln(h, d.Name(i), height, width, d.Objects(i))
	}
	return fmt.Sprintf("%d images in %d classes, %08x", d.Len(), len(d.Classes()), h.Sum32()), nil
}
