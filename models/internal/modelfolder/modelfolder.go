// Package modelfolder reads and writes the folders in which models are kept: config.json, the weights, and, where a
// model has them, preprocessor and tokenizer files.
//
//	var family = modelfolder.Family{Package: "vit", ModelType: "vit", Names: &names}
//
//	func Open(path string, o models.LoadOptions) (*Model, error) { return modelfolder.Open(path, family, o, read) }
//
//	func Load(fsys fs.FS, o models.LoadOptions) (*Model, error) { return modelfolder.Load(fsys, family, o, read) }
//
//	func read(f *modelfolder.Folder) (*Model, error) {
//		c := defaults()
//		if err := f.Configure(&c); err != nil {
//			return nil, err
//		}
//		if err := claim(c).Check(f.Weights); err != nil {
//			return nil, err
//		}
//		m := New(c, nil)
//		return m, f.Fill(m)
//	}
//
// A [Folder] is a model folder that is open. What all models do with it is here; a model package adds its configuration,
// its table of names and its architecture.
//
// A folder comes from a stranger. Its configuration decides how much memory a model takes before any weight is read. So
// [Claim.Check] first compares the configuration with the weights.
package modelfolder

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/fovea-ml/fovea/checkpoint"
	"github.com/fovea-ml/fovea/internal/smallfile"
	"github.com/fovea-ml/fovea/internal/strictjson"
	"github.com/fovea-ml/fovea/models"
	"github.com/fovea-ml/fovea/nn"
	"github.com/fovea-ml/fovea/nn/lora"
)

// ConfigName is the file that holds a model's configuration.
const ConfigName = "config.json"

// Family says how the models of a package lie in folders.
type Family struct {
	Package   string            // the name before every error
	ModelType string            // in config.json
	OwnType   string            // the same for variants that only Fovea has; "" for none
	Others    []string          // further types that the package reads, with [Folder.Use] where their names or fields differ
	Names     *checkpoint.Names // of the tensors
	// Unsupported are parts of tensor names of models that look alike and compute something else. They are refused
	// unless loading is lenient.
	Unsupported []Trace
	// Fields are the fields of config.json that the library which writes it knows. Load refuses a folder with a refused
	// field.
	Fields strictjson.Fields
	// Images says that the model takes images, so that LoadOptions.ImageSize applies.
	Images bool
	// OpenCLIP says that open_clip has models of the family.
	OpenCLIP bool
	// Of, if not nil, returns the family of the model that a config.json describes, for a package that loads several
	// types of models, or whose names of tensors depend on the head. It is called with a valid JSON object.
	Of func(config []byte) (Family, error)
}

// of returns the family of the model that a config.json describes.
func (y Family) of(config []byte) (Family, error) {
	if y.Of == nil {
		return y, nil
	}
	return y.Of(config)
}

// Trace is a part of a tensor's name, and the unsupported feature that it reveals.
type Trace struct{ Part, What string }

// A Form is how a folder describes its model.
type Form int

// The forms: config.json as transformers writes it, as timm writes it, open_clip_config.json, or none.
const (
	HuggingFace Form = iota
	Timm
	Bare
	OpenCLIP
)

// OpenCLIPName is the file that holds the configuration of a model of open_clip, and openCLIPWeights are its usual weights,
// as its _find_checkpoint_in_dir prefers them.
const OpenCLIPName = "open_clip_config.json"

var openCLIPWeights = []string{"open_clip_model.safetensors", "open_clip_pytorch_model.safetensors", "open_clip_pytorch_model.bin", "open_clip_pytorch_model.pth"}

// Folder is a model folder that is open.
type Folder struct {
	FS      fs.FS
	Form    Form
	Config  []byte // config.json, or open_clip_config.json; nil in a Bare folder
	Weights *checkpoint.File
	Options models.LoadOptions

	family    Family
	quantized bool // the weights are integers, as config.json says
	resized   bool // Resize was called
	find      func(param string) (checkpoint.Tensor, bool)
}

// Open loads the model at a path: a folder, or one file of weights. It calls [Load] with the folder; for a file this is
// the folder around it, and LoadOptions.File the file's name. The error begins with the name of the package and the path.
func Open[M any](path string, family Family, o models.LoadOptions, read func(*Folder) (M, error)) (M, error) {
	var none M
	dir := path
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return none, fmt.Errorf("%s: no such folder or file: %w", family.Package, err)
	case !info.IsDir() && o.File != "":
		return none, fmt.Errorf("%s: %s: LoadOptions.File: expected none beside the path of a file, found %q", family.Package, path, o.File)
	case !info.IsDir():
		dir, o.File = filepath.Dir(path), filepath.Base(path)
	}
	m, err := load(os.DirFS(dir), family, o, read)
	if err != nil {
		return none, fmt.Errorf("%s: %s: %w", family.Package, path, err)
	}
	return m, nil
}

