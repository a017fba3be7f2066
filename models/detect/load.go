package detect

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/fovea-ml/fovea/checkpoint"
	"github.com/fovea-ml/fovea/internal/smallfile"
	"github.com/fovea-ml/fovea/internal/strictjson"
	"github.com/fovea-ml/fovea/models"
	"github.com/fovea-ml/fovea/models/internal/modelfolder"
	"github.com/fovea-ml/fovea/vision"
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

// family says how detectors of a kind lie in folders. The names of their tensors are chosen when the configuration is known.
func (k kind) family() modelfolder.Family {
	y := modelfolder.Family{Package: "detect", ModelType: fastestType, Others: modelTypes(), Names: &fastestNames, Fields: configFields, Images: true,
		Unsupported: torchvisionUnsupported}
	if t := k.transformers; t != nil {
		y.Fields, y.Unsupported = t.fields, t.traces
	}
	return y
}

// named is the family with the names of a configuration.
func (k kind) named(c Config) modelfolder.Family {
	y, table := k.family(), k.names(c)
	y.Names = &table
	return y
}

// families tells the kinds apart by config.json.
func families() modelfolder.Family {
	y := kind{}.family()
	y.Of = familyOf
	return y
}

// familyOf returns the family of the detector that a config.json describes.
func familyOf(data []byte) (modelfolder.Family, error) {
	var described struct {
		ModelType     string   `json:"model_type"`
		Architectures []string `json:"architectures"`
	}
	if err := strictjson.Decode(data, &described); err != nil {
		return modelfolder.Family{}, err
	}
	y := kindOf(described.ModelType).family()
	switch described.ModelType {
	case "conditional_detr", "deformable_detr", "dab_detr", "table-transformer":
		return y, fmt.Errorf("model_type: the variant %q of DETR is not supported", described.ModelType)
	}
	if slices.Contains(described.Architectures, "DetrForSegmentation") {
		return y, errors.New("architectures: DetrForSegmentation, which finds masks (panoptic segmentation), is not supported: expected DetrForObjectDetection")
	}
	return y, nil
}

// Open reads the model at a path, a folder or one file of weights, as [Load] does. The error names the path. Beside a file,
// config.json and a file of names count as in a folder. So a file of another model needs a folder of its own.
//
// A path that ends in .weights is a file of darknet's, and [OpenDarknet] reads it with the file .cfg of the same name.
func Open(path string, o LoadOptions) (*Model, error) {
	if base, ok := strings.CutSuffix(path, ".weights"); ok {
		if o.ImageSize != 0 || o.File != "" {
			return nil, fmt.Errorf("detect: %s: LoadOptions: expected no ImageSize and no File beside a file of darknet's", path)
		}
		return OpenDarknet(base+".cfg", path)
	}
	return modelfolder.Open(path, families(), o, read)
}

// Load reads a model from a folder of one of these kinds:
//
//   - a folder that [Model.Save] wrote: config.json and the weights
//   - a file of weights of torchvision (.pth), a fcos_resnet50_fpn, retinanet_resnet50_fpn or fasterrcnn_resnet50_fpn, also
//     of the second version, on a ResNet of any depth
//   - a file of weights of the release of FastestDet (.pth)
//   - a folder of transformers, with the model_type rt_detr or rt_detr_v2: config.json, preprocessor_config.json where it is there,
//     and the weights. Other backbones than its rt_detr_resnet are refused.
//   - a file of weights of the release of CenterNet (ctdet_….pth) with a ResNet or DLA-34; hourglasses, dlav0, and networks
//     that find poses or boxes in space are refused
//   - a folder of transformers, with the model_type detr or yolos: config.json, preprocessor_config.json where it is there, and the
//     weights. Those of panoptic segmentation and of DETR's variants are refused.
//   - a file of weights of DETR's release (facebookresearch/detr, .pth), DC5 by its name
//   - a file of weights of YOLOS's release (hustvl/YOLOS, .pth)
//   - a file of weights of RT-DETR's release (lyuwenyu/RT-DETR, .pth), of both versions; discrete attention by "dsp" in its name.
//     All blocks of the decoder count: rtdetr_r50vd_m, which its authors end after the third of six, ends after the last
//
// The weights tell the network, its sizes and the number of classes. A file *.names beside them has the names of the
// classes. Without names, a model of torchvision's or a DETR with 91 classes gets those of COCO, which have gaps, and
// so does a FastestDet with 80. LabelsAssumed says so, and [Model.Save] does not write such names.
//
// torchvision's first weights of RetinaNet and Faster R-CNN (retinanet_resnet50_fpn_coco-….pth and
// fasterrcnn_resnet50_fpn_coco-….pth) have normalizations without an epsilon. No tensor says so. A file with 91 classes
// and the names that torchvision 0.12 and earlier wrote is taken for them, and NormEpsAssumed says so. Other files have
// an epsilon of 1e-5. A config.json beside the weights can state another one: norm_eps.
//
// A file of torchvision's holds weights alone. Other arguments that the model was made with are not in it: anchors of other
// sizes, and other means of pixels, are not supported, while [Model.SetSize] and [Options] set the size of images, thresholds
// and numbers of detections.
//
// A folder of transformers without preprocessor_config.json has the preprocessing of the released models, and
// PreprocessAssumed says so.
//
// LoadOptions.ImageSize is, for FastestDet and RT-DETR, the side of the squares that images are stretched to, a
// multiple of 32, and for the others the length of the shorter side; the limit of the longer one changes in proportion.
// Nothing in the folder is trusted. The error names the file, what was expected and what was found. It matches
// fs.ErrNotExist when the weights are missing, a *checkpoint.FormatError when they are malformed, and a
// *checkpoint.MismatchError when their tensors are not those of the network: it lists them all.
func Load(fsys fs.FS, o LoadOptions) (*Model, error) {
	return modelfolder.Load(fsys, families(), o, read)
}

