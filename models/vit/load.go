package vit

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"

	"github.com/fovea-ml/fovea/models"
	"github.com/fovea-ml/fovea/models/internal/config"
	"github.com/fovea-ml/fovea/models/internal/modelfolder"
	"github.com/fovea-ml/fovea/models/internal/timm"
	"github.com/fovea-ml/fovea/models/internal/tower"
	"github.com/fovea-ml/fovea/vision"
)

// LoadOptions change how [Open] and [Load] work; models.LoadOptions describes the fields. The zero value is strict.
type LoadOptions = models.LoadOptions

// SaveOptions change how [Model.Save] works; models.SaveOptions describes the fields.
type SaveOptions = models.SaveOptions

// Open reads the model at a path, a folder or one file of weights, as [Load] does. The error names the path. Beside a file,
// config.json and preprocessor_config.json count as in a folder. So a file of another model needs a folder of its own.
func Open(path string, o LoadOptions) (*Model, error) {
	return modelfolder.Open(path, family, o, read)
}

// Load reads a model from a folder of one of these kinds:
//
//   - Hugging Face: config.json (model_type vit, deit, dinov2, dinov2_with_registers, dinov3_vit, beit or data2vec-vision),
//     preprocessor_config.json where it is there, and the weights.
//   - timm: config.json with an architecture and a pretrained_cfg, and the weights. The image size is that of img_size,
//     or else of input_size where it is fixed.
//   - An .npz file of Google's releases, whose weights then lie in memory. It tells the number of heads.
//   - The original release of DeiT, MAE or DINOv2, or a file of timm's: the weights alone. The shapes of the tensors
//     give the sizes, with 64 values a head. The grid of patches is taken to be square, and the norms' epsilon timm's,
//     1e-6. A checkpoint of timm's training program names its architecture, which tells more.
//
// Weights alone do not tell some models of timm's from plain ones. Load refuses bare files that are like those of
// vit_pe_core_…, vit_base_patch16_rpn_224, eva02_enormous_… and, as safetensors, vit_…_rope_ape_224. The weights of the last
// in a .pth file are taken for DeiT III's. Give timm's config.json beside such weights.
//
// Where nothing states how images are prepared, Preprocess is assumed, and PreprocessAssumed says so. Hugging Face's form
// then has [vision.Half], and so have Google's releases. An architecture of timm's has its registered preparation:
// mean, deviation, crop and filter. Everything else has [vision.ImageNet].
//
// A file without a classifier gives a model without a head. Names of more classes than the classifier has are dropped:
// they are those of another one. ViT variants that are not supported are refused, such as those with differential attention.
//
// Nothing in the folder is trusted. The error names the file, what was expected and what was found. Where a size in
// config.json and the weights disagree, it names the field and the tensor. It matches fs.ErrNotExist when the weights are
// missing, a *checkpoint.FormatError when they are malformed, and a *checkpoint.MismatchError when their tensors are not
// those of the configuration: it lists them all.
func Load(fsys fs.FS, o LoadOptions) (*Model, error) { return modelfolder.Load(fsys, family, o, read) }

