package vision

import (
	"errors"
	"fmt"

	"github.com/fovea-ml/fovea/data"
	"github.com/fovea-ml/fovea/internal/printable"
)

// Dataset is a numbered list of labeled images. Its methods must be safe to call from several goroutines.
type Dataset interface {
	Len() int
	Classes() []string          // names, by label
	Label(i int) int            // 0 ≤ label < len(Classes()), or 0 where there are no classes
	Name(i int) string          // of the file or entry, for messages
	Open(i int) (*Image, error) // may be shared: callers must not write to it
}

// Kinds of unusable data set, for errors.Is.
var (
	// ErrNoImages: there are no images, or none that can be read.
	ErrNoImages = errors.New("no images")
	// ErrOneClass: all images have the same label, so that a classifier has nothing to learn.
	ErrOneClass = errors.New("only one class")
)

// Memory is a data set of images that are held in memory.
type Memory struct {
	Images     []*Image
	Labels     []int    // one per image; nil means that all are of class 0
	ClassNames []string // by label
	Names      []string // one per image; nil means their numbers
}

// Validate returns an error when the lists have different lengths, an image is malformed, or a label is out of range.
func (d *Memory) Validate() error {
	if len(d.Labels) != len(d.Images) && d.Labels != nil {
		return fmt.Errorf("vision: data set of %d images with %d labels", len(d.Images), len(d.Labels))
	}
	if len(d.Names) != len(d.Images) && d.Names != nil {
		return fmt.Errorf("vision: data set of %d images with %d names", len(d.Images), len(d.Names))
	}
	for i, m := range d.Images {
		if err := m.Validate(); err != nil {
			return fmt.Errorf("vision: data set: image %d: %w", i, err)
		}
	}
	for i, l := range d.Labels {
		if l < 0 || l >= len(d.ClassNames) {
			return fmt.Errorf("vision: data set: image %d has label %d of %d classes", i, l, len(d.ClassNames))
		}
	}
	return nil
}

// Len returns the number of images.
func (d *Memory) Len() int { return len(d.Images) }

// Classes returns the class names.
func (d *Memory) Classes() []string { return d.ClassNames }

// Label returns the label of image i.
func (d *Memory) Label(i int) int {
	if d.Labels == nil {
		return 0
	}
	return d.Labels[i]
}

// Name returns the name of image i, or its number in the form #i.
func (d *Memory) Name(i int) string {
	if d.Names == nil {
		return fmt.Sprintf("#%d", i)
	}
	return d.Names[i]
}

// Open returns image i itself.
func (d *Memory) Open(i int) (*Image, error) { return d.Images[i], nil }

// Subset is part of a data set, in an order of its own.
type Subset struct {
	Of      Dataset
	Indices []int // positions in Of
}

// Len returns the number of images.
func (d *Subset) Len() int { return len(d.Indices) }

// Classes returns the class names of the whole.
func (d *Subset) Classes() []string { return d.Of.Classes() }

// Label returns the label of image i of the subset.
func (d *Subset) Label(i int) int { return d.Of.Label(d.Indices[i]) }

// Name returns the name of image i of the subset.
func (d *Subset) Name(i int) string { return d.Of.Name(d.Indices[i]) }

// Open returns image i of the subset.
func (d *Subset) Open(i int) (*Image, error) { return d.Of.Open(d.Indices[i]) }

// labelOf returns the label of image i, or an error when it is not one of the classes. A data set without classes has the
// label 0 alone.
func labelOf(d Dataset, i, classes int) (int, error) {
	l := d.Label(i)
	switch {
	case l >= 0 && l < max(classes, 1):
		return l, nil
	case classes == 0:
		return 0, fmt.Errorf("image %d, %s, has label %d, expected 0: the data set has no classes", i, printable.Name(d.Name(i)), l)
	}
	return 0, fmt.Errorf("image %d, %s, has label %d, expected 0 to %d for %d classes", i, printable.Name(d.Name(i)), l, classes-1, classes)
}

// Split divides a data set at random into two, class by class. Of the n images of a class, ⌊n·share + ½⌋ go into
// second: at least one when share is above 0 and there are two or more. At least one stays in first. Both keep the
// order of d. The division depends on seed, on each class's size and on nothing else.
//
// It returns an error when share is not in [0, 1), for a label that is not one of the classes, and when share is above 0
// and no class has two images, so that second would be empty.
func Split(d Dataset, share float64, seed uint64) (first, second *Subset, err error) {
	if !(share >= 0 && share < 1) {
		return nil, nil, fmt.Errorf("vision: split: share %v, expected 0 ≤ share < 1", share)
	}
	classes := len(d.Classes())
	labels := make([]int, d.Len())
	for i := range labels {
		if labels[i], err = labelOf(d, i, classes); err != nil {
			return nil, nil, fmt.Errorf("vision: split: %w", err)
		}
	}
	one, two, err := data.Split(labels, max(classes, 1), share, seed)
	if err != nil {
		return nil, nil, fmt.Errorf("vision: split: %w", err)
	}
	first, second = &Subset{Of: d, Indices: one}, &Subset{Of: d, Indices: two}
	if share > 0 && second.Len() == 0 {
		return nil, nil, errors.New("vision: split: no class has two images, expected one for each part")
	}
	return first, second, nil
}
