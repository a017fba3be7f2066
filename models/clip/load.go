package clip

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/fovea-ml/fovea/checkpoint"
	"github.com/fovea-ml/fovea/models"
	"github.com/fovea-ml/fovea/models/internal/modelfolder"
	"github.com/fovea-ml/fovea/models/internal/tower"
	"github.com/fovea-ml/fovea/text"
	"github.com/fovea-ml/fovea/vision"
)

// LoadOptions change how [Open] and [Load] work; models.LoadOptions describes the fields. The zero value is strict.
type LoadOptions = models.LoadOptions

// SaveOptions change how [Model.Save] works; models.SaveOptions describes the fields.
type SaveOptions = models.SaveOptions

// Open reads the model at a path, a folder or one file of weights, as [Load] does. The error names the path. Beside a
// file, the other files of the folder count as in a folder. So a file of another model needs a folder of its own.
func Open(path string, o LoadOptions) (*Model, error) {
	return modelfolder.Open(path, family, o, read)
}

// Load reads a model from a folder of one of these kinds, with the files of a tokenizer where they are there:
//
//   - Hugging Face: config.json (model_type clip, siglip, siglip2 or chinese_clip), preprocessor_config.json where it
//     is there, and the weights.
//   - open_clip: open_clip_config.json and the weights, open_clip_model.safetensors or another. A folder may hold both
//     kinds: config.json counts, unless LoadOptions.File begins with open_clip_, or all weights are open_clip's.
//   - OpenAI: the TorchScript archive alone, such as ViT-B-32.pt. The shapes of its tensors give the sizes, with 64
//     values a head, and the activation is quick_gelu. Other weights under these names need a configuration.
//   - Chinese-CLIP's own code: its .pt file alone, such as clip_cn_vit-b-16.pt, or a checkpoint of its training. The
//     shapes give the sizes, with 64 values a head, and 80 in images of ViT-H/14.
//
// All but the first prepare images as torchvision's transforms do, and tokenize as their library does. Where positions
// are for another image size, they are resized as open_clip does it.
//
// A folder of the first kind that also holds adapters of PEFT is refused, because transformers adds them.
//
// Nothing in the folder is trusted. The error names the file, what was expected and what was found. Where a size in
// config.json and the weights disagree, it names the field and the tensor. It matches fs.ErrNotExist when the weights
// are missing, a *checkpoint.FormatError when they are malformed, and a *checkpoint.MismatchError when their tensors
// are not those of the configuration: it lists them all.
func Load(fsys fs.FS, o LoadOptions) (*Model, error) { return modelfolder.Load(fsys, family, o, read) }

