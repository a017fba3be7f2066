// Package boxset opens the folder of images with boxes that a user names:
//
//	parts, err := boxset.Open("bccd", boxes.Options{})
//	fmt.Println(parts.Format, parts.Train.Len())
//
// The folder has the layout of PASCAL VOC, COCO or YOLO. The parts of a data set for training, validation and testing are told
// by their names.
package boxset

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/fovea-ml/fovea/vision/boxes"
)

// Parts are the parts of a data set, all of the same classes.
type Parts struct {
	Format string // "VOC", "COCO" or "YOLO"
	Train  *boxes.Dataset
	// Validation and Test are nil where the folder has no such part.
	Validation, Test *boxes.Dataset
}

// each yields the parts that are there.
func (p *Parts) each(f func(*boxes.Dataset)) {
	for _, d := range []*boxes.Dataset{p.Train, p.Validation, p.Test} {
		if d != nil {
			f(d)
		}
	}
}

// Skipped returns how many annotations were left out of all parts, and the first errors.
func (p *Parts) Skipped() (total int, first []*boxes.Error) {
	p.each(func(d *boxes.Dataset) {
		n, some := d.Skipped()
		total, first = total+n, append(first, some...)
	})
	return total, first
}

// names are the names of the parts in files and folders.
var names = []struct {
	part  int
	names []string
}{{0, []string{"train", "training"}}, {1, []string{"val", "valid", "validation"}}, {2, []string{"test", "testing"}}}

// Open opens a folder, or the JSON file of a data set in the format of COCO, which then is all of it. Lists of VOC are train,
// val and test in ImageSets/Main. JSON files lie in the folder, in annotations, or in a folder of each part. Images of YOLO lie in
// the folders that a .yaml file names, in images/train or train/images and so on, or all in images or in the folder.
func Open(name string, o boxes.Options) (*Parts, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		if !strings.EqualFold(filepath.Ext(name), ".json") {
			return nil, fmt.Errorf("%s: expected a folder, or a JSON file in the format of COCO", name)
		}
		d, err := openCOCO(os.DirFS(filepath.Dir(name)), filepath.Base(name), o)
		if err != nil {
			return nil, err
		}
		return &Parts{Format: "COCO", Train: d}, nil
	}
	fsys := os.DirFS(name)
	if found, err := fs.Glob(fsys, "*.xml"); err == nil && len(found) > 0 || isFolder(fsys, "Annotations") {
		return voc(fsys, o)
	}
	files, err := jsonFiles(fsys)
	if err != nil {
		return nil, err
	}
	if len(files) > 0 {
		return coco(fsys, files, o)
	}
	return yolo(fsys, o)
}

// voc opens the parts of a data set in the layout of VOC.
func voc(fsys fs.FS, o boxes.Options) (*Parts, error) {
	lists := [3]string{}
	for _, part := range names {
		for _, list := range part.names {
			if _, err := fs.Stat(fsys, path.Join("ImageSets/Main", list+".txt")); err == nil && lists[part.part] == "" {
				lists[part.part] = list
			}
		}
	}
	if lists[0] == "" { // the other parts may be within what training takes
		if _, err := fs.Stat(fsys, "ImageSets/Main/trainval.txt"); err == nil {
			lists = [3]string{"trainval", "", lists[2]}
		} else {
			lists = [3]string{}
		}
	}
	return open("VOC", lists, true, o, func(list string, o boxes.Options) (*boxes.Dataset, error) { return boxes.OpenVOC(fsys, list, o) })
}

// open opens the parts that have names, and the first in any case when all says that a name of "" stands for everything.
func open(format string, parts [3]string, all bool, o boxes.Options, read func(name string, o boxes.Options) (*boxes.Dataset, error)) (*Parts, error) {
	p := &Parts{Format: format}
	for i, into := range []**boxes.Dataset{&p.Train, &p.Validation, &p.Test} {
		if parts[i] == "" && !(i == 0 && all) {
			continue
		}
		d, err := read(parts[i], o)
		if err != nil {
			return nil, err
		}
		*into = d
		o.Classes = d.Classes()
	}
	return p, nil
}

