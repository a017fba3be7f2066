package boxes

import (
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/fovea-ml/fovea/internal/smallfile"
	"github.com/fovea-ml/fovea/vision"
)

// OpenVOC reads a folder in the layout of PASCAL VOC: Annotations holds an XML file for each image, JPEGImages the images,
// and ImageSets/Main lists of names. list is one of them, such as "train"; "" means all annotations. Without a folder
// Annotations, the XML files lie in the root, and without JPEGImages, the images do.
//
// An annotation belongs to the image of the same name, with any of [vision.Extensions]. Boxes follow VOC's devkit: inclusive
// pixels, counted from 1. The classes are the names in all annotations, whatever the list, unless o.Classes gives them.
// Elements that say nothing about boxes are ignored.
//
// Errors about annotations are of type *[Error]. An error matches fs.ErrNotExist when there is no such list, and
// [vision.ErrNoImages] when there are no annotations.
func OpenVOC(fsys fs.FS, list string, o Options) (*Dataset, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	v := voc{fsys: fsys, annotations: "Annotations", images: "JPEGImages"}
	if !isFolder(fsys, v.annotations) {
		v.annotations = "."
	}
	if !isFolder(fsys, v.images) {
		v.images = "."
	}
	all, listed, err := v.names(list)
	if err != nil {
		return nil, err
	}
	d := &Dataset{fsys: fsys, options: o, classes: o.Classes}
	files := make(map[string]*vocFile, len(listed)) // nil until they are read
	for _, name := range listed {
		files[name] = nil
	}
	names := map[string]bool{}
	for _, name := range all {
		_, wanted := files[name]
		if !wanted && len(o.Classes) > 0 {
			continue
		}
		f, err := v.read(d, name)
		if err != nil {
			return nil, err
		}
		if f == nil {
			continue
		}
		for _, object := range f.objects {
			if object.err == nil {
				names[object.name] = true
			}
		}
		if wanted {
			files[name] = f
		}
	}
	if len(d.classes) == 0 {
		d.classes = slices.Sorted(maps.Keys(names))
	}
	byName := numbered(d.classes)
	for _, name := range listed {
		if f := files[name]; f != nil {
			if err := d.addVOC(f, byName); err != nil {
				return nil, err
			}
		}
	}
	return d.finish(v.annotations)
}

// voc is a folder in the layout of VOC.
type voc struct {
	fsys                fs.FS
	annotations, images string              // folders
	byName              map[string][]string // image files, by their names without extension
}

// names returns the names of all annotations, sorted, and those in a list, and finds the images.
func (v *voc) names(list string) (all, listed []string, err error) {
	entries, err := fs.ReadDir(v.fsys, v.annotations)
	if err != nil {
		return nil, nil, fmt.Errorf("boxes: %w", err)
	}
	for _, e := range entries {
		if name, ok := strings.CutSuffix(e.Name(), ".xml"); ok && !strings.HasPrefix(name, ".") {
			all = append(all, name)
		}
	}
	if len(all) == 0 {
		return nil, nil, fmt.Errorf("boxes: no XML files in the folder %s, expected one for each image: %w", v.annotations, vision.ErrNoImages)
	}
	if entries, err = fs.ReadDir(v.fsys, v.images); err != nil {
		return nil, nil, fmt.Errorf("boxes: %w", err)
	}
	v.byName = map[string][]string{}
	for _, e := range entries {
		extension := path.Ext(e.Name())
		if slices.Contains(vision.Extensions, strings.ToLower(extension)) {
			name := strings.TrimSuffix(e.Name(), extension)
			v.byName[name] = append(v.byName[name], path.Join(v.images, e.Name()))
		}
	}
	if list == "" {
		return all, all, nil
	}
	listed, err = v.listed(path.Join("ImageSets/Main", list+".txt"), all)
	return all, listed, err
}

// listed returns the names in a list, which must be among those of all annotations.
func (v *voc) listed(file string, all []string) ([]string, error) {
	data, err := readText(v.fsys, file)
	if err != nil {
		return nil, &Error{File: file, Err: err}
	}
	line := map[string]int{}
	var listed []string
	for i, text := range strings.Split(data, "\n") {
		name := strings.TrimSpace(text)
		if name == "" {
			continue
		}
		fail := func(format string, args ...any) ([]string, error) {
			return nil, &Error{file, fmt.Sprintf("line %d", i+1), fmt.Errorf(format, args...)}
		}
		if n := len(strings.Fields(name)); n > 1 {
			return fail("expected the name of an image, found %d words: lists about one class are not supported", n)
		}
		if first := line[name]; first > 0 {
			return fail("%q is on line %d too", name, first)
		}
		if _, known := slices.BinarySearch(all, name); !known {
			return fail("%q has no annotation in the folder %s", name, v.annotations)
		}
		line[name] = i + 1
		listed = append(listed, name)
	}
	if len(listed) == 0 {
		return nil, &Error{File: file, Err: vision.ErrNoImages}
	}
	return listed, nil
}

// read reads an annotation and finds its image. It returns nil for one that is left out.
func (v *voc) read(d *Dataset, name string) (*vocFile, error) {
	file := path.Join(v.annotations, name+".xml")
	const most = 8 << 20 // bytes; one for a thousand objects has a third of a million
	data, err := smallfile.Read(v.fsys, file)
	if err == nil && len(data) > most {
		err = fmt.Errorf("%d bytes, expected at most %d", len(data), most)
	}
	if err != nil {
		return nil, d.reject(&Error{File: file, Err: err})
	}
	f, failed := parseVOC(data)
	if failed != nil {
		failed.File = file
		return nil, d.reject(failed)
	}
	f.file = file
	switch images := v.byName[name]; len(images) {
	case 0:
		return nil, d.reject(&Error{File: file, Err: fmt.Errorf("no image named %q in the folder %s: %w", name, v.images, fs.ErrNotExist)})
	case 1:
		f.image = images[0]
	default:
		return nil, d.reject(&Error{File: file, Err: fmt.Errorf("%d images named %q in the folder %s, expected one", len(images), name, v.images)})
	}
	return f, nil
}

// addVOC adds the image of an annotation, with the objects that can be used.
func (d *Dataset) addVOC(f *vocFile, byName map[string]int) error {
	image := annotated{file: f.image, height: f.height, width: f.width}
	for _, object := range f.objects {
		o, err := object.object, object.err
		label, known := byName[object.name]
		if o.Label = label; err == nil && !known {
			err = fmt.Errorf("its name is not among the %d classes", len(d.classes))
		}
		if err != nil {
			if err := d.reject(&Error{f.file, object.where(), err}); err != nil {
				return err
			}
			continue
		}
		image.objects = append(image.objects, o)
	}
	d.images = append(d.images, image)
	return nil
}