func read(f *modelfolder.Folder) (*Model, error) {
	c, prepared, err := configure(f)
	if err != nil {
		return nil, err
	}
	if err := c.claim().Check(f.Weights); err != nil {
		return nil, err
	}
	if c.Vision.NumPatches != 0 && f.Options.ImageSize != 0 {
		return nil, errors.New("the model takes images of any size, so ImageSize cannot be set; see Model.MaxPatches")
	}
	height, width := c.Vision.Size()
	var stored tower.Grid
	if c.Vision.resizable() {
		stored = storedGrid(f, c.Vision)
		if f.Options.ImageSize != 0 {
			c.Vision.ImageWidth = 0
		}
		if err := f.Resize(&c.Vision.ImageSize, &c); err != nil {
			return nil, err
		}
	}
	rules := text.OpenOptions{
		OpenAI:     f.Form != modelfolder.HuggingFace && !c.Vision.Pooled && c.Text.BERT == nil,
		Canonical:  f.Form == modelfolder.OpenCLIP && c.Vision.Pooled,
		Whitespace: f.Form == modelfolder.OpenCLIP && c.Text.BERT != nil,
	}
	var tokens source
	if f.Form == modelfolder.Bare && c.Text.BERT != nil {
		tokens.tokenizer, err = openChinese(f.FS)
	} else {
		tokens, err = openTokenizer(f.FS, rules)
	}
	if err != nil {
		return nil, err
	}
	c.Text.limit(tokens.tokenizer)
	if f.Form == modelfolder.HuggingFace {
		tokens.limits = true
		if c.Text.Bidirectional {
			c.Text.HiddenPadding = tokens.hiddenPadding(c.Text.MaxPositionEmbeddings)
			err = c.Validate()
		} else {
			err = tokens.checkPadding()
		}
		if err != nil {
			return nil, err
		}
	}
	m := New(c, nil)
	m.Tokenizer, m.source = tokens.tokenizer, tokens
	images := modelfolder.Images{Height: height, Width: width, Channels: c.Vision.NumChannels}
	switch {
	case c.Vision.NumPatches != 0:
		m.Preprocess, m.MaxPatches, m.PreprocessAssumed, err = readNaFlex(f.FS, c.Vision)
	case f.Form == modelfolder.HuggingFace:
		m.Preprocess, m.PreprocessAssumed, err = f.Preprocess(prepared, images)
	default:
		m.Preprocess = f.Rescaled(prepared, images)
	}
	if err != nil {
		return nil, err
	}
	if !c.Vision.resizable() {
		m.Math = f.Math()
		return m, f.Fill(m, fitScalar)
	}
	fit := tower.FitPositions(stored, c.Vision.grid(), tower.Interpolation{Antialias: f.Form != modelfolder.HuggingFace})
	m.Math = f.Math()
	return m, f.Fill(m, fitScalar, func(param string, t checkpoint.Tensor, want []int) ([]float32, error) {
		if !strings.HasPrefix(param, "Vision.") {
			return nil, nil
		}
		return fit(param, t, want)
	})
}

// fitScalar gives a number, such as the scale of logits, the value of a tensor of shape [] or [1]: libraries write
// both.
func fitScalar(_ string, t checkpoint.Tensor, want []int) ([]float32, error) {
	if t.Len() != 1 || len(want) > 1 || len(t.Shape) > 1 {
		return nil, nil
	}
	value := make([]float32, 1)
	return value, t.Floats(value)
}

// configure returns the configuration of a folder, checked, and the preparation of images that it states or that is
// usual.
func configure(f *modelfolder.Folder) (c Config, p vision.Preprocess, err error) {
	switch f.Form {
	case modelfolder.OpenCLIP:
		c, p, err = readOpenCLIP(f.Config)
		switch {
		case c.Vision.Pooled:
			f.Use(siglipFamily)
		case c.Text.BERT != nil:
			f.Use(openBERTFamily(*c.Text.BERT))
		}
		if err != nil || f.Options.Lenient {
			return c, p, err
		}
		if err := c.agree(f, openNames); err != nil {
			return c, p, fmt.Errorf("%s: model_cfg: %w", modelfolder.OpenCLIPName, err)
		}
		return c, p, nil
	case modelfolder.HuggingFace:
		c = defaults()
		if err := f.Configure(&c); err != nil {
			return c, p, err
		}
		switch {
		case c.Vision.Pooled:
			f.Use(siglipFamily)
		case c.Text.BERT != nil:
			f.Use(chineseFamily)
		}
		if err := c.agree(f, nil); err != nil && !f.Options.Lenient {
			return c, p, fmt.Errorf("%s: %w", modelfolder.ConfigName, err)
		}
	default:
		if isChinese(f) {
			f.Use(chineseFamily)
			c, err = chineseConfig(f)
		} else {
			c, err = openAIConfig(f)
		}
		if err := f.Checked(c, err); err != nil {
			return c, p, err
		}
	}
	return c, c.preprocess(), nil
}

