package detect

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/fovea-ml/fovea/checkpoint"
	"github.com/fovea-ml/fovea/internal/smallfile"
	"github.com/fovea-ml/fovea/internal/strictjson"
	"github.com/fovea-ml/fovea/models"
	"github.com/fovea-ml/fovea/models/backbone"
	"github.com/fovea-ml/fovea/models/internal/modelfolder"
	"github.com/fovea-ml/fovea/models/internal/tower"
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

// family says how detectors lie in folders. The names of their tensors differ, and are chosen when the network is known.
var family = modelfolder.Family{
	Package: "detect", ModelType: fastestType, Others: []string{fcosType, retinaType, rcnnType, yoloType, centerType, darknetType, detrType, yolosType,
		rtdetrType, rtdetrV2Type}, Names: &fastestNames, Fields: configFields, Images: true,
}

// families tells them apart by config.json.
var families = func() modelfolder.Family {
	y := family
	y.Of = familyOf
	return y
}()

// familyOf returns the family of the detector that a config.json describes.
func familyOf(data []byte) (modelfolder.Family, error) {
	y := family
	var kind struct {
		ModelType     string   `json:"model_type"`
		Architectures []string `json:"architectures"`
	}
	if err := strictjson.Decode(data, &kind); err != nil {
		return y, err
	}
	switch kind.ModelType {
	case detrType:
		y.Fields, y.Unsupported = detrFields, detrUnsupported
	case yolosType:
		y.Fields = yolosFields
	case rtdetrType, rtdetrV2Type:
		y.Fields = rtdetrFields
	case "conditional_detr", "deformable_detr", "dab_detr", "table-transformer":
		return y, fmt.Errorf("model_type: the variant %q of DETR is not supported", kind.ModelType)
	}
	if slices.Contains(kind.Architectures, "DetrForSegmentation") {
		return y, errors.New("architectures: DetrForSegmentation, which finds masks (panoptic segmentation), is not supported: expected DetrForObjectDetection")
	}
	return y, nil
}

