package vision

import (
	"errors"
	"fmt"
	"io/fs"
	"path"

	"github.com/fovea-ml/fovea/data"
	"github.com/fovea-ml/fovea/internal/printable"
)

// Captioned is a data set whose images have captions, such as [Pairs] and [Shards]. A [Loader] draws one caption of each
// image. The methods must be safe to call from several goroutines.
type Captioned interface {
	Dataset
	// Captions returns the captions of image i, at least one, or an error.
	Captions(i int) ([]string, error)
}

// ErrNoCaption: an image has no caption, or only empty ones.
var ErrNoCaption = errors.New("no caption")

// captioned returns d as a data set with captions, or nil. A Subset has captions where the whole has.
func captioned(d Dataset) Captioned {
	if s, ok := d.(*Subset); ok && captioned(s.Of) == nil {
		return nil
	}
	c, _ := d.(Captioned)
	return c
}

// Captions returns the captions of image i of the subset. It is an error when the whole has no captions.
func (d *Subset) Captions(i int) ([]string, error) {
	c := captioned(d.Of)
	if c == nil {
		return nil, fmt.Errorf("vision: the data set has no captions: %w", ErrNoCaption)
	}
	return c.Captions(d.Indices[i])
}

// drawCaption returns one of the captions of image i, each equally likely.
func drawCaption(d Captioned, i int, r *data.Rand) (string, error) {
	captions, err := d.Captions(i)
	switch {
	case err != nil:
		return "", err
	case len(captions) == 0:
		return "", ErrNoCaption
	case len(captions) == 1:
		return captions[0], nil
	}
	return captions[r.IntN(len(captions))], nil
}

// PairOptions says how a table of paths and captions is read. The zero value finds the columns by their names and content.
type PairOptions struct {
	// Path and Caption name the columns, as in [CSVOptions]. An empty Caption means the first column called caption, title,
	// text or comment, or the only other column. Without a header it is the second column, after a path in the first.
	// (open_clip's tables have the columns filepath and title.)
	Path, Caption string
	NoHeader      bool   // as in CSVOptions
	Comma         rune   // between columns, as in CSVOptions
	Extension     string // added to each path, for tables of names without one
	// Decode is passed to DecodeFile.
	Decode DecodeOptions
}

// Pairs are images in files with their captions, from a table: see [OpenPairs]. They have no classes.
type Pairs struct {
	images   Folder
	captions [][]string
}

// OpenPairs reads a table of images and captions. Each row has the path of an image, relative to the folder of the table,
// and a caption. Spaces around them are cut off. A path must stay inside fsys. Rows of the same path are one image with
// several captions; the images keep the order in which they first appear.
//
// Errors name the line, and match [ErrNoImages] when there are no rows. The images are not opened. A missing or corrupted
// file gives an error from Open, and an image without any caption gives one from Captions, which matches [ErrNoCaption]. So a
// Loader with data.SkipErrors skips and counts both.
func OpenPairs(fsys fs.FS, name string, o PairOptions) (*Pairs, error) {
	d := &Pairs{images: Folder{fsys: fsys, where: "table " + printable.Name(name), options: FolderOptions{Decode: o.Decode}}}
	images := &d.images
	t := table{
		fsys: fsys, dir: path.Dir(name), noHeader: o.NoHeader, extension: o.Extension,
		path:  column{what: "path", option: "PairOptions.Path", name: o.Path, usual: pathColumns},
		value: column{what: "caption", option: "PairOptions.Caption", name: o.Caption, usual: captionColumns},
	}
	number := map[string]int{}
	err := t.read(name, o.Comma, func(file, caption string) {
		i, ok := number[file]
		if !ok {
			i = len(images.files)
			number[file] = i
			images.files, images.labels, d.captions = append(images.files, file), append(images.labels, 0), append(d.captions, nil)
		}
		if caption != "" {
			d.captions[i] = append(d.captions[i], caption)
		}
	})
	if err != nil {
		return nil, fmt.Errorf("vision: %s: %w", images.where, err)
	}
	if len(images.files) == 0 {
		return nil, fmt.Errorf("vision: %s has no rows: %w", images.where, ErrNoImages)
	}
	return d, nil
}

// Len returns the number of images.
func (d *Pairs) Len() int { return d.images.Len() }

// Classes returns nil.
func (d *Pairs) Classes() []string { return nil }

// Label returns 0.
func (d *Pairs) Label(int) int { return 0 }

// Name returns the path of image i in the file system.
func (d *Pairs) Name(i int) string { return d.images.Name(i) }

// Open decodes image i.
func (d *Pairs) Open(i int) (*Image, error) { return d.images.Open(i) }

// Captions returns the captions of image i, in the order of their rows. The caller must not write to them.
func (d *Pairs) Captions(i int) ([]string, error) {
	if len(d.captions[i]) == 0 {
		return nil, fmt.Errorf("vision: %s: %s: %w", d.images.where, printable.Name(d.Name(i)), ErrNoCaption)
	}
	return d.captions[i], nil
}
