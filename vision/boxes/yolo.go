package boxes

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/fovea-ml/fovea/vision"
)

// OpenYOLO reads a folder of images, with a text file for each: a line "class x y width height" for each object, of which
// the last four are shares of the image's width and height, and x and y are the center. images is the folder, such as
// "images/train", at any depth; "." is the root. Lines of polygons or with confidences are errors. As in ultralytics, a
// line that a file repeats counts once, a class may be written as 1.0, and shares up to 1.01 pass.
//
// The text files lie in the folder that has "labels" in place of the last "images" in the path, such as "labels/train", or
// else beside the images. An image without a text file has no objects; when that is true of all, it is an error.
//
// The names of the classes are o.Classes, or else those of a .yaml file in the root that holds names, or else the lines of
// classes.txt or obj.names in the root or beside the text files. Images are opened upright, whatever o.Decode says,
// because the tools that draw such boxes show them so. Their sizes are read from their headers.
//
// Errors about files are of type *[Error], or match [vision.ErrNoImages].
func OpenYOLO(fsys fs.FS, images string, o Options) (*Dataset, error) {
	o.Decode.ApplyOrientation = true
	if err := o.check(); err != nil {
		return nil, err
	}
	below, err := fs.Sub(fsys, images)
	if err != nil {
		return nil, fmt.Errorf("boxes: %w", err)
	}
	found, err := vision.OpenFolder(below, vision.FolderOptions{Unlabeled: true})
	if err != nil {
		return nil, &Error{File: images, Err: err}
	}
	labels := images
	if parts := strings.Split(images, "/"); slices.Contains(parts, "images") {
		for i := len(parts) - 1; ; i-- {
			if parts[i] == "images" {
				parts[i] = "labels"
				break
			}
		}
		if other := strings.Join(parts, "/"); isFolder(fsys, other) {
			labels = other
		}
	}
	d := &Dataset{fsys: fsys, options: o, classes: o.Classes}
	if len(d.classes) == 0 {
		if d.classes, err = yoloClasses(fsys, labels); err != nil {
			return nil, err
		}
	}
	texts := 0
	for i := range found.Len() {
		name := found.Name(i)
		image := annotated{file: path.Join(images, name)}
		file := path.Join(labels, strings.TrimSuffix(name, path.Ext(name))+".txt")
		data, err := readText(fsys, file)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			err = &Error{File: file, Err: err}
		default:
			texts++
			err = d.addYOLO(&image, file, data)
		}
		if e := (*Error)(nil); errors.As(err, &e) {
			if err := d.reject(e); err != nil {
				return nil, err
			}
			continue
		}
		d.images = append(d.images, image)
	}
	if texts == 0 {
		return nil, &Error{File: labels, Err: fmt.Errorf("no text file for any of the %d images in the folder %s, expected one such as %s.txt", found.Len(), images, strings.TrimSuffix(found.Name(0), path.Ext(found.Name(0))))}
	}
	return d.finish(images)
}

// addYOLO reads the objects of an image.
func (d *Dataset) addYOLO(image *annotated, file, text string) error {
	if strings.TrimSpace(text) == "" {
		return nil
	}
	height, width, err := vision.DecodeSize(d.fsys, image.file, d.options.Decode)
	if err != nil {
		return &Error{File: image.file, Err: err}
	}
	number, seen := 0, map[Object]bool{}
	for line := range strings.Lines(text) {
		number++
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		o, err := parseYOLO(line, height, width, len(d.classes))
		if err != nil {
			if err := d.reject(&Error{file, fmt.Sprintf("line %d", number), err}); err != nil {
				return err
			}
			continue
		}
		if !seen[o] {
			seen[o] = true
			image.objects = append(image.objects, o)
		}
	}
	return nil
}

// parseYOLO reads a line about an object in an image of the given size.
func parseYOLO(line string, height, width, classes int) (o Object, err error) {
	words := strings.Fields(line)
	if n := len(words); n != 5 {
		return o, fmt.Errorf("%d words, expected 5: class, x, y, width and height%s", n, map[bool]string{true: " (is it a polygon?)"}[n > 6 && n%2 == 1])
	}
	class, err := strconv.ParseFloat(words[0], 64)
	if o.Label = int(min(max(class, -1), maxClasses)); err != nil || float64(o.Label) != class || o.Label < 0 || o.Label >= classes {
		return o, fmt.Errorf("the class %q, expected a number from 0 to %d", shortened(words[0]), classes-1)
	}
	var v [4]float64
	for i, name := range []string{"x", "y", "width", "height"} {
		if v[i], err = strconv.ParseFloat(words[1+i], 64); err != nil || math.IsNaN(v[i]) {
			return o, fmt.Errorf("%s is %q, expected a number", name, shortened(words[1+i]))
		}
		if v[i] < 0 || v[i] > 1.01 {
			return o, fmt.Errorf("%s is %s, expected a share of the image from 0 to 1", name, words[1+i])
		}
	}
	w, h := float64(width), float64(height)
	o.Box = Box{(v[0] - v[2]/2) * w, (v[1] - v[3]/2) * h, (v[0] + v[2]/2) * w, (v[1] + v[3]/2) * h}
	o.Area = o.Box.area()
	return o, o.Box.check(height, width)
}

// yoloClasses finds the names of the classes.
func yoloClasses(fsys fs.FS, labels string) ([]string, error) {
	root, err := fs.ReadDir(fsys, ".")
	if err != nil {
		return nil, fmt.Errorf("boxes: %w", err)
	}
	var from string // the file that holds names
	var names []string
	for _, e := range root {
		file := e.Name()
		if extension := strings.ToLower(path.Ext(file)); extension != ".yaml" && extension != ".yml" {
			continue
		}
		data, err := readText(fsys, file)
		if err != nil {
			return nil, &Error{File: file, Err: err}
		}
		found, failed := yamlNames(data)
		if failed != nil {
			failed.File = file
			return nil, failed
		}
		if found != nil && from != "" && !slices.Equal(found, names) {
			return nil, &Error{File: file, Err: fmt.Errorf("other names of classes than in %s: set Options.Classes", from)}
		}
		if found != nil {
			from, names = file, found
		}
	}
	if from != "" {
		return names, nil
	}
	for _, folder := range []string{labels, "."} {
		for _, name := range []string{"classes.txt", "obj.names"} {
			file := path.Join(folder, name)
			data, err := readText(fsys, file)
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil {
				return nil, &Error{File: file, Err: err}
			}
			for line := range strings.Lines(data) {
				if names = append(names, strings.TrimSpace(line)); len(names) > maxClasses {
					return nil, &Error{File: file, Err: fmt.Errorf("more than %d names of classes", maxClasses)}
				}
			}
			for len(names) > 0 && names[len(names)-1] == "" {
				names = names[:len(names)-1]
			}
			if i := slices.Index(names, ""); i >= 0 {
				return nil, &Error{file, fmt.Sprintf("line %d", i+1), errors.New("no name: the number of a line is the number of a class")}
			}
			if len(names) == 0 {
				return nil, &Error{File: file, Err: errors.New("no names of classes")}
			}
			return names, nil
		}
	}
	return nil, errors.New("boxes: no names of classes in a .yaml file, classes.txt or obj.names: set Options.Classes")
}
