package boxes

import (
	"bufio"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"

	"github.com/fovea-ml/fovea/internal/strictjson"
)

// OpenCOCO reads a JSON file of instances in the format of COCO, such as annotations/instances_val2017.json. images is the
// folder in which its images lie; "" means the folder of the file. The images keep the order of the file.
//
// Of the file, the fields are used that say where objects are:
//
//   - images: id and file_name, and height and width to check the boxes, where they are given
//   - annotations: image_id, category_id and bbox; area, which is the box's where it is absent; and iscrowd, which is then 0
//   - categories: id and name
//
// Labels are the categories in the order of their ids, or o.Classes. Masks and key points are ignored. The images are not
// opened: a missing file gives an error from Open.
//
// Errors about the file are of type *[Error].
func OpenCOCO(fsys fs.FS, file, images string, o Options) (*Dataset, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	if images == "" {
		images = path.Dir(file)
	}
	st, err := fs.Stat(fsys, file)
	if err == nil && !st.Mode().IsRegular() { // opening a pipe would wait for a writer
		err = errors.New("expected a file, found a folder, a device or a pipe")
	}
	if err != nil {
		return nil, &Error{File: file, Err: err}
	}
	f, err := fsys.Open(file)
	if err != nil {
		return nil, &Error{File: file, Err: err}
	}
	defer f.Close()
	d := &Dataset{fsys: fsys, options: o, classes: o.Classes}
	c := coco{d: d, file: file, folder: images}
	text := bufio.NewReaderSize(f, 1<<16)
	if mark, _ := text.Peek(len(byteOrderMark)); string(mark) == byteOrderMark {
		text.Discard(len(byteOrderMark))
	}
	j := json.NewDecoder(text)
	if err := c.read(j); err != nil {
		if e := (*Error)(nil); !errors.As(err, &e) {
			err = &Error{file, fmt.Sprintf("byte %d", j.InputOffset()), err}
		}
		return nil, err
	}
	if err := c.connect(); err != nil {
		return nil, err
	}
	return d.finish(file)
}

// coco is a file as it is read. Its lists come in any order.
type coco struct {
	d            *Dataset
	file, folder string
	images       []cocoImage
	annotations  []cocoAnnotation
	categories   []cocoCategory
}

// cocoImage is an element of images.
type cocoImage struct {
	id            int
	file          string
	height, width int // 0 when the file does not say
}

// cocoCategory is an element of categories.
type cocoCategory struct {
	id   int
	name string
}

// cocoAnnotation is an element of annotations.
type cocoAnnotation struct {
	number          int // in the list
	image, category int // ids
	box             Box
	area            float64
	crowd           bool
}

// read reads the lists, one element after the other: a file holds gigabytes of masks, which are passed over.
func (c *coco) read(d *json.Decoder) error {
	if token, err := d.Token(); err != nil {
		return ended(err)
	} else if token != json.Delim('{') {
		return errors.New("expected an object with images, annotations and categories, found another value: is it a file of results?")
	}
	seen := map[string]bool{}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return ended(err)
		}
		var add func(i int, value []byte) error
		switch key {
		case "images":
			add = c.addImage
		case "annotations":
			add = c.addAnnotation
		case "categories":
			add = c.addCategory
		default:
			if err := skip(d); err != nil {
				return ended(err)
			}
			continue
		}
		if seen[key.(string)] {
			return fmt.Errorf("%s is given twice", key)
		}
		seen[key.(string)] = true
		if token, err := d.Token(); err != nil {
			return ended(err)
		} else if token != json.Delim('[') {
			return fmt.Errorf("%s: expected a list", key)
		}
		var value json.RawMessage // its memory is used again
		for i := 0; d.More(); i++ {
			if err := d.Decode(&value); err != nil {
				return ended(err)
			}
			if err := add(i, value); err != nil {
				if err := c.d.reject(&Error{c.file, fmt.Sprintf("%s[%d]", key, i), err}); err != nil {
					return err
				}
			}
		}
		if _, err := d.Token(); err != nil { // ]
			return ended(err)
		}
	}
	if _, err := d.Token(); err != nil { // }
		return ended(err)
	}
	for _, key := range []string{"images", "annotations", "categories"} {
		if !seen[key] {
			return fmt.Errorf("no list %s, expected images, annotations and categories", key)
		}
	}
	if _, err := d.Token(); err != io.EOF {
		return errors.New("text behind the object")
	}
	return nil
}

// skip reads a value of which nothing is used.
func skip(d *json.Decoder) error {
	depth := 0
	for {
		token, err := d.Token()
		if err != nil {
			return err
		}
		switch token {
		case json.Delim('{'), json.Delim('['):
			depth++
		case json.Delim('}'), json.Delim(']'):
			depth--
		}
		if depth == 0 {
			return nil
		}
	}
}

// ended names the end of a file that is too early.
func ended(err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return errors.New("the file ends early")
	}
	return err
}

