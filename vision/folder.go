package vision

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/fovea-ml/fovea/internal/printable"
)

// Extensions are the extensions, in lower case, of the files that [OpenFolder] takes for images.
//
// HEIC and AVIF are among them, so that such photographs are not skipped silently: the error of decoding names the
// package that reads them.
var Extensions = []string{".jpg", ".jpeg", ".png", ".gif", ".webp", ".bmp", ".tif", ".tiff", ".heic", ".heif", ".avif"}

// FolderOptions says how a folder of images is read.
type FolderOptions struct {
	// AllowOneClass accepts a folder with a single class, for training that needs no labels.
	AllowOneClass bool
	// Unlabeled takes all images below the folder, however nested, as one class named ".".
	Unlabeled bool
	// Decode is passed to DecodeFile.
	Decode DecodeOptions
}

// Folder is a data set in files: each sub-folder is a class, and the image files in it, at any depth, are its
// members. Classes and files are sorted by name, so that labels do not depend on the file system.
type Folder struct {
	fsys    fs.FS
	where   string // for errors
	options FolderOptions
	classes []string
	files   []string
	labels  []int
}

// OpenFolder lists the images of a data set; os.DirFS turns a directory into fsys. It skips hidden files and folders
// (names that begin with a dot), files with other extensions, images outside any class folder, and what is not a regular
// file: named pipes, sockets and devices. A class folder without images is an error, because dropping it would shift the
// labels silently.
//
// Links to files and folders are followed, as in torchvision's ImageFolder. A folder or file that is reached again within
// its class is listed once, under the first of its names, so a link to a folder above it adds nothing where it stays
// within the class. One that is
// reached from two classes is an error, because it would have two labels, and copies of an image could be used for
// training and testing alike. A link that leads nowhere counts as a file. A
// link that leads out of fsys is an error where fsys does not follow it.
//
// Errors match fs.ErrNotExist when there is no such folder, and [ErrNoImages] when it, or a class, has no images. They
// match [ErrOneClass] when there is only one class and o.AllowOneClass is not set. Files are not opened: a corrupted
// file gives an error from Open.
func OpenFolder(fsys fs.FS, o FolderOptions) (*Folder, error) {
	return openFolder(fsys, "data folder", o)
}

// OpenDir is [OpenFolder] for a directory of the operating system, which its errors name. File names need not be UTF-8,
// as they must for os.DirFS.
func OpenDir(dir string, o FolderOptions) (*Folder, error) {
	return openFolder(directory(dir), "data folder "+printable.Name(dir), o)
}

func openFolder(fsys fs.FS, where string, o FolderOptions) (*Folder, error) {
	d := &Folder{fsys: fsys, where: where, options: o}
	entries, err := fs.ReadDir(fsys, ".")
	if err != nil {
		return nil, fmt.Errorf("vision: %s: %w", where, nameless(err))
	}
	walk := newFolderWalk(fsys)
	if o.Unlabeled {
		if err := d.add(walk, "."); err != nil {
			return nil, err
		}
		return d, walk.once(d)
	}
	loose := 0
	for _, e := range entries { // ReadDir sorts by name
		name := e.Name()
		if strings.HasPrefix(name, ".") {
			continue
		}
		mode, _, err := walk.kind(name, e)
		if err != nil {
			return nil, fmt.Errorf("vision: %s: %w", where, err)
		}
		if !mode.IsDir() {
			if mode.IsRegular() && isImageName(name) {
				loose++
			}
			continue
		}
		if err := d.add(walk, name); err != nil {
			return nil, err
		}
	}
	if err := walk.once(d); err != nil {
		return nil, err
	}
	switch {
	case len(d.classes) == 0 && loose > 0:
		return nil, fmt.Errorf("vision: %s has %d images and no sub-folders, expected one sub-folder per class: %w", where, loose, ErrNoImages)
	case len(d.classes) == 0:
		return nil, fmt.Errorf("vision: %s has no sub-folders, expected one per class: %w", where, ErrNoImages)
	case d.splits():
		return nil, fmt.Errorf("vision: %s holds the parts of a data set (%s), not classes: expected one of these folders: %w",
			where, strings.Join(d.classes, ", "), ErrNoImages)
	case len(d.classes) == 1 && !o.AllowOneClass:
		return nil, fmt.Errorf("vision: %s holds the class %q alone, expected at least two: %w", where, d.classes[0], ErrOneClass)
	}
	return d, nil
}

// splits reports whether the classes are the usual parts of a data set, such as train and test.
func (d *Folder) splits() bool {
	parts := []string{"train", "training", "val", "valid", "validation", "test"}
	return !slices.ContainsFunc(d.classes, func(c string) bool { return !slices.Contains(parts, strings.ToLower(c)) })
}

// add lists the images below dir as the next class.
func (d *Folder) add(walk *folderWalk, dir string) error {
	before := len(d.files)
	err := walk.images(dir, len(d.classes), func(file string) {
		d.files = append(d.files, file)
		d.labels = append(d.labels, len(d.classes))
	})
	if err != nil {
		return fmt.Errorf("vision: %s: %w", d.where, err)
	}
	if len(d.files) == before {
		return fmt.Errorf("vision: %s: no files named %s in %s: %w", d.where, strings.Join(Extensions, ", "), printable.Name(dir), ErrNoImages)
	}
	d.classes = append(d.classes, dir)
	return nil
}

func isImageName(name string) bool {
	return slices.Contains(Extensions, strings.ToLower(path.Ext(name)))
}

// Len returns the number of images.
func (d *Folder) Len() int { return len(d.files) }

// Classes returns the names of the class folders, sorted.
func (d *Folder) Classes() []string { return d.classes }

// Label returns the label of image i.
func (d *Folder) Label(i int) int { return d.labels[i] }

// Name returns the path of image i inside the folder.
func (d *Folder) Name(i int) string { return d.files[i] }

// Open decodes image i.
func (d *Folder) Open(i int) (*Image, error) {
	return DecodeFile(d.fsys, d.files[i], d.options.Decode)
}
