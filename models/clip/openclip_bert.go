package clip

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/fovea-ml/fovea/checkpoint"
	"github.com/fovea-ml/fovea/internal/strictjson"
	"github.com/fovea-ml/fovea/models"
	"github.com/fovea-ml/fovea/models/bert"
	"github.com/fovea-ml/fovea/models/internal/config"
	"github.com/fovea-ml/fovea/models/internal/modelfolder"
)

// openBERT are the arguments of open_clip's class for a text tower of transformers' (HFTextEncoder in hf_model.py).
type openBERT struct {
	ContextLength int     `json:"context_length"`
	Name          string  `json:"hf_model_name"`
	Tokenizer     *string `json:"hf_tokenizer_name"`
	Proj          *string `json:"hf_proj_type"`
	Pooler        *string `json:"hf_pooler_type"` // nil means the mean, for these encoders
	Pretrained    bool    `json:"hf_model_pretrained"`
	// The names that older configurations have for Proj and Pooler.
	OldProj   *string `json:"proj,omitempty"`
	OldPooler *string `json:"pooler_type,omitempty"`
}

// openEncoders are the encoders that open_clip knows by name, and its configurations name
// (xlm-roberta-base-ViT-B-32.json and others). It asks the hub for their sizes.
var openEncoders = map[string]bert.Config{
	"roberta-base": bert.RoBERTa(), "roberta-large": large(bert.RoBERTa()),
	"xlm-roberta-base": bert.XLMR(), "xlm-roberta-large": large(bert.XLMR()),
}

// large gives an encoder the sizes of a large model, such as RoBERTa-large.
func large(c bert.Config) bert.Config {
	c.HiddenSize, c.NumHiddenLayers, c.NumAttentionHeads, c.IntermediateSize = 1024, 24, 16, 4096
	return c
}

// isOpenBERT reports whether an open_clip_config.json describes a text tower of transformers'.
func isOpenBERT(data []byte) bool {
	var file struct {
		Model struct {
			Text struct {
				Name *string `json:"hf_model_name"`
			} `json:"text_cfg"`
		} `json:"model_cfg"`
	}
	return json.Unmarshal(data, &file) == nil && value(file.Model.Text.Name, "") != ""
}

// readOpenBERT reads an open_clip_config.json with a text tower of transformers'.
func readOpenBERT(data []byte) (Config, openPreprocess, error) {
	o := openDefaults()
	file := struct {
		Model struct {
			EmbedDim  int        `json:"embed_dim"`
			QuickGELU bool       `json:"quick_gelu"`
			Vision    openVision `json:"vision_cfg"`
			Text      openBERT   `json:"text_cfg"`
		} `json:"model_cfg"`
		Preprocess openPreprocess `json:"preprocess_cfg"`
	}{}
	file.Model.Vision = o.Model.Vision
	file.Model.Text = openBERT{ContextLength: o.Model.Text.ContextLength, Proj: new("mlp"), Pooler: new(string(MeanPooler))}
	err := checkOpen(data, openModelFields, openVisionFields, openBERTFields)
	if err == nil {
		err = strictjson.Decode(data, &file)
	}
	if err != nil {
		return Config{}, file.Preprocess, err
	}
	// The rest is as beside open_clip's own text tower.
	o.Model.EmbedDim, o.Model.QuickGELU, o.Model.Vision = file.Model.EmbedDim, file.Model.QuickGELU, file.Model.Vision
	c, err := o.Model.config()
	if err == nil {
		c.Text, err = file.Model.Text.config(c.ProjectionDim)
	}
	if err != nil {
		return Config{}, file.Preprocess, err
	}
	return c, file.Preprocess, nil
}

// config translates the arguments.
func (o openBERT) config(dim int) (TextConfig, error) {
	if o.OldProj != nil {
		o.Proj = o.OldProj
	}
	if o.OldPooler != nil {
		o.Pooler = o.OldPooler
	}
	var v config.Checks
	v.OneOf("model_cfg: text_cfg: hf_model_name", o.Name, slices.Sorted(maps.Keys(openEncoders))...)
	v.OneOf("model_cfg: text_cfg: hf_proj_type", value(o.Proj, "null"), "linear", "mlp")
	v.OneOf("model_cfg: text_cfg: hf_pooler_type", value(o.Pooler, string(MeanPooler)), string(MeanPooler), string(FirstPooler), openFirst)
	if value(o.Tokenizer, "") == "" {
		v.Fail("model_cfg: text_cfg: hf_tokenizer_name", "expected the name of a tokenizer beside hf_model_name, found none")
	}
	if err := v.Err(); err != nil {
		return TextConfig{}, err
	}
	b := &BERTConfig{Encoder: openEncoders[o.Name], Name: o.Name, Pooling: BERTPooling(value(o.Pooler, string(MeanPooler)))}
	if b.Pooling == openFirst {
		b.Pooling = FirstToken
	}
	if *o.Proj == "mlp" {
		b.Hidden = (b.Encoder.HiddenSize + dim) / 2
	}
	return TextConfig{MaxPositionEmbeddings: o.ContextLength, BERT: b}, nil
}

