package boxes

import (
	"fmt"
	"io/fs"
	"math"
	"path"
	"strings"

	"github.com/fovea-ml/fovea/data"
	"github.com/fovea-ml/fovea/internal/printable"
	"github.com/fovea-ml/fovea/internal/smallfile"
	"github.com/fovea-ml/fovea/metrics"
	"github.com/fovea-ml/fovea/vision"
)

// Box is a rectangle in pixels, from its left and upper edges to its right and lower ones.
type Box struct{ X0, Y0, X1, Y1 float64 }

// Object is an object in an image: its box, its class and its attributes.
type Object struct {
	Box   Box
	Label int // 0 ≤ Label < len(Classes())
	// Area is the number of pixels that the object covers. It is COCO's area of the mask where that is given, and otherwise
	// that of the box.
	Area      float64
	Crowd     bool // the box holds many objects (COCO's iscrowd)
	Difficult bool // evaluations leave it out (VOC)
	Truncated bool // the object goes on outside the box (VOC)
	Occluded  bool // something hides a part of it (VOC)
}

// Options says how a data set is read. The zero value refuses every annotation that cannot be used.
type Options struct {
	// Classes are the names that may occur, in the order of their labels. Empty means those of the data set. Another name is
	// an error, or is left out with SkipErrors.
	Classes []string
	// OnError is data.StopOnError to end with the first annotation that cannot be used, and data.SkipErrors to leave it out.
	OnError data.ErrorPolicy
	// Decode is passed to vision.DecodeFile. Boxes are those of the whole image, so ReduceTo must be 0.
	Decode vision.DecodeOptions
}

func (o *Options) check() error {
	if o.Decode.ReduceTo != 0 {
		return fmt.Errorf("boxes: Decode.ReduceTo is %d, expected 0: boxes are those of the whole image", o.Decode.ReduceTo)
	}
	if o.OnError > data.SkipErrors {
		return fmt.Errorf("boxes: unknown error policy %v", o.OnError)
	}
	if twice := len(o.Classes) - len(numbered(o.Classes)); twice > 0 {
		return fmt.Errorf("boxes: %d of the %d classes are given twice", twice, len(o.Classes))
	}
	return nil
}

// Error reports a file or an annotation that cannot be used.
type Error struct {
	File  string // in the file system
	Where string // the place in the file, such as "line 24, object 2"; "" for the whole file
	Err   error
}