func read(f *modelfolder.Folder) (*Model, error) {
	weights, err := fromGoogle(f.Weights)
	if err != nil {
		return nil, err
	}
	f.Replace(weights)
	c, stored, err := configure(f)
	if err != nil {
		return nil, err
	}
	if f.Form == modelfolder.HuggingFace && !f.Options.Lenient {
		if err := (tower.Statement{Found: f.Found}).Agree(f.Find, c.sizes()); err != nil {
			return nil, fmt.Errorf("%s: %w", modelfolder.ConfigName, err)
		}
	}
	positions := c.Patches()
	if !c.positions() {
		positions = 0
	}
	channels, patch := c.NumChannels, c.PatchSize
	if c.Stem != nil {
		channels, patch = c.Stem.out(), c.PatchSize/c.Stem.Stride()
	}
	claim := modelfolder.ClaimEncoder(c.NumHiddenLayers, c.Block(), channels, patch, positions)
	if c.Stem != nil {
		claim.Values += c.Stem.values(c.NumChannels)
	}
	claim.Values += float64(c.NumRegisterTokens) * float64(c.HiddenSize)
	if c.RelativePositions {
		tables := c.NumHiddenLayers
		if c.SharedRelative {
			tables = 1
		}
		values := float64(c.relativeRows()) * float64(c.NumAttentionHeads)
		if c.RelativeHidden != 0 {
			values = float64(c.RelativeHidden) * float64(2+c.NumAttentionHeads)
		}
		claim.Values += float64(tables) * values
	}
	// Attention pooling has the projections of a block. Without a size of its own it is no larger than one, so that the error
	// may list what is missing of it.
	if c.Pooling == AttentionPooling && c.PoolIntermediateSize != 0 {
		claim = claim.Plus(modelfolder.ClaimBlocks(1, c.poolBlock()))
	}
	if err := claim.Check(f.Weights); err != nil {
		return nil, err
	}
	features := c.FeatureSize()
	classes, err := f.Rows("Head.Weight", features)
	if err != nil {
		return nil, err
	}
	if err := f.FitClasses(&c.Classes, classes); err != nil {
		return nil, err
	}
	height, width := c.Size()
	if size := f.Options.ImageSize; size != 0 && !c.anyGrid() && (size != height || size != width) {
		return nil, fmt.Errorf("relative positions are for images of %d×%d pixels, so ImageSize cannot change it", height, width)
	}
	if f.Options.ImageSize != 0 {
		c.ImageWidth = 0
	}
	if err := f.Resize(&c.ImageSize, &c); err != nil {
		return nil, err
	}
	if classes > 0 && c.FeatureSize() != features {
		return nil, fmt.Errorf("the classifier takes the patches of images of %d×%d pixels side by side, so ImageSize cannot change it", width, height)
	}
	m := New(c, classes, nil)
	if _, ok := f.Find("DistillationHead.Weight"); !ok {
		m.DistillationHead = nil // DeiTForImageClassification
	}
	images := modelfolder.Images{Height: height, Width: width, Channels: c.NumChannels}
	if m.Preprocess, m.PreprocessAssumed, err = f.Preprocess(usual(f, images), images); err != nil {
		return nil, err
	}
	m.Math = f.Math()
	return m, f.Fill(m, tower.FitPatches, tower.FitPositions(stored, c.grid(), c.resizing()), tower.FitRelative(stored, c.grid()))
}

func (c Config) resizing() tower.Interpolation {
	return tower.Interpolation{Antialias: c.AntialiasPositions, Offset: c.PositionOffset}
}

// usual returns the preprocessing that is assumed where the folder states none: that of transformers' first Vision
// Transformers, that of timm's architecture where its name is known, or else ImageNet's.
func usual(f *modelfolder.Folder, images modelfolder.Images) vision.Preprocess {
	_, ofGoogle := f.Weights.Metadata(googleHeads)
	if f.Form == modelfolder.HuggingFace || ofGoogle {
		p := vision.Half(images.Height)
		p.Width = images.Width
		return p
	}
	if p, ok := timm.Prepare(architecture(f), images.Channels, config.Size{Height: images.Height, Width: images.Width}); ok {
		return p
	}
	p := vision.ImageNet(min(images.Height, images.Width))
	p.CropHeight, p.CropWidth = images.Height, images.Width
	return p
}

// configure returns the configuration of a folder, checked, and the grid of the positions in the weights.
func configure(f *modelfolder.Folder) (c Config, stored tower.Grid, err error) {
	switch f.Form {
	case modelfolder.HuggingFace:
		c = defaults()
		if err := f.Configure(&c); err != nil {
			return c, stored, err
		}
		if isDINO(c.ModelType) {
			t, ok := f.Find("Head.Weight")
			if pooled := ok && len(t.Shape) == 2 && t.Shape[1] == 2*c.HiddenSize; pooled {
				c.Pooling = ClassMeanPooling
			} else {
				c.Pooling = ""
			}
		}
		if isBEiT(c.ModelType) && c.Pooling == MeanPooling {
			_, head := f.Find("Head.Weight")
			_, norm := f.Find("PoolNorm.Weight")
			c.NoFinalNorm = !head && !norm // BeitModel(add_pooling_layer=False), and Data2VecVisionModel
		}
		return c, c.grid(), nil
	case modelfolder.Timm:
		c, stored, err = timmConfig(f)
	default:
		if c, err = bareConfig(f); err == nil {
			stored = c.grid()
		}
		err = f.Checked(c, err)
	}
	if _, head := f.Find("Head.Weight"); c.DistillationToken && !head {
		c.Pooling = DistillationPooling
	}
	return c, stored, err
}

