package metrics

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"

	"github.com/fovea-ml/fovea/internal/strictjson"
)

// COCOTruth is the ground truth in a COCO file: what is evaluated, with the file's ids. To train on such a file, read it
// with vision/boxes.
type COCOTruth struct {
	Images  []COCOImage
	Classes []COCOCategory // the categories, in the order of the file
	Objects []Object       // the annotations, in the order of the file
}

// COCOImage is an image in a COCO file.
type COCOImage struct {
	ID   int
	File string // "" when the file gives none
}

// COCOCategory is a category in a COCO file.
type COCOCategory struct {
	ID   int
	Name string // "" when the file gives none
}

// ImageIDs returns the ids of the images, for [COCOOptions].
func (t *COCOTruth) ImageIDs() []int {
	ids := make([]int, len(t.Images))
	for i, m := range t.Images {
		ids[i] = m.ID
	}
	return ids
}

// ReadCOCO reads a JSON file of instances in the format of COCO, such as instances_val2017.json. It reads the fields that
// evaluation needs:
//
//   - images: id and file_name
//   - annotations: image_id, category_id, bbox, area, which is the box's when it is absent, and iscrowd, 0 when it is absent
//   - categories: id and name
//
// Masks are passed over: boxes alone are evaluated. So is the field ignore, which pycocotools overwrites with iscrowd. An
// error names the element: its field, what was expected and what was found. An annotation of an unknown image or category is
// an error.
func ReadCOCO(r io.Reader) (*COCOTruth, error) {
	t := &COCOTruth{}
	var images, classes map[int]bool
	s := newListReader(r)
	err := s.object(map[string]func(i int, value []byte) error{
		"images": func(_ int, value []byte) error {
			var m struct {
				ID   *int    `json:"id"`
				File *string `json:"file_name"`
			}
			if err := strictjson.Decode(value, &m); err != nil {
				return err
			}
			image := COCOImage{}
			if m.File != nil {
				image.File = *m.File
			}
			err := oneID(&images, m.ID, &image.ID)
			t.Images = append(t.Images, image)
			return err
		},
		"categories": func(_ int, value []byte) error {
			var m struct {
				ID   *int    `json:"id"`
				Name *string `json:"name"`
			}
			if err := strictjson.Decode(value, &m); err != nil {
				return err
			}
			class := COCOCategory{}
			if m.Name != nil {
				class.Name = *m.Name
			}
			err := oneID(&classes, m.ID, &class.ID)
			t.Classes = append(t.Classes, class)
			return err
		},
		"annotations": func(_ int, value []byte) error {
			o, err := cocoObject(value)
			t.Objects = append(t.Objects, o)
			return err
		},
	})
	if err != nil {
		return nil, fmt.Errorf("metrics: COCO file: %w", err)
	}
	for i, o := range t.Objects {
		if !images[o.Image] {
			return nil, fmt.Errorf("metrics: COCO file: annotations[%d]: image_id is %d, which no image has", i, o.Image)
		}
		if !classes[o.Class] {
			return nil, fmt.Errorf("metrics: COCO file: annotations[%d]: category_id is %d, which no category has", i, o.Class)
		}
	}
	return t, nil
}

// oneID takes the id of an element into the set of those seen.
func oneID(seen *map[int]bool, id, to *int) error {
	if id == nil {
		return errors.New("no id")
	}
	if (*seen)[*id] {
		return fmt.Errorf("the id %d is given twice", *id)
	}
	if *seen == nil {
		*seen = map[int]bool{}
	}
	*to, (*seen)[*id] = *id, true
	return nil
}

// cocoObject reads an annotation.
func cocoObject(value []byte) (Object, error) {
	var m struct {
		Image *int            `json:"image_id"`
		Class *int            `json:"category_id"`
		Box   []float64       `json:"bbox"`
		Area  *float64        `json:"area"`
		Crowd json.RawMessage `json:"iscrowd"`
	}
	if err := strictjson.Decode(value, &m); err != nil {
		return Object{}, err
	}
	box, err := cocoBox(m.Image, m.Class, m.Box)
	if err != nil {
		return Object{}, err
	}
	o := Object{Image: *m.Image, Class: *m.Class, Box: box}
	if m.Area != nil {
		if o.Area = *m.Area; !(o.Area >= 0 && o.Area <= math.MaxFloat64) {
			return Object{}, fmt.Errorf("area is %v, expected a number from 0", o.Area)
		}
		if o.Area == 0 { // which would mean the area of the box
			o.Area = math.SmallestNonzeroFloat64
		}
	}
	switch string(m.Crowd) {
	case "1", "true":
		o.Crowd = true
	case "0", "false", "null", "":
	default:
		return Object{}, fmt.Errorf("iscrowd is %.20s, expected 0 or 1", m.Crowd)
	}
	return o, nil
}

// cocoBox checks what annotations and results have in common.
func cocoBox(image, class *int, box []float64) (Box, error) {
	switch {
	case image == nil:
		return Box{}, errors.New("no image_id")
	case class == nil:
		return Box{}, errors.New("no category_id")
	case box == nil:
		return Box{}, errors.New("no bbox; masks and key points alone are unsupported")
	case len(box) != 4:
		return Box{}, fmt.Errorf("bbox has %d numbers, expected 4: x, y, width and height", len(box))
	}
	for _, v := range box {
		if math.IsNaN(v - v) {
			return Box{}, fmt.Errorf("bbox is %v, expected finite numbers", box)
		}
	}
	return Box{box[0], box[1], box[2], box[3]}, nil
}