// jsonFiles returns the JSON files that may hold annotations. Where there are some of COCO's name for instances, it returns those.
func jsonFiles(fsys fs.FS) ([]string, error) {
	var all, instances []string
	for _, pattern := range []string{"*.json", "annotations/*.json", "*/_annotations.coco.json"} {
		found, err := fs.Glob(fsys, pattern)
		if err != nil {
			return nil, err
		}
		for _, name := range found {
			if all = append(all, name); strings.HasPrefix(path.Base(name), "instances") {
				instances = append(instances, name)
			}
		}
	}
	if len(instances) > 0 {
		return instances, nil
	}
	return all, nil
}

// coco opens the JSON files of the parts, or the only one.
func coco(fsys fs.FS, files []string, o boxes.Options) (*Parts, error) {
	var parts [3]string
	for _, file := range files {
		for _, part := range names {
			if !strings.Contains(strings.ToLower(file), part.names[0]) {
				continue
			}
			if other := parts[part.part]; other != "" {
				return nil, fmt.Errorf("%s and %s: expected one JSON file with annotations for the part %s", other, file, part.names[0])
			}
			parts[part.part] = file
			break
		}
	}
	if parts[0] == "" {
		if len(files) != 1 {
			return nil, fmt.Errorf("%q: expected one JSON file, or one whose name contains train", files)
		}
		parts = [3]string{files[0]}
	}
	return open("COCO", parts, false, o, func(file string, o boxes.Options) (*boxes.Dataset, error) { return openCOCO(fsys, file, o) })
}

// openCOCO opens a JSON file and finds the folder of its images by the first of them.
func openCOCO(fsys fs.FS, file string, o boxes.Options) (*boxes.Dataset, error) {
	here := path.Dir(file)
	d, err := boxes.OpenCOCO(fsys, file, here, o)
	if err != nil {
		return nil, err
	}
	image := strings.TrimPrefix(d.Name(0), here+"/")
	stem := strings.TrimSuffix(path.Base(file), path.Ext(file))
	_, after, _ := strings.Cut(stem, "_") // train2017 of instances_train2017
	var tried []string
	for _, folder := range []string{here, ".", "images", after, path.Join("images", after), stem, path.Join("images", stem), path.Join(here, "images")} {
		if folder == "" || slices.Contains(tried, folder) {
			continue
		}
		tried = append(tried, folder)
		if _, err := fs.Stat(fsys, path.Join(folder, image)); err != nil {
			continue
		}
		if folder == here {
			return d, nil
		}
		return boxes.OpenCOCO(fsys, file, folder, o)
	}
	return nil, fmt.Errorf("%s: its first image, %q, is in none of the folders %q: %w", file, image, tried, fs.ErrNotExist)
}

// yolo opens the folders of images of the parts, which a .yaml file names, or else their own names; or the only one.
func yolo(fsys fs.FS, o boxes.Options) (*Parts, error) {
	train, validation, test, err := boxes.YOLOFolders(fsys)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	parts := [3]string{train, validation, test}
	for _, part := range names {
		if train != "" {
			break
		}
		for _, name := range part.names {
			for _, folder := range []string{"images/" + name, name + "/images"} {
				if isFolder(fsys, folder) && parts[part.part] == "" {
					parts[part.part] = folder
				}
			}
		}
	}
	if parts[0] == "" && err != nil { // the folders that the file names are not there, and no others
		return nil, err
	}
	if parts[0] == "" {
		parts = [3]string{"."}
		if isFolder(fsys, "images") {
			parts[0] = "images"
		}
	}
	p, err := open("YOLO", parts, false, o, func(images string, o boxes.Options) (*boxes.Dataset, error) { return boxes.OpenYOLO(fsys, images, o) })
	if e := (*boxes.Error)(nil); err != nil && parts[0] == "." && (!errors.As(err, &e) || e.File == ".") {
		err = fmt.Errorf("%w (a folder of VOC has XML files in Annotations, one of COCO a JSON file, and one of YOLO text files beside images)", err)
	}
	return p, err
}

func isFolder(fsys fs.FS, name string) bool {
	info, err := fs.Stat(fsys, name)
	return err == nil && info.IsDir()
}