// Load opens a folder and lets read make a model of it. The error begins with the name of the package.
func Load[M any](fsys fs.FS, family Family, o models.LoadOptions, read func(*Folder) (M, error)) (M, error) {
	m, err := load(fsys, family, o, read)
	if err != nil {
		return m, fmt.Errorf("%s: %w", family.Package, err)
	}
	return m, nil
}

func load[M any](fsys fs.FS, family Family, o models.LoadOptions, read func(*Folder) (M, error)) (M, error) {
	var none M
	f, err := open(fsys, family, o)
	if err != nil {
		return none, err
	}
	m, err := read(f)
	if err != nil {
		return none, err
	}
	if o.ImageSize != 0 && !f.resized {
		return none, errors.New("the model takes images of one size, so ImageSize cannot be set")
	}
	return m, nil
}

func open(fsys fs.FS, family Family, o models.LoadOptions) (*Folder, error) {
	if o.ImageSize != 0 && !family.Images {
		return nil, errors.New("the model takes no images, so ImageSize cannot be set")
	}
	f := &Folder{FS: fsys, Options: o, family: family}
	var err error
	if f.Form, f.Config, err = formOf(fsys); err != nil {
		return nil, err
	}
	if err := f.preferOpenCLIP(); err != nil {
		return nil, err
	}
	if f.Form == HuggingFace { // the wrong type is more telling than missing weights
		if f.Config, f.quantized, err = cutQuantization(ConfigName, f.Config); err != nil {
			return nil, err
		}
		if family, err = family.of(f.Config); err != nil {
			return nil, fmt.Errorf("%s: %w", ConfigName, err)
		}
		f.family = family
		if err := family.checkModelType(ConfigName, f.Config); err != nil {
			return nil, err
		}
		if !o.Lenient && first(fsys, []string{lora.ConfigName}) != "" {
			return nil, fmt.Errorf("%s: the folder holds adapters of PEFT, which transformers adds to the model: move them to a folder of their own, and load them by package nn/lora", lora.ConfigName)
		}
	}
	if f.Form == OpenCLIP && o.File == "" {
		o.File = first(fsys, openCLIPWeights)
	}
	if f.Weights, err = openWeights(fsys, o); err != nil {
		return nil, err
	}
	f.find = family.Names.Finder(f.Weights)
	if o.Lenient {
		return f, nil
	}
	return f, f.refuseUnsupported()
}

// formOf returns the form of a folder and the contents of its config.json.
func formOf(fsys fs.FS) (Form, []byte, error) {
	data, err := smallfile.Read(fsys, ConfigName)
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := fs.Stat(fsys, "."); err != nil {
			return 0, nil, fmt.Errorf("no such folder: %w", err)
		}
		return Bare, nil, nil
	}
	if err != nil {
		return 0, nil, err
	}
	var kind struct {
		ModelType    *string `json:"model_type"`
		Architecture *string `json:"architecture"`
	}
	if err := decode(ConfigName, data, &kind); err != nil {
		return 0, nil, err
	}
	if kind.Architecture != nil && *kind.Architecture != "" && (kind.ModelType == nil || *kind.ModelType == "" || *kind.ModelType == "timm_wrapper") {
		return Timm, data, nil
	}
	return HuggingFace, data, nil
}

// first returns the first of some names that a folder has, or "".
func first(fsys fs.FS, names []string) string {
	for _, name := range names {
		if _, err := fs.Stat(fsys, name); err == nil {
			return name
		}
	}
	return ""
}

// preferOpenCLIP changes the form to OpenCLIP where the folder has open_clip_config.json and no config.json of transformers,
// or where the weights are open_clip's by their name: those that were chosen, or all that the folder has.
func (f *Folder) preferOpenCLIP() error {
	name := f.Options.File
	if name == "" && first(f.FS, []string{checkpoint.SafetensorsName, checkpoint.IndexName, checkpoint.TorchName, checkpoint.TorchIndexName}) == "" {
		name = first(f.FS, openCLIPWeights)
	}
	if !f.family.OpenCLIP || f.Form == HuggingFace && !strings.HasPrefix(name, "open_clip_") {
		return nil
	}
	data, err := smallfile.Read(f.FS, OpenCLIPName)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	f.Form, f.Config = OpenCLIP, data
	return err
}