// openFirst is open_clip's name for FirstToken.
const openFirst = "cls_last_hidden_state_pooler"

// openBERTNames returns the table of names of models of open_clip's with a text tower of transformers'. The projection
// of texts has one layer, or two.
func openBERTNames(b BERTConfig) *checkpoint.Names {
	projection := "text.proj.weight"
	if b.Hidden != 0 {
		projection = "text.proj.2.weight"
	}
	return &checkpoint.Names{
		Columns: []string{models.HuggingFace.String(), models.OpenCLIP.String()},
		Rules: slices.Concat(resNetNames, imageNames, encoderNames("", "text.transformer"), []checkpoint.Rule{
			{"Text.Pooler", "", "text.transformer.pooler.dense"},
			{"Text.Dense.Weight", "", "text.proj.0.weight"},
			{"TextProjection.Weight", "", projection},
			{"LogitScale", "", "logit_scale"},
		}),
		Prefixes: []string{"module.", "model.", "_orig_mod."},
		Ignore:   []string{"*.position_ids", "*.token_type_ids"},
	}
}

// openBERTFamily says how such models lie in folders.
func openBERTFamily(b BERTConfig) modelfolder.Family {
	y := family
	y.Names = openBERTNames(b)
	return y
}

// saveOpenBERT is Save for such models. The parts are the files of the tokenizer.
func (m *Model) saveOpenBERT(dir string, parts []modelfolder.Part, o SaveOptions) error {
	if o.Layout != models.OpenCLIP {
		return fmt.Errorf("clip: layout: expected %q for a model of open_clip's with a text tower of transformers', found %q", models.OpenCLIP, o.Layout)
	}
	c, b := m.Config, m.Config.Text.BERT
	if known, ok := openEncoders[b.Name]; !ok || !sameSizes(known, b.Encoder) {
		return errors.New("clip: layout open_clip: the encoder of texts has other sizes than open_clip finds under its name")
	}
	c.Text = defaults().Text // the rest of the description is as beside open_clip's own text tower
	if v := c.Vision; v.ResNet == nil {
		c.Text.HiddenAct = v.HiddenAct
	}
	rest, err := c.forOpenCLIP(m.Preprocess)
	if err != nil {
		return fmt.Errorf("clip: layout open_clip: %w", err)
	}
	text := openBERT{ContextLength: m.Config.Text.MaxPositionEmbeddings, Name: b.Name, Tokenizer: &b.Name, Proj: new("linear"), Pooler: new(string(b.Pooling))}
	if b.Hidden != 0 {
		text.Proj = new("mlp")
	}
	if b.Pooling == FirstToken {
		text.Pooler = new(openFirst)
	}
	type plain openModel
	theirs := struct {
		Model struct {
			plain
			Text openBERT `json:"text_cfg"` // in the place of the plain one
		} `json:"model_cfg"`
		Preprocess openPreprocess `json:"preprocess_cfg"`
	}{Preprocess: rest.Preprocess}
	theirs.Model.plain, theirs.Model.Text = plain(rest.Model), text
	return openBERTFamily(*b).Save(dir, modelfolder.Contents{
		ConfigName: modelfolder.OpenCLIPName, Config: theirs, Parts: parts, Weights: openWeightsName, Model: m,
	}, o)
}

// sameSizes reports whether encoders compute the same function of their weights.
func sameSizes(a, b bert.Config) bool {
	return a.ModelType == b.ModelType && a.VocabSize == b.VocabSize && a.HiddenSize == b.HiddenSize && a.NumHiddenLayers == b.NumHiddenLayers &&
		a.NumAttentionHeads == b.NumAttentionHeads && a.IntermediateSize == b.IntermediateSize && a.HiddenAct == b.HiddenAct &&
		a.MaxPositionEmbeddings == b.MaxPositionEmbeddings && a.TypeVocabSize == b.TypeVocabSize && a.LayerNormEps == b.LayerNormEps &&
		value(a.PadTokenID, -1) == value(b.PadTokenID, -1)
}

// openBERTFields are the fields of CLIPTextCfg beside a text tower of transformers', which has sizes of its own.
var openBERTFields = func() strictjson.Fields {
	const own = "the tower of transformers' has its own"
	f := append(slices.Clone(openTextFields),
		strictjson.Field{Name: "proj", Reason: "of older files: hf_proj_type"},
		strictjson.Field{Name: "pooler_type", Reason: "of older files: hf_pooler_type"})
	for i, field := range f {
		switch field.Name {
		case "context_length", "hf_model_name", "hf_proj_type", "hf_pooler_type":
			f[i] = strictjson.Field{Name: field.Name}
		case "hf_tokenizer_name":
			f[i] = strictjson.Field{Name: field.Name, Reason: "there must be one; the folder holds it"}
		case "tokenizer_kwargs", "tokenizer_mode":
			f[i] = strictjson.Field{Name: field.Name, Use: strictjson.Refused, Reason: "other rules for texts are not supported", Same: []string{"null", "{}", `""`}}
		case "hf_model_pretrained", "proj", "pooler_type":
		default:
			f[i] = strictjson.Field{Name: field.Name, Use: strictjson.Harmless, Reason: own}
		}
	}
	return f
}()
