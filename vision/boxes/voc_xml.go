package boxes

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
)

// vocFile is an annotation in XML.
type vocFile struct {
	file, image   string
	height, width int // 0 when the file does not say
	objects       []vocObject
}

// vocObject is an object of a file.
type vocObject struct {
	number, line int // in the file, from 1
	name         string
	object       Object // without its label
	err          error  // why it cannot be used
}

// vocElement holds the texts of the elements of an object. Slices are for elements that must come once.
type vocElement struct {
	Name      []string `xml:"name"`
	Difficult []string `xml:"difficult"`
	Truncated []string `xml:"truncated"`
	Occluded  []string `xml:"occluded"`
	Boxes     []struct {
		XMin []string `xml:"xmin"`
		YMin []string `xml:"ymin"`
		XMax []string `xml:"xmax"`
		YMax []string `xml:"ymax"`
	} `xml:"bndbox"`
}

// parseVOC reads the elements of an annotation. The Error has no File.
func parseVOC(data []byte) (*vocFile, *Error) {
	f := new(vocFile)
	d := xml.NewDecoder(bytes.NewReader(data))
	fail := func(err error) (*vocFile, *Error) {
		line, _ := d.InputPos()
		if syntax := (*xml.SyntaxError)(nil); errors.As(err, &syntax) {
			line, err = syntax.Line, errors.New(syntax.Msg)
		}
		return nil, &Error{Where: fmt.Sprintf("line %d", line), Err: err}
	}
	depth := 0 // 1 inside <annotation>
	for ended := false; ; {
		token, err := d.Token()
		if err == io.EOF && ended {
			for i := range f.objects {
				if o := &f.objects[i]; o.err == nil {
					o.err = o.object.Box.check(f.height, f.width)
				}
			}
			return f, nil
		}
		if err == io.EOF {
			err = errors.New("the file ends early, or holds no XML")
		}
		if err != nil {
			return fail(err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			if depth == 0 {
				if ended || token.Name.Local != "annotation" {
					return fail(fmt.Errorf("the element <%s>, expected one <annotation>", token.Name.Local))
				}
				depth++
				continue
			}
			switch token.Name.Local {
			case "object":
				err = f.addObject(d, &token)
			case "size":
				err = f.readSize(d, &token)
			default:
				err = d.Skip()
			}
			if err != nil {
				return fail(err)
			}
		case xml.EndElement:
			depth--
			ended = true
		case xml.CharData:
			if ended && len(bytes.TrimSpace(token)) > 0 {
				return fail(errors.New("text behind </annotation>"))
			}
		}
	}
}

// readSize reads the element <size>. Some tools write 0 where they do not know.
func (f *vocFile) readSize(d *xml.Decoder, start *xml.StartElement) error {
	var texts struct {
		Height []string `xml:"height"`
		Width  []string `xml:"width"`
	}
	if err := d.DecodeElement(&texts, start); err != nil {
		return err
	}
	for _, side := range []struct {
		name  string
		texts []string
		into  *int
	}{{"height", texts.Height, &f.height}, {"width", texts.Width, &f.width}} {
		if len(side.texts) == 0 {
			continue
		}
		v, err := number(side.name, side.texts)
		if err != nil {
			return err
		}
		*side.into = int(min(max(v, 0), 1<<30))
	}
	return nil
}

func (o *vocObject) where() string {
	return fmt.Sprintf("line %d, object %d (%q)", o.line, o.number, shortened(o.name))
}

// addObject reads an element <object>. Without the elements that every object has, the file is not used. An object whose
// values make no sense has an error of its own.
func (f *vocFile) addObject(d *xml.Decoder, start *xml.StartElement) error {
	line, _ := d.InputPos()
	var e vocElement
	if err := d.DecodeElement(&e, start); err != nil {
		return err
	}
	o := vocObject{number: len(f.objects) + 1, line: line}
	if len(e.Name) == 1 {
		o.name = strings.TrimSpace(e.Name[0])
	}
	if o.name == "" {
		return fmt.Errorf("object %d has %d elements <name>, expected one with text", o.number, len(e.Name))
	}
	if len(e.Boxes) != 1 {
		return fmt.Errorf("object %d (%q) has %d elements <bndbox>, expected one", o.number, shortened(o.name), len(e.Boxes))
	}
	sides := []struct {
		name  string
		texts []string
		into  *float64
	}{
		{"xmin", e.Boxes[0].XMin, &o.object.Box.X0}, {"ymin", e.Boxes[0].YMin, &o.object.Box.Y0},
		{"xmax", e.Boxes[0].XMax, &o.object.Box.X1}, {"ymax", e.Boxes[0].YMax, &o.object.Box.Y1},
	}
	for _, side := range sides {
		if len(side.texts) != 1 {
			return fmt.Errorf("object %d (%q) has %d elements <%s>, expected one", o.number, shortened(o.name), len(side.texts), side.name)
		}
		if v, err := number(side.name, side.texts); err != nil {
			o.err = err
		} else {
			*side.into = v
		}
	}
	// From inclusive pixels, counted from 1, to edges.
	o.object.Box.X0--
	o.object.Box.Y0--
	o.object.Area = o.object.Box.area()
	for _, flag := range []struct {
		name  string
		texts []string
		into  *bool
	}{{"difficult", e.Difficult, &o.object.Difficult}, {"truncated", e.Truncated, &o.object.Truncated}, {"occluded", e.Occluded, &o.object.Occluded}} {
		v, err := yes(flag.name, flag.texts)
		if *flag.into = v; err != nil {
			o.err = err
		}
	}
	f.objects = append(f.objects, o)
	return nil
}

// number reads the number in an element that must come once.
func number(name string, texts []string) (float64, error) {
	if len(texts) != 1 {
		return 0, fmt.Errorf("%d elements <%s>, expected one", len(texts), name)
	}
	v, err := strconv.ParseFloat(strings.TrimSpace(texts[0]), 64)
	if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
		return 0, fmt.Errorf("%s is %q, expected a number", name, shortened(texts[0]))
	}
	return v, nil
}

// yes reads a flag. Some tools leave it empty or write "Unspecified", which means false.
func yes(name string, texts []string) (bool, error) {
	if len(texts) == 0 {
		return false, nil
	}
	if len(texts) > 1 {
		return false, fmt.Errorf("%d elements <%s>, expected one", len(texts), name)
	}
	switch strings.ToLower(strings.TrimSpace(texts[0])) {
	case "1", "true":
		return true, nil
	case "0", "false", "", "unspecified":
		return false, nil
	}
	return false, fmt.Errorf("%s is %q, expected 0 or 1", name, shortened(texts[0]))
}

// shortened cuts a text for a message.
func shortened(text string) string {
	const most = 40
	if len(text) > most {
		return text[:most] + "…"
	}
	return text
}
