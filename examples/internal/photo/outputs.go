package photo

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// StandardInput is the name of an image on standard input, in programs that read one there.
const StandardInput = "-"

// Outputs gives each image a PNG file of its own in a folder.
type Outputs struct {
	dir  string
	used map[string]bool // names in lower case: some file systems do not tell a.png from A.png
}

// NewOutputs makes the folder. The folder of one of the images is an error, because the image could be replaced.
func NewOutputs(dir string, images []string) (*Outputs, error) {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, err
	}
	own, err := os.Stat(dir)
	if err != nil {
		return nil, err
	}
	checked := map[string]bool{}
	for _, name := range images {
		folder := filepath.Dir(name)
		if name == StandardInput || checked[folder] {
			continue
		}
		checked[folder] = true
		if info, err := os.Stat(folder); err == nil && os.SameFile(own, info) {
			return nil, fmt.Errorf("%s: expected another folder than that of %s, which could be replaced", dir, name)
		}
	}
	return &Outputs{dir, map[string]bool{}}, nil
}

// Path returns a new name in the folder: that of the image, with a number where two images have the same one.
func (o *Outputs) Path(image string) string {
	base := strings.TrimSuffix(filepath.Base(image), filepath.Ext(image))
	if image == StandardInput {
		base = "standard-input"
	}
	name := base + ".png"
	for n := 2; o.used[strings.ToLower(name)]; n++ {
		name = base + "-" + strconv.Itoa(n) + ".png"
	}
	o.used[strings.ToLower(name)] = true
	return filepath.Join(o.dir, name)
}
