package detect

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/fovea-ml/fovea/checkpoint"
	"github.com/fovea-ml/fovea/internal/smallfile"
	"github.com/fovea-ml/fovea/models"
	"github.com/fovea-ml/fovea/models/internal/modelfolder"
)

// LoadOptions change how [Open] and [Load] work; models.LoadOptions describes the fields. The zero value is strict.
type LoadOptions = models.LoadOptions

// SaveOptions change how [Model.Save] works; models.SaveOptions describes the fields.
type SaveOptions = models.SaveOptions

// names returns a table of the given rules, whose names are those of the release.
func names(rules []checkpoint.Rule) checkpoint.Names {
	return checkpoint.Names{
		Columns: []string{models.HuggingFace.String()}, Rules: rules, Prefixes: []string{"module.", "model.", "_orig_mod."},
	}
}

// family says how detectors lie in folders.
var family = modelfolder.Family{Package: "detect", ModelType: fastestType, Names: &fastestNames, Fields: configFields, Images: true}

// Open reads the model at a path, a folder or one file of weights, as [Load] does. The error names the path. Beside a file,
// config.json and a file of names count as in a folder. So a file of another model needs a folder of its own.
func Open(path string, o LoadOptions) (*Model, error) {
	return modelfolder.Open(path, family, o, read)
}

// Load reads a model from a folder of one of these kinds:
//
//   - a folder that [Model.Save] wrote: config.json and the weights
//   - a file of weights of the release of FastestDet (.pth). The weights tell the number of classes. A file *.names beside
//     it has their names.
//
// LoadOptions.ImageSize is the side of the squares that images are stretched to, a multiple of 32. Nothing in the folder is
// trusted. The error names the file, what was expected and what was found. It matches fs.ErrNotExist when the weights are
// missing, a *checkpoint.FormatError when they are malformed, and a *checkpoint.MismatchError when their tensors are not
// those of the network: it lists them all.
func Load(fsys fs.FS, o LoadOptions) (*Model, error) { return modelfolder.Load(fsys, family, o, read) }

func read(f *modelfolder.Folder) (*Model, error) {
	c := Fastest()
	switch f.Form {
	case modelfolder.HuggingFace:
		if err := f.Configure(&c); err != nil {
			return nil, err
		}
	case modelfolder.Timm:
		return nil, errors.New("config.json: expected the file of a detector, found timm's")
	}
	if err := f.Resize(&c.ImageSize, &c); err != nil {
		return nil, err
	}
	classes, err := classRows(f)
	if err != nil {
		return nil, err
	}
	if !c.Fit(classes) {
		c.ID2Label, c.Label2ID = nil, nil
	}
	m := New(c, classes, nil)
	if len(c.ID2Label) == 0 {
		if err := m.readNames(f.FS); err != nil {
			return nil, err
		}
	}
	return m, f.Fill(m.Network)
}

// classRows returns the number of classes that the weights have.
func classRows(f *modelfolder.Folder) (int, error) {
	t, ok := f.Find("Class.Predict.Conv.Weight")
	if !ok {
		return 0, fmt.Errorf("%s: expected the weights of FastestDet, found no %q", f.Weights.Name(), "detect_head.cls_layers.conv5x5.3.weight")
	}
	if len(t.Shape) != 4 || !slices.Equal(t.Shape[1:], []int{fastestWidth, 1, 1}) || t.Shape[0] < 1 {
		return 0, fmt.Errorf("%s: %s: expected the shape [classes %d 1 1], found %v", f.Weights.Name(), t.Name, fastestWidth, t.Shape)
	}
	return t.Shape[0], nil
}

// readNames reads the names of the classes from the only file *.names of a folder, when it has as many lines.
func (m *Model) readNames(fsys fs.FS) error {
	files, err := fs.Glob(fsys, "*.names")
	if err != nil || len(files) != 1 {
		return err
	}
	text, err := smallfile.Read(fsys, files[0])
	if err != nil {
		return err
	}
	lines := strings.Split(strings.TrimRight(strings.ReplaceAll(string(text), "\r\n", "\n"), "\n"), "\n")
	for i := range lines {
		lines[i] = strings.TrimSpace(lines[i])
	}
	if len(lines) != m.Classes {
		return fmt.Errorf("%s: expected the names of %d classes, found %d", files[0], m.Classes, len(lines))
	}
	return m.SetLabels(lines)
}

// Save writes the model to a folder, which it makes when it is not there: config.json and model.safetensors, whose tensors
// have the names of the release. Each file appears whole or not at all. Classes without a name are called LABEL_0 and so on.
// The layout is models.HuggingFace.
func (m *Model) Save(dir string, o SaveOptions) error {
	c := m.Config
	c.NameAll(m.Classes)
	return family.Save(dir, modelfolder.Contents{Config: c, Model: m.Network}, o)
}