func read(f *modelfolder.Folder) (*Model, error) {
	c, err := configure(f)
	if err != nil {
		return nil, err
	}
	k := kindOf(c.ModelType)
	y := k.named(c)
	if t := k.transformers; t != nil && t.ignore != nil {
		y.Names.Ignore = t.ignore(f.Weights)
	}
	f.Use(y)
	if err := k.claim(c).Check(f.Weights); err != nil {
		return nil, err
	}
	var prepare vision.Preprocess
	assumed := false
	if k.transformers != nil {
		prepare, assumed, err = k.transformers.preprocess(f, &c)
	} else {
		err = k.resize(f, &c)
	}
	if err != nil {
		return nil, err
	}
	classes, err := k.rows(c).classes(f, c.ModelType)
	if err != nil {
		return nil, err
	}
	if k.classClaim != nil {
		if err := k.claim(c).Plus(k.classClaim(c, classes)).Check(f.Weights); err != nil {
			return nil, err
		}
	}
	if err := f.FitClasses(&c.Classes, classes); err != nil {
		return nil, err
	}
	m := New(c, classes, nil)
	if d, ok := m.Network.(setNetwork); ok {
		*d.preparing() = prepare
	}
	m.PreprocessAssumed = assumed
	m.NormEpsAssumed = f.Form != modelfolder.HuggingFace && c.NormEps != 0
	if len(c.ID2Label) == 0 {
		if err := m.readNames(f.FS); err != nil {
			return nil, err
		}
	}
	m.Math = f.Math()
	return m, f.Fill(m.Network)
}

// configure returns the configuration of a folder, checked.
func configure(f *modelfolder.Folder) (Config, error) {
	switch f.Form {
	case modelfolder.HuggingFace:
		var c Config
		return c, f.Configure(&c)
	case modelfolder.Timm:
		return Config{}, errors.New("config.json: expected the file of a detector, found timm's")
	}
	if _, ok := f.Find("Class.Predict.Conv.Weight"); ok {
		return Fastest(), nil
	}
	find := probe.Finder(f.Weights)
	var original func(*modelfolder.Folder) (Config, *checkpoint.File, error)
	if _, ok := find("DETR"); ok {
		original = originalDETR
	} else if _, ok := find("RTDETR"); ok {
		original = originalRTDETR
	}
	if original != nil {
		c, weights, err := original(f)
		if err == nil {
			f.Replace(weights)
		}
		return c, f.Checked(c, err)
	}
	if _, ok := find("YOLOS"); ok {
		c, err := originalYOLOS(f)
		return c, f.Checked(c, err)
	}
	read := pyramidOf
	if ofCenterNet(f.Weights) {
		read = centerOf
	}
	c, err := read(f)
	return c, f.Checked(c, err)
}

// classes returns the number of classes that the weights have.
func (r classRows) classes(f *modelfolder.Folder, modelType string) (int, error) {
	t, ok := f.Find(r.param)
	if !ok {
		return 0, fmt.Errorf("%s: the weights have no classifier of a %s", f.Weights.Name(), modelType)
	}
	if len(t.Shape) == 0 || !slices.Equal(t.Shape[1:], r.row) || t.Shape[0] < r.each*(1+r.others) || t.Shape[0]%r.each != 0 {
		want := strings.TrimSpace("n " + strings.Trim(fmt.Sprint(r.row), "[]"))
		return 0, fmt.Errorf("%s: %s: expected a shape [%s], n a multiple of %d and at least %d, found %v",
			f.Weights.Name(), t.Name, want, r.each, r.each*(1+r.others), t.Shape)
	}
	return t.Shape[0]/r.each - r.others, nil
}

// readNames reads the names of the classes from the only file *.names of a folder. Without one, models with as many classes as
// their release on COCO have its.
func (m *Model) readNames(fsys fs.FS) error {
	files, err := fs.Glob(fsys, "*.names")
	if err != nil {
		return err
	}
	if len(files) != 1 {
		if labels := m.cocoLabels(); labels != nil {
			m.Config.SetLabels(labels)
			m.LabelsAssumed = true
		}
		return nil
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

// Save writes the model to a folder, which it makes when it is not there: config.json and model.safetensors, whose
// tensors have the names of the release or of torchvision. Each file appears whole or not at all. Classes without a
// name are called LABEL_0 and so on. Names that LabelsAssumed took for COCO's are not written, so that they stay
// assumed. A DETR, a YOLOS or an RT-DETR has the files of transformers, which loads them to the same outputs: also
// preprocessor_config.json, and all names. The layout is models.HuggingFace.
func (m *Model) Save(dir string, o SaveOptions) error {
	c := m.Config
	k := kindOf(c.ModelType)
	if k.transformers == nil && m.LabelsAssumed && slices.Equal(m.Labels(), m.cocoLabels()) {
		c.ID2Label, c.Label2ID = nil, nil
	} else {
		c.NameAll(m.Classes)
	}
	contents := modelfolder.Contents{Config: c, Model: m.Network}
	if t := k.transformers; t != nil {
		var err error
		if contents.Parts, err = processor(*m.Network.(setNetwork).preparing(), t.processor); err != nil {
			return fmt.Errorf("detect: %w", err)
		}
	}
	return k.named(c).Save(dir, contents, o)
}
