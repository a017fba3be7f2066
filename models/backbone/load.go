package backbone

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/fovea-ml/fovea/internal/strictjson"
	"github.com/fovea-ml/fovea/models"
	"github.com/fovea-ml/fovea/models/internal/modelfolder"
	"github.com/fovea-ml/fovea/vision"
)

// LoadOptions change how [Open] and [Load] work; models.LoadOptions describes the fields. The zero value is strict.
type LoadOptions = models.LoadOptions

// SaveOptions change how [Model.Save] works; models.SaveOptions describes the fields.
type SaveOptions = models.SaveOptions

var defaultNames = tableOf(defaults())

// family says how the networks lie in folders.
var family = modelfolder.Family{
	Package: "backbone", ModelType: resNetType, OwnType: ownType, Others: []string{shuffleType, dlaType, plainType}, Names: &defaultNames,
	Fields: configFields, Images: true,
	Unsupported: []modelfolder.Trace{
		{Part: ".se.", What: "squeeze and excitation"},
		{Part: ".conv_pw.", What: "inverted residuals"},
		{Part: "attnpool.", What: "attention pooling"},
		{Part: "relative_position", What: "relative positions"},
	},
}

// Open reads the model at a path, a folder or one file of weights, as [Load] does. The error names the path. Beside a file,
// config.json and preprocessor_config.json count as in a folder. So a file of another model needs a folder of its own.
func Open(path string, o LoadOptions) (*Model, error) {
	return modelfolder.Open(path, family, o, read)
}

// Load reads a model from a folder of one of these kinds:
//
//   - Hugging Face: config.json (model_type resnet, or one of Fovea's own), preprocessor_config.json where it is there, and
//     the weights.
//   - timm: config.json with an architecture (resnet18 to resnet200, also with the d of ResNet-D, tv_resnet… and dla34), and
//     the weights.
//   - A file of torchvision's or timm's (.pth): the weights alone. They tell the network and its sizes.
//     Where it states arch, as a checkpoint of timm's training program does, the name must be one of those. A file without it
//     is taken for a plain network: an anti-aliased ResNet (resnetaa50, resnetblur50) has the same tensors.
//
// Where nothing states how images are prepared, Preprocess is [vision.ImageNet], and PreprocessAssumed says so. torchvision's
// second weights (IMAGENET1K_V2) want a larger resize before the crop.
//
// A file without a classifier gives a model without a head. Names of more classes than the classifier has are dropped: they
// are those of another one. Networks that are not supported are refused, such as those with grouped convolutions (ResNeXt).
//
// Nothing in the folder is trusted. The error names the file, what was expected and what was found. It matches
// fs.ErrNotExist when the weights are missing, a *checkpoint.FormatError when they are malformed, and a
// *checkpoint.MismatchError when their tensors are not those of the configuration: it lists them all.
func Load(fsys fs.FS, o LoadOptions) (*Model, error) { return modelfolder.Load(fsys, family, o, read) }

func read(f *modelfolder.Folder) (*Model, error) {
	c, err := configure(f)
	if err != nil {
		return nil, err
	}
	y, table := family, tableOf(c)
	y.Names = &table
	f.Use(y)
	if err := c.Claim().Check(f.Weights); err != nil {
		return nil, err
	}
	classes, err := headRows(f, c)
	if err != nil {
		return nil, err
	}
	if err := f.FitClasses(&c.Classes, classes); err != nil {
		return nil, err
	}
	size := imageSize
	if err := f.Resize(&size, &c); err != nil {
		return nil, err
	}
	if size < 1 || size > 1<<14 {
		return nil, fmt.Errorf("LoadOptions.ImageSize: expected 1 to %d, found %d", 1<<14, size)
	}
	m := New(c, classes, nil)
	if m.Preprocess, m.PreprocessAssumed, err = preprocess(f, c); err != nil {
		return nil, err
	}
	m.Math = f.Math()
	return m, f.Fill(m)
}

// preprocess returns how images are prepared. The network has no size of its own, so that the file may have any.
func preprocess(f *modelfolder.Folder, c Config) (vision.Preprocess, bool, error) {
	side := imageSize
	if p, err := vision.LoadPreprocess(f.FS); err == nil {
		if height, width, ok := p.FixedSize(); ok {
			side = min(max(height, width), 4*imageSize) // Preprocess refuses a size that is much larger
		}
	}
	return f.Preprocess(vision.ImageNet(imageSize), modelfolder.Images{Height: side, Width: side, Channels: c.NumChannels})
}

