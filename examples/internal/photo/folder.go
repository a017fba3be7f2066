package photo

import (
	"os"
	"path/filepath"

	"github.com/fovea-ml/fovea/vision"
)

// Files returns the paths of image files. A folder among names stands for all images in it and below, as [vision.OpenDir] lists
// them; one without images is an error. Reading the other names tells what is wrong with them.
func Files(names []string) ([]string, error) {
	var all []string
	for _, name := range names {
		if info, err := os.Stat(name); err != nil || !info.IsDir() {
			all = append(all, name)
			continue
		}
		d, err := vision.OpenDir(name, vision.FolderOptions{Unlabeled: true})
		if err != nil {
			return nil, err
		}
		all = append(all, Paths(name, d)...)
	}
	return all, nil
}

// Paths returns those of the images of a folder.
func Paths(dir string, d *vision.Folder) []string {
	list := make([]string, d.Len())
	for i := range list {
		list[i] = filepath.Join(dir, filepath.FromSlash(d.Name(i)))
	}
	return list
}