// bareConfig is the configuration of weights that come without one.
func bareConfig(f *modelfolder.Folder) (Config, error) {
	if err := tower.WantConfig(f.Find); err != nil {
		return Config{}, err
	}
	name := architecture(f)
	if timm.Known(name) {
		c, _, err := timmModel(f, &timm.Config{Architecture: name, ModelArgs: &timm.Args{}})
		return c, err
	}
	if err := timm.Supported(name); err != nil {
		return Config{}, err
	}
	for _, name := range []string{"Encoder.Blocks.0.Attention.Relative.Table", "Encoder.Blocks.0.Attention.Relative.MLP.FC1.Weight", "Encoder.Relative.MLP.FC1.Weight"} {
		if t, ok := f.Find(name); ok {
			return Config{}, fmt.Errorf("%s: a model with relative positions is supported with timm's config.json alone", t.Name)
		}
	}
	s, err := tower.ReadSizes(f.Find, nil)
	if err != nil {
		return Config{}, err
	}
	if s.NoKeyBias && (s.Gated || s.AttentionNorm || s.MLPNorm) {
		return Config{}, errors.New("the weights are like those of EVA-02, whose rotary positions no weight tells: give timm's config.json")
	}
	if kind := alike(f, s); kind != "" {
		return Config{}, fmt.Errorf("the weights are like those of %s, which a plain Vision Transformer does not compute: give timm's config.json", kind)
	}
	c := sized(s)
	if _, ok := f.Weights.Tensor("mask_token"); ok && c.LayerScaleInit != 0 { // DINOv2's
		c.AntialiasPositions, c.PositionOffset = c.NumRegisterTokens > 0, 0.1
		if c.NumRegisterTokens > 0 {
			c.PositionOffset = 0
		}
	}
	if c.PreNorm { // CLIP's
		c.LayerNormEps = 1e-5
	}
	switch {
	case s.Pool:
		c.Pooling = AttentionPooling
	case !s.Norm:
		c.Pooling = MeanPooling
	case !s.ClassToken:
		c.Pooling = NormMeanPooling
	}
	if heads, ok := f.Weights.Metadata(googleHeads); ok {
		c.NumAttentionHeads, err = strconv.Atoi(heads)
		c.AntialiasPositions = true // as timm, which reads these files
		return c, err
	}
	c.NumAttentionHeads, err = tower.Heads(s.Width)
	return c, err
}

// alike names the model of timm's with the given sizes that computes something that no weight tells, or "".
func alike(f *modelfolder.Folder, s tower.Sizes) string {
	scale, _ := f.Find("Encoder.Blocks.0.LayerScale1")
	switch {
	case s.PreNorm && s.Pool:
		return "the Perception Encoder (vit_pe_core_…), with rotary positions"
	case s.NoKeyBias && s.Width == 1792:
		return "eva02_enormous_…, which normalizes the branches of its blocks"
	case !s.ClassToken && !s.QKVBias && !s.LayerScale && !s.Parallel && s.Branches < 2 && s.Registers == 0:
		return "vit_base_patch16_rpn_224, which normalizes the branches of its blocks"
	case strings.HasSuffix(scale.Name, "gamma_1") && path.Ext(f.Weights.Name()) == ".safetensors":
		return "vit_…_rope_ape_224, with rotary positions; DeiT III's own release is a .pth file"
	}
	return ""
}

// sizes returns what the configuration states of the encoder.
func (c Config) sizes() tower.Sizes {
	return tower.Sizes{
		Stack: tower.Stack{Width: c.HiddenSize, Layers: c.NumHiddenLayers, Hidden: c.IntermediateSize, Gated: c.GatedMLP,
			QKVBias: c.QKVBias, NoKeyBias: c.NoKeyBias, QKNorm: c.QKNorm, LayerScale: c.LayerScaleInit != 0,
			AttentionNorm: c.AttentionNorm, MLPNorm: c.MLPNorm, Parallel: c.ParallelMLP, Branches: c.ParallelBranches},
		Channels: c.NumChannels, Patch: c.PatchSize, Grid: c.grid(),
		ClassToken: !c.NoClassToken, Distillation: c.DistillationToken, Registers: c.NumRegisterTokens, RegisterPositions: c.RegisterPositions,
		Relative: c.RelativePositions, SharedRelative: c.SharedRelative, RelativeHidden: c.RelativeHidden, Stem: (*tower.Stem)(c.Stem), PreNorm: c.PreNorm, Norm: c.Pooling != MeanPooling && !c.NoFinalNorm, Pool: c.Pooling == AttentionPooling, PoolHidden: c.PoolIntermediateSize,
	}
}