func (e *Error) Error() string {
	where := printable.Name(e.File)
	if e.Where != "" {
		where += ": " + e.Where
	}
	return fmt.Sprintf("boxes: %s: %v", where, e.Err)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Dataset is a numbered list of images and the objects in them. It does not change, and any number of goroutines may use it.
type Dataset struct {
	fsys    fs.FS
	options Options
	classes []string
	ids     []int // of the classes, in a COCO file; nil for other formats
	images  []annotated
	skipped []*Error // the first of them
	left    int      // that are left out
}

// annotated is an image and its objects.
type annotated struct {
	id            int // in a COCO file
	file          string
	height, width int // as the annotation states them; 0 when it does not
	objects       []Object
}

// Len returns the number of images. Images without objects count.
func (d *Dataset) Len() int { return len(d.images) }

// Classes returns the names of the classes, by label.
func (d *Dataset) Classes() []string { return d.classes }

// Name returns the path of image i.
func (d *Dataset) Name(i int) string { return d.images[i].file }

// Objects returns the objects in image i, in the order of the file. They must not be changed.
func (d *Dataset) Objects(i int) []Object { return d.images[i].objects }

// ImageID returns the id of image i in its COCO file. In other formats it is i.
func (d *Dataset) ImageID(i int) int {
	if d.ids == nil {
		return i
	}
	return d.images[i].id
}

// ClassID returns the id of a label's category in the COCO file, -1 for a name of Options.Classes that the file lacks. In other
// formats it is the label.
func (d *Dataset) ClassID(label int) int {
	if d.ids == nil {
		return label
	}
	return d.ids[label]
}

// Truth returns all objects for an evaluation, such as [metrics.COCO]. Their Image is the number of the image, and their Class
// the label. For COCO's server, replace the Image of each detection by ImageID(Image), and its Class by ClassID(Class).
func (d *Dataset) Truth() []metrics.Object {
	var all []metrics.Object
	for i, m := range d.images {
		for _, o := range m.objects {
			all = append(all, metrics.Object{Image: i, Class: o.Label, Box: metrics.Corners(o.Box.X0, o.Box.Y0, o.Box.X1, o.Box.Y1),
				Area: max(o.Area, math.SmallestNonzeroFloat64), Crowd: o.Crowd, Difficult: o.Difficult})
		}
	}
	return all
}

// Open decodes image i.
func (d *Dataset) Open(i int) (*vision.Image, error) {
	return vision.DecodeFile(d.fsys, d.images[i].file, d.options.Decode)
}

// Skipped returns how many images and objects were left out because of data.SkipErrors, and why: the first thousand errors, in
// the order of reading.
func (d *Dataset) Skipped() (total int, first []*Error) { return d.left, d.skipped }

// maxErrors bounds the errors that are kept, and maxClasses the names. In a hostile file, each costs a few bytes.
const (
	maxErrors  = 1000
	maxClasses = 100_000
)

// reject returns the error about an annotation that cannot be used, or notes it and returns nil, as the options say.
func (d *Dataset) reject(e *Error) error {
	if d.options.OnError == data.StopOnError {
		return e
	}
	if d.left++; len(d.skipped) < maxErrors {
		d.skipped = append(d.skipped, e)
	}
	return nil
}

// numbered returns the labels by name.
func numbered(classes []string) map[string]int {
	byName := make(map[string]int, len(classes))
	for i, name := range classes {
		byName[name] = i
	}
	return byName
}

// finish returns the data set, or an error when it has no images.
func (d *Dataset) finish(file string) (*Dataset, error) {
	label := make(map[string]int, len(d.classes))
	for i, name := range d.classes {
		if first, twice := label[name]; twice {
			return nil, &Error{File: file, Err: fmt.Errorf("the labels %d and %d have the same name, %q: set Options.Classes", first, i, shortened(name))}
		}
		label[name] = i
	}
	if len(d.images) > 0 {
		return d, nil
	}
	err := vision.ErrNoImages
	if d.left > 0 {
		return nil, fmt.Errorf("boxes: %s: %w, %d are left out, the first with: %w", printable.Name(file), err, d.left, d.skipped[0])
	}
	return nil, &Error{File: file, Err: err}
}

// check returns an error for a box that is not finite, has no area, or lies outside an image of the given size. A size of 0
// is unknown.
func (b Box) check(height, width int) error {
	for _, v := range []float64{b.X0, b.Y0, b.X1, b.Y1} {
		if math.IsNaN(v) || math.Abs(v) > 1<<30 {
			return fmt.Errorf("the box %v, expected coordinates of an image", b)
		}
	}
	switch {
	case !(b.X0 < b.X1 && b.Y0 < b.Y1):
		return fmt.Errorf("the box has a width of %v and a height of %v pixels, expected more than 0", b.X1-b.X0, b.Y1-b.Y0)
	case height > 0 && width > 0 && !(b.X1 > 0 && b.Y1 > 0 && b.X0 < float64(width) && b.Y0 < float64(height)):
		return fmt.Errorf("the box from (%v, %v) to (%v, %v) lies outside the image of %d×%d pixels", b.X0, b.Y0, b.X1, b.Y1, width, height)
	}
	return nil
}

// area returns the number of pixels in the box.
func (b Box) area() float64 { return float64((b.X1 - b.X0) * (b.Y1 - b.Y0)) } // not fused with what follows

// local returns the path of a file in a folder of the file system. It reports false for one that leads elsewhere.
func local(folder, name string) (string, bool) {
	name = strings.ReplaceAll(name, `\`, "/")
	p := path.Join(folder, name)
	return p, name != "" && !path.IsAbs(name) && p != "." && fs.ValidPath(p)
}

// byteOrderMark begins the texts that some editors write.
const byteOrderMark = "\ufeff"

// readText reads a small file.
func readText(fsys fs.FS, name string) (string, error) {
	data, err := smallfile.Read(fsys, name)
	return strings.TrimPrefix(string(data), byteOrderMark), err
}

// isFolder reports whether a folder exists.
func isFolder(fsys fs.FS, name string) bool {
	st, err := fs.Stat(fsys, name)
	return err == nil && st.IsDir()
}