// namesOf returns the table of names of a configuration.
func namesOf(c Config) *checkpoint.Names {
	table := fastestNames
	switch c.ModelType {
	case fcosType:
		table = fcosNames(c)
	case retinaType:
		table = retinaNames(c)
	case rcnnType:
		table = rcnnNames(c)
	case detrType:
		table = detrNames(*c.DETR)
	case yolosType:
		table = yolosNames
	case yoloType:
		table = yoloNames(c)
	case centerType:
		table = centerNames(c)
	case darknetType:
		table = darknetNames()
	case rtdetrType, rtdetrV2Type:
		table = rtdetrNames(c)
	}
	return &table
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
	return modelfolder.Open(path, families, o, read)
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
//
// The weights tell the network, its sizes and the number of classes. A file *.names beside them has the names of the classes.
// Without names, a model of torchvision's or a DETR with 91 classes gets those of COCO, which have gaps, and so does a FastestDet with
// 80. LabelsAssumed says so, and [Model.Save] does not write such names.
//
// torchvision's first weights of RetinaNet and Faster R-CNN (retinanet_resnet50_fpn_coco-….pth and
// fasterrcnn_resnet50_fpn_coco-….pth) have normalizations without an epsilon. No tensor says so. A file with 91 classes and the
// names that torchvision 0.12 and earlier wrote is taken for them, and NormEpsAssumed says so. Other files have an epsilon
// of 1e-5. A config.json beside the weights can state another one: norm_eps.
//
// A folder of transformers without preprocessor_config.json has the preprocessing of the released models, and PreprocessAssumed
// says so.
//
// LoadOptions.ImageSize is, for FastestDet and RT-DETR, the side of the squares that images are stretched to, a multiple of 32, and for
// the others the length of the shorter side; the limit of the longer one changes in proportion. Nothing in the folder is
// trusted. The error names the file, what was expected and what was found. It matches fs.ErrNotExist when the weights are
// missing, a *checkpoint.FormatError when they are malformed, and a *checkpoint.MismatchError when their tensors are not
// those of the network: it lists them all.
func Load(fsys fs.FS, o LoadOptions) (*Model, error) {
	return modelfolder.Load(fsys, families, o, read)
}

func read(f *modelfolder.Folder) (*Model, error) {
	switch typeOf(f.Config) {
	case rtdetrType, rtdetrV2Type:
		return readRTDETR(f)
	}
	c, err := configure(f)
	if err != nil {
		return nil, err
	}
	y := family
	y.Names = namesOf(c)
	f.Use(y)
	if err := c.claim().Check(f.Weights); err != nil {
		return nil, err
	}
	var prepare vision.Preprocess
	assumed := false
	if set := slices.Contains(setTypes, c.ModelType); set {
		prepare, assumed, err = setPreprocess(f, &c)
	} else {
		err = resize(f, &c)
	}
	if err != nil {
		return nil, err
	}
	classes, err := classRows(f, c)
	if err != nil {
		return nil, err
	}
	if n := f.NumLabels(); !c.Fit(classes) || f.Form == modelfolder.HuggingFace && n >= 0 && n != len(c.ID2Label) {
		c.ID2Label, c.Label2ID = nil, nil
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
	if _, ok := probe.Finder(f.Weights)("DETR"); ok {
		c, weights, err := originalDETR(f)
		if err == nil {
			f.Replace(weights)
		}
		return c, f.Checked(c, err)
	}
	read := pyramidOf
	if ofCenterNet(f.Weights) {
		read = centerOf
	}
	c, err := read(f)
	return c, f.Checked(c, err)
}

// probe names the tensors by which torchvision's detectors and DETR's release are told apart.
var probe = names([]checkpoint.Rule{
	{"DETR", "transformer.decoder.norm.weight"},
	{"FCOS", "head.regression_head.bbox_ctrness.weight"},
	{"OneStage", "head.regression_head.bbox_reg.weight"},
	{"OneStageNorm", "head.regression_head.conv.0.1.weight"},
	{"TwoStages", "rpn.head.bbox_pred.weight"},
	{"TwoStagesSecond", "roi_heads.box_head.5.weight"},
	{"YOLO", "convs.3.conv.weight"},
	{"TwoStagesClass", "roi_heads.box_predictor.cls_score.weight"},
	{"OneStageClass", "head.classification_head.cls_logits.weight"},
	{"FirstNames", "backbone.fpn.inner_blocks.0.weight"},
})

// ofFirstWeights reports whether a detector has the form of torchvision's first weights, COCO_V1 of RetinaNet and Faster R-CNN: the
// names of the pyramid that torchvision 0.12 and earlier wrote, and COCO's classes. torchvision loads these weights with
// normalizations that have no epsilon (overwrite_eps in models/detection/_utils.py).
func ofFirstWeights(c Config, find tower.Finder) bool {
	class, classes := "TwoStagesClass", len(cocoNames)
	switch {
	case c.SecondVersion || c.ModelType == fcosType:
		return false
	case c.ModelType == retinaType:
		class, classes = "OneStageClass", retinaAnchors*len(cocoNames)
	}
	_, first := find("FirstNames")
	t, ok := find(class)
	return first && ok && len(t.Shape) > 0 && t.Shape[0] == classes
}

// withoutEps is an epsilon that no variance is smaller than: 0 stands for the default.
const withoutEps = 1e-30

// pyramidOf returns the configuration of a file of torchvision.
func pyramidOf(f *modelfolder.Folder) (Config, error) {
	body, err := backbone.ConfigOf(f.Weights, "backbone.body.")
	if err != nil {
		const expected = "expected the weights of FastestDet, of torchvision's FCOS, RetinaNet or Faster R-CNN, or of DETR"
		if ofDetector(f.Weights) {
			return Config{}, fmt.Errorf(expected+": backbone: %w", err)
		}
		return Config{}, errors.New(expected)
	}
	find := probe.Finder(f.Weights)
	has := func(part string) bool { _, ok := find(part); return ok }
	sized := func(part, shape string, dims int) (checkpoint.Tensor, error) {
		t, ok := find(part)
		switch {
		case !ok:
			return t, fmt.Errorf("expected the tensor %s, found none", probe.Tensors(part)[0][0])
		case len(t.Shape) != dims:
			return t, fmt.Errorf("%s: expected the shape %s, found %v", t.Name, shape, t.Shape)
		}
		return t, nil
	}
	c, head := pyramidConfig(fcosType), "OneStage"
	switch {
	case has("FCOS"):
	case has("OneStage"):
		c.ModelType, c.SecondVersion = retinaType, has("OneStageNorm")
	case has("TwoStages"):
		c.ModelType, c.SecondVersion, head = rcnnType, has("TwoStagesSecond"), "TwoStages"
		t, err := sized("TwoStagesClass", "[classes size]", 2)
		if err != nil {
			return c, err
		}
		c.HeadSize = t.Shape[1]
	case has("YOLO"):
		return c, fmt.Errorf("the weights of a YOLOv1 do not tell its grid: expected %s beside them", modelfolder.ConfigName)
	default:
		return c, errors.New("expected the weights of torchvision's FCOS, RetinaNet or Faster R-CNN, found a feature pyramid with another head")
	}
	if ofFirstWeights(c, find) {
		c.NormEps = withoutEps
	}
	c.Backbone = &body
	t, err := sized(head, "[out in height width]", 4)
	if err != nil {
		return c, err
	}
	c.FPNChannels = t.Shape[1]
	return c, nil
}

// ofDetector reports whether the weights have tensors of the heads of torchvision's detectors.
func ofDetector(weights *checkpoint.File) bool {
	for name := range weights.Names() {
		for _, prefix := range probe.Prefixes {
			name = strings.TrimPrefix(name, prefix)
		}
		if strings.HasPrefix(name, "rpn.") || strings.HasPrefix(name, "head.") {
			return true
		}
	}
	return false
}

// claim returns the least that the weights are.
func (c Config) claim() modelfolder.Claim {
	switch c.ModelType {
	case fastestType:
		return modelfolder.Claim{}
	case yoloType:
		return c.Backbone.Claim().Plus(c.yoloClaim())
	case centerType:
		return c.Backbone.Claim().Plus(c.centerClaim())
	case darknetType:
		return c.darknetClaim()
	case detrType:
		return c.DETR.claim()
	case yolosType:
		return c.YOLOS.claim()
	}
	claim, width := c.Backbone.Claim(), float64(c.FPNChannels)
	if c.ModelType == rcnnType {
		head := float64(c.HeadSize)
		values := 5*9*width*width + width*binsOfBox*binsOfBox*head
		if c.SecondVersion {
			values += (1 + towerDepth) * 9 * width * width
		} else {
			values += head * head
		}
		return claim.Plus(modelfolder.Claim{Values: values})
	}
	return claim.Plus(modelfolder.Claim{Values: (3 + 2 + 2*towerDepth) * 9 * width * width})
}

// resize applies LoadOptions.ImageSize, to others than detectors that predict a set.
func resize(f *modelfolder.Folder, c *Config) error {
	switch c.ModelType {
	case fastestType, centerType:
		return f.Resize(&c.ImageSize, c)
	case darknetType:
		if size := f.Options.ImageSize; size != 0 && size != c.ImageSize {
			return fmt.Errorf("LoadOptions.ImageSize: the network takes images of %d pixels alone, found %d", c.ImageSize, size)
		}
		return nil
	case yoloType:
		if size := f.Options.ImageSize; size != 0 && size != c.ImageSize && c.HeadSize != 0 {
			return fmt.Errorf("LoadOptions.ImageSize: the fully connected layers take images of %d pixels alone, found %d", c.ImageSize, size)
		} else if size != 0 {
			c.GridSize = size * c.GridSize / c.ImageSize
		}
		return f.Resize(&c.ImageSize, c)
	}
	before := c.MinSize
	if size := f.Options.ImageSize; size != 0 {
		c.MaxSize = scaled(c.MaxSize, size, before)
	}
	return f.Resize(&c.MinSize, c)
}

// setPreprocess returns the preprocessing of a folder of a detector that predicts a set, and whether nothing states it: it is that
// of the released models then. For LoadOptions.ImageSize, which is the shorter side, all sides change in proportion.
func setPreprocess(f *modelfolder.Folder, c *Config) (p vision.Preprocess, assumed bool, err error) {
	p = detrPreprocess()
	if c.ModelType == yolosType {
		p = yolosPreprocess()
	}
	stated, err := vision.LoadPreprocess(f.FS)
	assumed = errors.Is(err, fs.ErrNotExist)
	switch {
	case err == nil:
		p = stated
	case !assumed:
		return p, false, err
	}
	short := shorter(p)
	size := short
	if err := f.Resize(&size, c); err != nil {
		return p, false, err
	}
	if size != short {
		if short == 0 {
			return p, false, errors.New("LoadOptions.ImageSize: images are not resized: expected 0")
		}
		p = forSize(p, size)
	}
	if most := max(p.Width, p.Height, p.MaxLong); most > maxSize {
		return p, false, fmt.Errorf("images are prepared with sides of up to %d pixels, expected at most %d", most, maxSize)
	}
	if p.Mode == vision.LongSide || p.CropWidth != 0 {
		return p, false, fmt.Errorf("%s: expected a size without a crop, found %v and a crop to %d×%d", vision.PreprocessorName, p.Mode, p.CropWidth, p.CropHeight)
	}
	return p, assumed, p.Validate()
}

// classRows returns the number of classes that the weights have.
func classRows(f *modelfolder.Folder, c Config) (int, error) {
	if c.ModelType == yoloType || c.ModelType == darknetType {
		return yoloClasses(f, c)
	}
	param, each, none, want := "Class.Weight", 1, 0, []int{c.FPNChannels, 3, 3}
	switch c.ModelType {
	case fastestType:
		param, want = "Class.Predict.Conv.Weight", []int{fastestWidth, 1, 1}
	case retinaType:
		each = retinaAnchors
	case rcnnType:
		want = []int{c.HeadSize}
	case centerType:
		param, want = "Heatmap.Predict.Weight", []int{c.HeadSize, 1, 1}
	case detrType:
		want, none = []int{c.DETR.DModel}, 1
	case yolosType:
		param, want, none = "Class.Layers.2.Weight", []int{c.YOLOS.HiddenSize}, 1
	}
	t, ok := f.Find(param)
	if !ok {
		return 0, fmt.Errorf("%s: the weights have no classifier of a %s", f.Weights.Name(), c.ModelType)
	}
	if len(t.Shape) == 0 || !slices.Equal(t.Shape[1:], want) || t.Shape[0] < each+none || t.Shape[0]%each != 0 {
		return 0, fmt.Errorf("%s: %s: expected a shape of a multiple of %d, and %v, found %v", f.Weights.Name(), t.Name, each, want, t.Shape)
	}
	return t.Shape[0]/each - none, nil // without the class of no object
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

// Save writes the model to a folder, which it makes when it is not there: config.json and model.safetensors, whose tensors
// have the names of the release or of torchvision. Each file appears whole or not at all. Classes without a name are called
// LABEL_0 and so on. Names that LabelsAssumed took for COCO's are not written, so that they stay assumed. A DETR, a YOLOS or an
// RT-DETR has the files of transformers, which loads them to the same outputs: also preprocessor_config.json, and all names. The
// layout is models.HuggingFace.
func (m *Model) Save(dir string, o SaveOptions) error {
	if m.Config.RTDETR != nil {
		return m.saveRTDETR(dir, o)
	}
	c := m.Config
	if set := slices.Contains(setTypes, c.ModelType); !set && m.LabelsAssumed && slices.Equal(m.Labels(), m.cocoLabels()) {
		c.ID2Label, c.Label2ID = nil, nil
	} else {
		c.NameAll(m.Classes)
	}
	y := family
	y.Names = namesOf(c)
	contents := modelfolder.Contents{Config: c, Model: m.Network}
	if d, ok := m.Network.(setNetwork); ok {
		class := map[string]string{detrType: "DetrImageProcessor", yolosType: "YolosImageProcessor"}[c.ModelType]
		var err error
		if contents.Parts, err = processor(*d.preparing(), class); err != nil {
			return fmt.Errorf("detect: %w", err)
		}
	}
	return y.Save(dir, contents, o)
}

// processor returns the file preprocessor_config.json of a detector of transformers, whose class also says how predictions become
// detections there.
func processor(p vision.Preprocess, class string) ([]modelfolder.Part, error) {
	data, err := json.Marshal(p)
	if err != nil {
		return nil, err
	}
	fields := map[string]any{}
	if err := json.Unmarshal(data, &fields); err != nil {
		return nil, err
	}
	fields["image_processor_type"], fields["format"] = class, "coco_detection"
	delete(fields, "do_center_crop")
	data, err = json.MarshalIndent(fields, "", "  ")
	return []modelfolder.Part{{Name: vision.PreprocessorName, Data: append(data, '\n')}}, err
}