// sized is the configuration that the sizes of an encoder give, with timm's epsilon. The number of heads, and what no
// size tells, are the defaults. Position embeddings are resized as the original releases do it.
func sized(s tower.Sizes) Config {
	c := defaults()
	c.LayerNormEps = 1e-6
	c.NumChannels, c.PatchSize = s.Channels, s.Patch
	c.SetSize(s.Patch*s.Grid.Rows, s.Patch*s.Grid.Columns)
	c.HiddenSize, c.NumHiddenLayers, c.IntermediateSize = s.Width, s.Layers, s.Hidden
	c.QKVBias, c.NoClassToken, c.PreNorm = s.QKVBias, !s.ClassToken, s.PreNorm
	c.NumRegisterTokens, c.RegisterPositions, c.DistillationToken = s.Registers, s.RegisterPositions, s.Distillation
	if s.PoolHidden != s.Hidden {
		c.PoolIntermediateSize = s.PoolHidden
	}
	c.NoKeyBias, c.QKNorm = s.NoKeyBias, s.QKNorm
	c.AttentionNorm, c.MLPNorm, c.ParallelMLP, c.ParallelBranches = s.AttentionNorm, s.MLPNorm, s.Parallel, s.Branches
	c.Stem, c.RelativePositions, c.SharedRelative = (*StemConfig)(s.Stem), s.Relative, s.SharedRelative
	c.RelativeHidden = s.RelativeHidden
	if c.GatedMLP = s.Gated; s.Gated {
		c.HiddenAct = "silu"
	}
	if s.LayerScale {
		c.LayerScaleInit = 1e-5
	}
	return c
}

// Save writes the model to a folder, which it makes when it is not there: config.json, preprocessor_config.json and
// model.safetensors. Each file appears whole or not at all. A model that was loaded from the same folder may be saved
// there. Classes without a name are called LABEL_0 and so on, as transformers does, and so are all classes when Config
// names more than the head has.
//
// Layout models.HuggingFace writes for transformers, which loads the folder to the same outputs. It resizes positions for
// images of another size by a filter of its own, and AntialiasPositions selects timm's. The model_type is one that [Load] lists,
// whichever computes the same. A model that none of them computes, such as one with
// PreNorm, has the model_type fovea_vit, and its tensors have timm's names, so that no class of transformers takes it for
// another model. [Load] reads the folder.
//
// Layout models.Timm writes for timm: timm.create_model("local-dir:DIR", pretrained=True) makes the same model, and so does
// transformers' AutoModelForImageClassification, which calls timm. The names are also those of the original releases of
// DeiT and of MAE's encoder. Of Config, timm does not keep dropout rates, and its epsilon is 1e-6 where Config's is
// smaller; one that is larger and not 1e-5 is an error. So is an option that timm's VisionTransformer lacks, such as
// FlattenPooling or rotary positions.
//
// The error is the file system's, or Preprocess's when that is not valid.
func (m *Model) Save(dir string, o SaveOptions) error {
	c := m.Config
	classes := 0
	if m.Head != nil {
		classes = m.Head.Weight.Shape()[0]
		c.NameAll(classes)
	} else {
		c.Classes = models.Classes{}
	}
	y := family
	y.Names = m.names()
	var class string
	c.Architectures = nil
	if c.ModelType, class = m.transformers(); class != "" {
		c.Architectures = []string{class}
	}
	contents := modelfolder.Contents{Config: c, Preprocess: &m.Preprocess, Model: m}
	switch {
	case o.Layout == models.Timm:
		theirs, err := m.forTimm(c, classes)
		if err != nil {
			return fmt.Errorf("vit: layout Timm: %w", err)
		}
		contents.Config, contents.Model = theirs, m.timmWeights()
	case o.Layout == models.HuggingFace && class == "":
		o.Layout = models.Timm // the names
	}
	return y.Save(dir, contents, o)
}
