package clip

import (
	"errors"
	"fmt"
	"strings"

	"github.com/fovea-ml/fovea/models"
	"github.com/fovea-ml/fovea/models/internal/config"
	"github.com/fovea-ml/fovea/models/internal/modelfolder"
	"github.com/fovea-ml/fovea/vision"
)

// Save writes the model to a folder, which it makes when it is not there: its configuration, the preparation of images,
// the tokenizer and the weights. Each file appears whole or not at all. A model that was loaded from the same folder
// may be saved there.
//
// Layout models.HuggingFace writes for transformers: config.json, preprocessor_config.json, model.safetensors, and the
// files of the tokenizer that the model was loaded with, or a tokenizer.json. There texts have transformers' rules. A
// model that was loaded from open_clip or from OpenAI's archive cleans texts as open_clip does, so a text with HTML
// entities, typographic quotation marks, ligatures or mojibake can have other tokens in the folder that was saved.
//
// Layout models.OpenCLIP writes for open_clip: open_clip.create_model("local-dir:DIR") makes the same model of
// open_clip_config.json and open_clip_model.safetensors. open_clip uses its own tokenizer; the files of the model's are
// for [Load], which then has open_clip's rules for texts. Rates of dropout are lost. A preparation that open_clip
// cannot describe is an error. Where the middle of an image lies between two pixels, transformers and open_clip cut it
// at different places. A model of SigLIP needs one of timm's image towers, and open_clip's rules for texts or no
// tokenizer: a model that was loaded from open_clip has both.
//
// Where a folder has the files of both layouts, [Load] reads those of transformers.
//
// The error is the file system's, or says what the library cannot have.
func (m *Model) Save(dir string, o SaveOptions) error {
	parts, err := m.tokenizerFiles()
	if err != nil {
		return err
	}
	c := m.Config
	if c.Vision.Pooled {
		return m.saveSigLIP(dir, parts, o)
	}
	switch b := c.Text.BERT; {
	case b != nil && b.Name != "":
		return m.saveOpenBERT(dir, parts, o)
	case b != nil:
		return m.saveChinese(dir, parts, o)
	}
	for name, id := range map[string]**int{"bos_token": &c.Text.BOSTokenID, "pad_token": &c.Text.PadTokenID} {
		if *id == nil && m.Tokenizer != nil {
			if _, theirs, ok := m.Tokenizer.Special(name); ok {
				*id = &theirs
			}
		}
	}
	c.ModelType, c.Architectures = modelType, []string{"CLIPModel"}
	contents := modelfolder.Contents{Config: c, Preprocess: &m.Preprocess, Parts: parts, Model: m}
	switch {
	case o.Layout == models.OpenCLIP:
		theirs, err := c.forOpenCLIP(m.Preprocess)
		if err != nil {
			return fmt.Errorf("clip: layout open_clip: %w", err)
		}
		contents.ConfigName, contents.Config, contents.Preprocess = modelfolder.OpenCLIPName, theirs, nil
		contents.Weights = openWeightsName
	case c.Vision.ResNet != nil:
		return errors.New("clip: transformers' CLIP has no ResNet; the layout of open_clip keeps it")
	case c.Vision.ImageWidth != 0:
		return errors.New("clip: transformers' CLIP takes square images only; the layout of open_clip keeps others")
	}
	return family.Save(dir, contents, o)
}

// openWeightsName is the file of the weights in the layout of open_clip.
const openWeightsName = "open_clip_model.safetensors"