// openWeights opens the named file or, without a name, the one under a usual name, or the only file that can hold
// weights: the releases of papers and the runs of training programs come so.
func openWeights(fsys fs.FS, o models.LoadOptions) (*checkpoint.File, error) {
	opts := checkpoint.OpenOptions{Unmapped: o.Unmapped, Root: o.Root}
	if o.File != "" {
		return checkpoint.OpenFS(fsys, o.File, opts)
	}
	f, usual := checkpoint.OpenFolder(fsys, opts)
	if !errors.Is(usual, fs.ErrNotExist) {
		return f, usual
	}
	if indexes, _ := fs.Glob(fsys, "*.index.json"); len(indexes) > 0 {
		return nil, usual // a shard is missing
	}
	found, err := checkpoint.WeightFiles(fsys)
	array := func(name string) bool { return strings.HasSuffix(strings.ToLower(name), ".npz") }
	if others := slices.DeleteFunc(slices.Clone(found), array); len(others) > 0 {
		found = others // arrays beside weights are something else
	}
	switch {
	case err != nil:
		return nil, usual
	case len(found) == 0:
		return nil, fmt.Errorf("%w; LoadOptions.File names another file", usual)
	case len(found) > 1:
		return nil, fmt.Errorf("the folder has several files that may be the weights: choose one by LoadOptions.File: %s", strings.Join(found, ", "))
	}
	return checkpoint.OpenFS(fsys, found[0], opts)
}

// refuseUnsupported returns an error that names the first tensor of an unsupported variant.
func (f *Folder) refuseUnsupported() error {
	for name := range f.Weights.Names() {
		for _, k := range f.family.Unsupported {
			if strings.Contains(name, k.Part) {
				return fmt.Errorf("%s: %q: a model with %s is not supported", f.Weights.Name(), name, k.What)
			}
		}
	}
	return nil
}

// Use goes on with another family of the same package: its names of tensors, and its fields.
func (f *Folder) Use(family Family) {
	f.family, f.find = family, family.Names.Finder(f.Weights)
}

// Replace goes on with other weights, such as those of a release that were translated.
func (f *Folder) Replace(weights *checkpoint.File) {
	f.Weights, f.find = weights, f.family.Names.Finder(weights)
}

// Find finds the tensor in which the weights hold a parameter, under whichever of its names.
func (f *Folder) Find(param string) (checkpoint.Tensor, bool) { return f.find(param) }

// Rows returns the number of rows of a matrix of the given width, 0 when the weights hold none. Rows of another width
// are refused: a small file could hold very many of them.
func (f *Folder) Rows(param string, width int) (int, error) {
	t, ok := f.find(param)
	if !ok {
		return 0, nil
	}
	if len(t.Shape) != 2 || t.Shape[1] != width {
		return 0, fmt.Errorf("%s: %s: expected the shape [classes %d], found %v", f.Weights.Name(), t.Name, width, t.Shape)
	}
	return t.Shape[0], nil
}

// Checked checks a configuration that was read off the weights, unless that ended with the error err. Its error names
// their file.
func (f *Folder) Checked(c Configuration, err error) error {
	if err == nil {
		err = c.Validate()
	}
	if err != nil {
		return fmt.Errorf("%s: %w", f.Weights.Name(), err)
	}
	return nil
}

// A Hook may give a parameter the values of a tensor of another shape, such as a position table for another grid. It
// returns nil for a tensor that is not its business. See checkpoint.LoadOptions.Fit.
type Hook func(param string, t checkpoint.Tensor, want []int) ([]float32, error)

// Fill loads the weights into a model's parameters and buffers. Each tensor of another shape than its parameter's goes
// to the hooks, in order, until one returns values.
func (f *Folder) Fill(model any, hooks ...Hook) error {
	_, err := checkpoint.Load(f.Weights, f.family.Names, nn.Values(model), checkpoint.LoadOptions{
		Lenient:  f.Options.Lenient,
		Map:      true,
		KeepHalf: !f.Options.Widen || f.quantized, // a type is the arithmetic of its products
		Int8:     f.quantized,
		Fit: func(param string, t checkpoint.Tensor, want []int) ([]float32, error) {
			for _, h := range hooks {
				if values, err := h(param, t, want); values != nil || err != nil {
					return values, err
				}
			}
			return nil, nil
		},
	})
	if err == nil {
		f.Limit(model)
	}
	return err
}
