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
// "images/train", at any depth; "." is the root. As in ultralytics, a line that a file repeats counts once, a class may be
// written as 1.0, and shares up to 1.01 pass.
//
// A line may also be a polygon, "class x1 y1 x2 y2 x3 y3 …", as tools write it for segmentation and for rotated boxes. The
// object then has the polygon's bounds. A line of four numbers is a box in any file; ultralytics takes it for two corners
// where another line of the file is a polygon. Lines with confidences are errors. So are key points: a .yaml file with the
// key kpt_shape is refused, unless o.Classes are given.
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
	if n := len(words); n != 5 && (n < 7 || n%2 == 0) {
		return o, fmt.Errorf("%d words, expected 5: class, x, y, width and height, or the class and the points of a polygon", n)
	}
	class, err := strconv.ParseFloat(words[0], 64)
	if o.Label = int(min(max(class, -1), maxClasses)); err != nil || float64(o.Label) != class || o.Label < 0 || o.Label >= classes {
		return o, fmt.Errorf("the class %q, expected a number from 0 to %d", shortened(words[0]), classes-1)
	}
	v := make([]float64, len(words)-1)
	for i, word := range words[1:] {
		name := fmt.Sprintf("%c%d", 'x'+i%2, 1+i/2)
		if len(v) == 4 {
			name = [4]string{"x", "y", "width", "height"}[i]
		}
		if v[i], err = strconv.ParseFloat(word, 64); err != nil || math.IsNaN(v[i]) {
			return o, fmt.Errorf("%s is %q, expected a number", name, shortened(word))
		}
		if v[i] < 0 || v[i] > 1.01 {
			return o, fmt.Errorf("%s is %s, expected a share of the image from 0 to 1", name, shortened(word))
		}
	}
	w, h := float64(width), float64(height)
	if len(v) == 4 {
		o.Box = Box{(v[0] - v[2]/2) * w, (v[1] - v[3]/2) * h, (v[0] + v[2]/2) * w, (v[1] + v[3]/2) * h}
	} else {
		o.Box = Box{v[0] * w, v[1] * h, v[0] * w, v[1] * h}
		for i := 2; i < len(v); i += 2 {
			x, y := v[i]*w, v[i+1]*h
			o.Box = Box{min(o.Box.X0, x), min(o.Box.Y0, y), max(o.Box.X1, x), max(o.Box.Y1, y)}
		}
	}
	o.Area = o.Box.area()
	return o, o.Box.check(height, width)
}

// YOLOFolders returns the folders of images for training, validation and testing that a .yaml file in the root names, for
// [OpenYOLO]; "" for a part that it does not name, and when there is no such file.
//
// A folder is relative to the root, or to the folder of the key path where that lies in the root. Folders outside lie
// elsewhere on the machine that wrote the file: of "../train/images", as Roboflow writes it, the part after "../" counts, as in
// ultralytics. A list of folders and a text file with a list of images are errors of type *[Error]. So is a folder that is not
// there, which matches [fs.ErrNotExist]; one for testing is left out.
func YOLOFolders(fsys fs.FS) (train, validation, test string, err error) {
	texts, err := yamlFiles(fsys)
	if err != nil {
		return "", "", "", err
	}
	var from string // the file that names folders
	for _, t := range texts {
		var found [3]string
		for i, key := range []string{"train", "val", "test"} {
			value, line, err := yamlValue(t.text, key)
			if err == nil && value != "" {
				var below string
				if below, _, err = yamlValue(t.text, "path"); err == nil {
					found[i], err = yoloFolder(fsys, below, value)
				}
			}
			if key == "test" && errors.Is(err, fs.ErrNotExist) { // Roboflow names it without such a part
				err = nil
			}
			if err != nil {
				return "", "", "", &Error{t.file, fmt.Sprintf("line %d", line), fmt.Errorf("%s: %w", key, err)}
			}
		}
		if found == [3]string{} {
			continue
		}
		if from != "" && found != [3]string{train, validation, test} {
			return "", "", "", &Error{File: t.file, Err: fmt.Errorf("other folders of images than in %s", from)}
		}
		from, train, validation, test = t.file, found[0], found[1], found[2]
	}
	return train, validation, test, nil
}

// yoloFolder finds a folder that a .yaml file names.
func yoloFolder(fsys fs.FS, below, name string) (string, error) {
	if strings.EqualFold(path.Ext(name), ".txt") {
		return "", fmt.Errorf("%q is a list of images, which is not supported, expected a folder", shortened(name))
	}
	clean := path.Clean(strings.ReplaceAll(name, "\\", "/"))
	rest, _ := strings.CutPrefix(clean, "../")
	for _, folder := range []string{path.Join(below, clean), clean, rest} {
		if fs.ValidPath(folder) && isFolder(fsys, folder) {
			return folder, nil
		}
	}
	return "", fmt.Errorf("the folder %q: %w", shortened(name), fs.ErrNotExist)
}

// yamlFile is a .yaml file in the root.
type yamlFile struct{ file, text string }

// yamlFiles reads the .yaml files in the root.
func yamlFiles(fsys fs.FS) (files []yamlFile, err error) {
	root, err := fs.ReadDir(fsys, ".")
	if err != nil {
		return nil, fmt.Errorf("boxes: %w", err)
	}
	for _, e := range root {
		file := e.Name()
		if extension := strings.ToLower(path.Ext(file)); extension != ".yaml" && extension != ".yml" {
			continue
		}
		text, err := readText(fsys, file)
		if err != nil {
			return nil, &Error{File: file, Err: err}
		}
		files = append(files, yamlFile{file, text})
	}
	return files, nil
}

// yoloClasses finds the names of the classes.
func yoloClasses(fsys fs.FS, labels string) ([]string, error) {
	texts, err := yamlFiles(fsys)
	if err != nil {
		return nil, err
	}
	var from string // the file that holds names
	var names []string
	for _, t := range texts {
		file := t.file
		if _, line, err := yamlValue(t.text, "kpt_shape"); line > 0 || err != nil {
			return nil, &Error{file, fmt.Sprintf("line %d", line), errors.New("kpt_shape: key points are not supported")}
		}
		found, failed := yamlNames(t.text)
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