// storedGrid returns the grid of the positions in the weights: the stated one, or a square one where open_clip would
// resize as many positions.
func storedGrid(f *modelfolder.Folder, c VisionConfig) tower.Grid {
	stated := c.grid()
	t, ok := f.Find("Vision.Encoder.Positions")
	if f.Form == modelfolder.HuggingFace || c.Pooled || !ok || len(t.Shape) < 2 || t.Shape[0]-1 == stated.Patches() {
		return stated
	}
	side := squareRoot(max(0, t.Shape[0]-1))
	return tower.Grid{Rows: side, Columns: side}
}

// agree returns an error that names the first field that the weights contradict. names are the names of the fields
// where they are not transformers'.
func (c Config) agree(f *modelfolder.Folder, names map[string]string) error {
	statement := func(part string) tower.Statement {
		return tower.Statement{Name: func(field string) string { return part + ": " + cmp.Or(names[field], field) }}
	}
	parts := [2]string{"vision_config", "text_config"}
	if names != nil {
		parts = [2]string{"vision_cfg", "text_cfg"}
	}
	if v := c.Vision; v.resizable() {
		err := statement(parts[0]).Agree(visionFinder(f.Find), tower.Sizes{
			Stack:    tower.Stack{Width: v.HiddenSize, Layers: v.NumHiddenLayers, Hidden: v.IntermediateSize, QKVBias: true},
			Channels: v.NumChannels, Patch: v.PatchSize, Grid: storedGrid(f, v), ClassToken: !v.Pooled, PreNorm: !v.Pooled, Norm: true,
		})
		if err != nil {
			return err
		}
	}
	if v := c.Vision; v.NumPatches != 0 {
		err := statement(parts[0]).AgreeStack(f.Find, "Vision.Blocks", "", tower.Stack{
			Width: v.HiddenSize, Layers: v.NumHiddenLayers, Hidden: v.IntermediateSize, QKVBias: true,
		})
		if err != nil {
			return err
		}
	}
	if b := c.Text.BERT; b != nil {
		if b.Name != "" { // which decides the sizes
			names = nil
			parts[1] += ": hf_model_name: " + b.Name
		}
		return statement(parts[1]).AgreeStack(f.Find, "Text.Encoder.Layers", "", b.stack())
	}
	return statement(parts[1]).AgreeStack(f.Find, "Text.Blocks", "", tower.Stack{
		Width: c.Text.HiddenSize, Layers: c.Text.NumHiddenLayers, Hidden: c.Text.IntermediateSize, QKVBias: true,
	})
}

// openNames are the names that open_clip has for fields of transformers'.
var openNames = map[string]string{"hidden_size": "width", "num_hidden_layers": "layers", "intermediate_size": "mlp_ratio times width"}

// claim returns the least that the weights of this configuration are.
func (c Config) claim() modelfolder.Claim {
	v, t := c.Vision, c.Text
	var vision modelfolder.Claim
	switch {
	case v.ResNet != nil:
		vision = v.ResNet.claim(v.ImageSize, c.ProjectionDim)
	case v.NumPatches != 0:
		vision = modelfolder.ClaimEncoder(v.NumHiddenLayers, v.block(), v.NumChannels, v.PatchSize, v.NumPatches)
	default:
		vision = modelfolder.ClaimEncoder(v.NumHiddenLayers, v.block(), v.NumChannels, v.PatchSize, v.grid().Patches())
	}
	if v.Pooled {
		vision = vision.Plus(modelfolder.ClaimBlocks(1, v.block()))
		v.HiddenSize = 0 // there is no projection
	}
	vision.Values += float64(c.ProjectionDim) * float64(v.HiddenSize)
	if t.BERT != nil {
		return vision.Plus(t.BERT.claim(c.ProjectionDim))
	}
	texts := modelfolder.ClaimBlocks(t.NumHiddenLayers, t.Block())
	texts.Values += float64(t.HiddenSize) * (float64(t.VocabSize) + float64(t.MaxPositionEmbeddings) + float64(c.ProjectionDim))
	return vision.Plus(texts)
}