func (c *coco) addImage(_ int, value []byte) error {
	var m struct {
		ID     *int    `json:"id"`
		File   *string `json:"file_name"`
		Height *int    `json:"height"`
		Width  *int    `json:"width"`
	}
	if err := strictjson.Decode(value, &m); err != nil {
		return err
	}
	if m.ID == nil || m.File == nil {
		return errors.New("no id or no file_name")
	}
	file, ok := local(c.folder, *m.File)
	if !ok {
		return fmt.Errorf("file_name is %q, expected a path that is relative to the folder of images", shortened(*m.File))
	}
	image := cocoImage{id: *m.ID, file: file}
	if m.Height != nil && m.Width != nil {
		if image.height, image.width = *m.Height, *m.Width; image.height < 0 || image.width < 0 {
			return fmt.Errorf("the height is %d and the width %d", image.height, image.width)
		}
	}
	c.images = append(c.images, image)
	return nil
}

func (c *coco) addCategory(_ int, value []byte) error {
	var m struct {
		ID   *int    `json:"id"`
		Name *string `json:"name"`
	}
	if err := strictjson.Decode(value, &m); err != nil {
		return err
	}
	if m.ID == nil || m.Name == nil {
		return errors.New("no id or no name")
	}
	if len(c.categories) == maxClasses {
		return fmt.Errorf("more than %d categories", maxClasses)
	}
	c.categories = append(c.categories, cocoCategory{*m.ID, *m.Name})
	return nil
}

func (c *coco) addAnnotation(i int, value []byte) error {
	var m struct {
		Image    *int            `json:"image_id"`
		Category *int            `json:"category_id"`
		Box      []float64       `json:"bbox"`
		Area     *float64        `json:"area"`
		Crowd    json.RawMessage `json:"iscrowd"`
	}
	if err := strictjson.Decode(value, &m); err != nil {
		return err
	}
	switch {
	case m.Image == nil:
		return errors.New("no image_id")
	case m.Category == nil:
		return errors.New("no category_id")
	case len(m.Box) != 4:
		return fmt.Errorf("bbox has %d numbers, expected 4: x, y, width and height", len(m.Box))
	}
	a := cocoAnnotation{number: i, image: *m.Image, category: *m.Category}
	a.box = Box{m.Box[0], m.Box[1], m.Box[0] + m.Box[2], m.Box[1] + m.Box[3]}
	a.area = m.Box[2] * m.Box[3]
	if m.Area != nil {
		if a.area = *m.Area; !(a.area >= 0 && a.area <= 1<<60) {
			return fmt.Errorf("area is %v", a.area)
		}
	}
	switch string(m.Crowd) {
	case "1", "true":
		a.crowd = true
	case "0", "false", "null", "":
	default:
		return fmt.Errorf("iscrowd is %s, expected 0 or 1", shortened(string(m.Crowd)))
	}
	c.annotations = append(c.annotations, a)
	return nil
}

// connect adds the images, their objects, and the classes to the data set.
func (c *coco) connect() error {
	d := c.d
	slices.SortStableFunc(c.categories, func(a, b cocoCategory) int { return cmp.Compare(a.id, b.id) })
	given, byName := len(d.classes) > 0, numbered(d.classes)
	d.ids = make([]int, len(d.classes))
	for i := range d.ids {
		d.ids[i] = -1
	}
	byID := make(map[int]int, len(c.categories)) // labels; -1 for a name that is not among the classes
	for i, m := range c.categories {
		if _, twice := byID[m.id]; twice {
			return &Error{c.file, "categories", fmt.Errorf("the id %d is given twice", m.id)}
		}
		label, known := byName[m.name]
		switch {
		case !given:
			label = i
			d.classes, d.ids = append(d.classes, m.name), append(d.ids, m.id)
		case !known:
			label = -1
		default:
			d.ids[label] = m.id
		}
		byID[m.id] = label
	}
	at := make(map[int]int, len(c.images)) // in c.images, by id
	place := make([]int, len(c.images))    // in d.images
	for i, m := range c.images {
		if _, twice := at[m.id]; twice {
			if err := d.reject(&Error{c.file, "images", fmt.Errorf("the id %d is given twice", m.id)}); err != nil {
				return err
			}
			continue
		}
		at[m.id] = i
		place[i] = len(d.images)
		d.images = append(d.images, annotated{id: m.id, file: m.file, height: m.height, width: m.width})
	}
	for _, a := range c.annotations {
		image, known := at[a.image]
		label, named := byID[a.category]
		var err error
		switch {
		case !known:
			err = fmt.Errorf("image_id is %d, which no image has", a.image)
		case !named:
			err = fmt.Errorf("category_id is %d, which no category has", a.category)
		case label < 0:
			err = fmt.Errorf("category_id is %d, whose name is not among the %d classes", a.category, len(d.classes))
		default:
			err = a.box.check(c.images[image].height, c.images[image].width)
		}
		if err != nil {
			if err := d.reject(&Error{c.file, fmt.Sprintf("annotations[%d]", a.number), err}); err != nil {
				return err
			}
			continue
		}
		m := &d.images[place[image]]
		m.objects = append(m.objects, Object{Box: a.box, Label: label, Area: a.area, Crowd: a.crowd})
	}
	return nil
}