// ReadCOCOResults reads detections from a JSON file in COCO's format of results: a list of objects with image_id,
// category_id, bbox and score. Other fields are passed over. An error names the element: its field, what was expected and what
// was found.
func ReadCOCOResults(r io.Reader) ([]Detection, error) {
	var found []Detection
	s := newListReader(r)
	err := s.list("", func(_ int, value []byte) error {
		var m struct {
			Image *int      `json:"image_id"`
			Class *int      `json:"category_id"`
			Box   []float64 `json:"bbox"`
			Score *float64  `json:"score"`
		}
		if err := strictjson.Decode(value, &m); err != nil {
			return err
		}
		box, err := cocoBox(m.Image, m.Class, m.Box)
		if err != nil {
			return err
		}
		if m.Score == nil {
			return errors.New("no score: is it a list of annotations?")
		}
		if math.IsNaN(*m.Score - *m.Score) {
			return fmt.Errorf("score is %v, expected a finite number", *m.Score)
		}
		found = append(found, Detection{Image: *m.Image, Class: *m.Class, Box: box, Score: *m.Score})
		return nil
	})
	if err == nil {
		err = s.end()
	}
	if err != nil {
		return nil, fmt.Errorf("metrics: COCO results: %w", err)
	}
	return found, nil
}

// WriteCOCOResults writes detections as a JSON file in COCO's format of results. Numbers are written in full, so that
// [ReadCOCOResults] reads the same ones. A number that is not finite is an error; nothing more is written then.
func WriteCOCOResults(w io.Writer, detections []Detection) error {
	b := bufio.NewWriter(w)
	line := []byte{'['}
	for i := range detections {
		d := &detections[i]
		if err := checkDetections(nil, detections[i:i+1], nil); err != nil {
			return fmt.Errorf("metrics: COCO results: detection %d: box %v, score %v, expected finite numbers", i, d.Box, d.Score)
		}
		if i > 0 {
			line = append(line, ",\n"...)
		}
		line = strconv.AppendInt(append(line, `{"image_id":`...), int64(d.Image), 10)
		line = strconv.AppendInt(append(line, `,"category_id":`...), int64(d.Class), 10)
		line = append(line, `,"bbox":[`...)
		for j, v := range []float64{d.Box.X, d.Box.Y, d.Box.W, d.Box.H} {
			if j > 0 {
				line = append(line, ',')
			}
			line = strconv.AppendFloat(line, v, 'g', -1, 64)
		}
		line = strconv.AppendFloat(append(line, `],"score":`...), d.Score, 'g', -1, 64)
		line = append(line, '}')
		if _, err := b.Write(line); err != nil {
			return fmt.Errorf("metrics: COCO results: %w", err)
		}
		line = line[:0]
	}
	b.Write(append(line, "]\n"...)) // the error comes again from Flush
	if err := b.Flush(); err != nil {
		return fmt.Errorf("metrics: COCO results: %w", err)
	}
	return nil
}

// listReader reads lists of JSON values, one value after the other.
type listReader struct {
	d     *json.Decoder
	value json.RawMessage // its memory is used again
}

func newListReader(r io.Reader) *listReader {
	text := bufio.NewReaderSize(r, 1<<16)
	if mark, _ := text.Peek(3); bytes.Equal(mark, []byte("\ufeff")) { // which some editors write
		text.Discard(3)
	}
	return &listReader{d: json.NewDecoder(text)}
}

// object reads an object with one list for each key of the functions, and ignores its other keys. It ends the file.
func (s *listReader) object(add map[string]func(i int, value []byte) error) error {
	if t, err := s.d.Token(); err != nil {
		return ended(err)
	} else if t != json.Delim('{') {
		return errors.New("expected an object with images, annotations and categories, found another value: is it a file of results?")
	}
	seen := map[string]bool{}
	for s.d.More() {
		t, err := s.d.Token()
		if err != nil {
			return ended(err)
		}
		key := t.(string) // as the decoder checks
		if add[key] == nil {
			if err := s.d.Decode(&s.value); err != nil {
				return ended(err)
			}
			continue
		}
		if seen[key] {
			return fmt.Errorf("%s is given twice", key)
		}
		seen[key] = true
		if err := s.list(key, add[key]); err != nil {
			return err
		}
	}
	if _, err := s.d.Token(); err != nil { // }
		return ended(err)
	}
	for _, key := range []string{"images", "annotations", "categories"} {
		if !seen[key] {
			return fmt.Errorf("no list %s, expected images, annotations and categories", key)
		}
	}
	return s.end()
}

// list reads a list and calls add for each of its values. The text of a value is valid until add returns.
func (s *listReader) list(name string, add func(i int, value []byte) error) error {
	if t, err := s.d.Token(); err != nil {
		return ended(err)
	} else if t != json.Delim('[') {
		if name == "" {
			return errors.New("expected a list, found another value: is it a file of annotations?")
		}
		return fmt.Errorf("%s: expected a list", name)
	}
	for i := 0; s.d.More(); i++ {
		err := ended(s.d.Decode(&s.value))
		if err == nil {
			err = add(i, s.value)
		}
		if err != nil {
			return fmt.Errorf("%s[%d]: %w", name, i, err)
		}
	}
	_, err := s.d.Token() // ]
	return ended(err)
}

// end checks that nothing follows.
func (s *listReader) end() error {
	if _, err := s.d.Token(); err != io.EOF {
		return errors.New("text after the value")
	}
	return nil
}

// ended names the end of a file that is too early.
func ended(err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return errors.New("the file ends early")
	}
	return err
}