// forOpenCLIP describes the model to open_clip.
func (c Config) forOpenCLIP(p vision.Preprocess) (openCLIP, error) {
	v, t := c.Vision, c.Text
	height, width := v.Size()
	o := openCLIP{Model: openModel{
		EmbedDim: c.ProjectionDim,
		Vision: openVision{
			ImageSize: config.Size{Height: height, Width: width}, HeadWidth: 64, MLPRatio: 4,
		},
		Text: openText{
			ContextLength: t.MaxPositionEmbeddings, VocabSize: t.VocabSize, Width: t.HiddenSize, Heads: t.NumAttentionHeads,
			Layers: t.NumHiddenLayers, MLPRatio: ratio(t.IntermediateSize, t.HiddenSize), PoolType: "eos", EOSID: t.EOSTokenID,
		},
	}}
	if r := v.ResNet; r != nil {
		o.Model.Vision.Layers, o.Model.Vision.Width, o.Model.Vision.HeadWidth = openDepth{stages: r.Layers[:]}, r.Width, growth*r.Width/r.Heads
		v.HiddenAct, v.LayerNormEps = t.HiddenAct, 1e-5 // it has none of its own
	} else {
		o.Model.Vision.Layers, o.Model.Vision.Width, o.Model.Vision.PatchSize = openDepth{blocks: v.NumHiddenLayers}, v.HiddenSize, &v.PatchSize
		o.Model.Vision.HeadWidth, o.Model.Vision.MLPRatio = v.HiddenSize/v.NumAttentionHeads, ratio(v.IntermediateSize, v.HiddenSize)
	}
	if v.NumChannels != 3 {
		return o, fmt.Errorf("open_clip takes images of 3 channels, the model takes %d", v.NumChannels)
	}
	// The end token is the largest id: the same place, and all versions of open_clip know this rule.
	if t.EOSTokenID == LargestID || t.EOSTokenID == t.VocabSize-1 {
		o.Model.Text.PoolType, o.Model.Text.EOSID = "argmax", LargestID
	}
	var err error
	quick := [2]bool{}
	if o.Model.Vision.openLayers, quick[0], err = layersFor(v.HiddenAct, v.LayerNormEps); err != nil {
		return o, err
	}
	if o.Model.Text.openLayers, quick[1], err = layersFor(t.HiddenAct, t.LayerNormEps); err != nil {
		return o, err
	}
	if quick[0] != quick[1] {
		return o, errors.New("open_clip takes quick_gelu in both towers or in none")
	}
	o.Model.QuickGELU = quick[0]
	o.Preprocess, err = describe(p, v)
	return o, err
}

// ratio returns a number whose product with the width, cut to a whole number, is hidden.
func ratio(hidden, width int) float64 {
	r := float64(hidden) / float64(width)
	if int(float64(width)*r) != hidden {
		r = (float64(hidden) + 0.5) / float64(width)
	}
	return r
}

// layersFor describes activations and norms.
func layersFor(act string, eps float32) (l openLayers, quick bool, err error) {
	if eps != 1e-5 {
		l.Norm = &openNorm{Eps: eps}
	}
	switch act {
	case "quick_gelu":
		return l, true, nil
	case "gelu", "gelu_python":
		return l, false, nil
	case "gelu_pytorch_tanh", "gelu_new", "gelu_fast", "gelu_accurate", "gelu_python_tanh":
		l.Act = &openAct{Approximate: "tanh"}
		return l, false, nil
	}
	return l, false, fmt.Errorf("open_clip has no activation %q", act)
}

// describe describes the preparation of images, where it is one that [openPreprocess.preprocess] makes.
func describe(p vision.Preprocess, c VisionConfig) (openPreprocess, error) {
	o := openPreprocess{Mode: new("RGB"), Interpolation: new(strings.ToLower(p.Filter.String())), FillColor: new(int(p.Fill[0]))}
	for i := range p.Mean {
		o.Mean = append(o.Mean, p.Mean[i])
		o.Std = append(o.Std, p.Std[i])
	}
	for _, mode := range []string{"shortest", "longest", "squash"} {
		o.ResizeMode = new(mode)
		if q, err := o.preprocess(c); err == nil && same(p, q) {
			return o, nil
		}
	}
	return o, errors.New("open_clip cannot describe how the model's images are prepared (Preprocess)")
}

// same reports whether two preparations are equal, apart from the arithmetic of their backends, which agrees but for
// the last bits of pixels.
func same(p, q vision.Preprocess) bool {
	for _, r := range []*vision.Preprocess{&p, &q} {
		r.Backend, r.MaxPixels, r.Alpha = 0, 0, 0
		if r.Mode == vision.ShortSide {
			r.Height = 0
		}
		if r.Scale == 1./255 {
			r.Scale = 0
		}
		if r.CropWidth == 0 && r.CropHeight == 0 || r.Mode == vision.ShortSide && r.Width >= r.CropWidth && r.Width >= r.CropHeight {
			r.Fill = [3]uint8{} // nothing is filled
		}
	}
	return p == q
}