// headRows returns the number of classes, 0 for a file without a classifier.
func headRows(f *modelfolder.Folder, c Config) (int, error) {
	t, ok := f.Find("Head.Weight")
	if !ok {
		return 0, nil
	}
	want := []int{0, c.FeatureSize()}
	if len(t.Shape) == 4 && c.ModelType == dlaType {
		want = append(want, 1, 1)
	}
	if len(t.Shape) != len(want) || !slices.Equal(t.Shape[1:], want[1:]) {
		return 0, fmt.Errorf("%s: %s: expected the shape [classes %d], found %v", f.Weights.Name(), t.Name, c.FeatureSize(), t.Shape)
	}
	return t.Shape[0], nil
}

// configure returns the configuration of a folder, checked.
func configure(f *modelfolder.Folder) (Config, error) {
	switch f.Form {
	case modelfolder.HuggingFace:
		c, err := stated(f.Config)
		if err != nil {
			return c, fmt.Errorf("%s: %w", modelfolder.ConfigName, err)
		}
		if err := f.Configure(&c); err != nil {
			return c, err
		}
		return c, nil
	case modelfolder.Timm:
		return timmConfig(f)
	}
	c, err := bareConfig(f)
	return c, f.Checked(&c, err)
}

// bareConfig is the configuration of weights that come without one. timm's training program and PyTorch's example for
// ImageNet write the name of the network beside them: it tells networks whose weights are like those of plain ones.
func bareConfig(f *modelfolder.Folder) (Config, error) {
	if arch, ok := f.Weights.Metadata("arch"); ok && resNetName.MatchString(arch) {
		if name, _, _ := strings.Cut(arch, "."); !timmName.MatchString(name) {
			return Config{}, fmt.Errorf("arch: %q is not supported", arch)
		}
	}
	return ConfigOf(f.Weights)
}

// stated returns the defaults of the model_type in a config.json.
func stated(data []byte) (Config, error) {
	var kind struct {
		ModelType string `json:"model_type"`
	}
	if err := strictjson.Decode(data, &kind); err != nil {
		return Config{}, err
	}
	switch kind.ModelType {
	case shuffleType:
		return ShuffleNetV2x10(), nil
	case dlaType:
		return DLA34(), nil
	case plainType:
		return Plain(), nil
	}
	return defaults(), nil
}

// Save writes the model to a folder, which it makes when it is not there: config.json, preprocessor_config.json and
// model.safetensors. Each file appears whole or not at all. A model that was loaded from the same folder may be saved there.
// Classes without a name are called LABEL_0 and so on.
//
// Layout models.HuggingFace writes for transformers, which loads a ResNet to the same outputs. A network that transformers
// lacks has a model_type of Fovea's own, and its tensors have torchvision's or timm's names. [Load] reads the folder.
//
// Layout models.Timm writes a ResNet or DLA for timm: timm.create_model("local-dir:DIR", pretrained=True) makes the same
// model. timm's tensors have torchvision's names, so that torchvision loads the file too. Layout models.Original is
// torchvision's for a ShuffleNetV2.
func (m *Model) Save(dir string, o SaveOptions) error {
	c := m.Config
	classes := 0
	c.Architectures = nil
	if m.Head != nil {
		classes = m.Head.Weight.Shape()[0]
		c.NameAll(classes)
	} else {
		c.Classes = models.Classes{}
	}
	y, table := family, tableOf(c)
	y.Names = &table
	contents := modelfolder.Contents{Config: c, Preprocess: &m.Preprocess, Model: m}
	switch {
	case o.Layout == models.Timm && slices.Contains(table.Columns, o.Layout.String()):
		theirs, err := m.forTimm(c, classes)
		if err != nil {
			return fmt.Errorf("backbone: layout Timm: %w", err)
		}
		contents.Config = theirs
	case o.Layout == models.HuggingFace && c.ownResNet():
		c.ModelType = ownType
		contents.Config, o.Layout = c, models.Timm // the names
	case o.Layout == models.HuggingFace && c.ModelType == resNetType:
		c.Architectures = []string{"ResNetModel"}
		if m.Head != nil {
			c.Architectures[0] = "ResNetForImageClassification"
		}
		contents.Config = c
	}
	return y.Save(dir, contents, o)
}

var errUnknown = errors.New("expected the weights of a ResNet, a ShuffleNetV2 or a DLA under the names of torchvision, timm or transformers")
