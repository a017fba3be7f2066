package bert

import (
	"encoding/json"
	"io/fs"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/internal/strictjson"
	"github.com/fovea-ml/fovea/models"
	"github.com/fovea-ml/fovea/models/internal/config"
	"github.com/fovea-ml/fovea/models/internal/modelfolder"
)

// Config describes BERT or a variant in the fields of a Hugging Face config.json. The names are those of BertConfig;
// DistilBERT's file has others for the same values, such as dim, and is read and written with them. A Config is made by
// a preset or by [ReadConfig] and then changed: its zero value is not valid.
type Config struct {
	ModelType     string   `json:"model_type"` // bert, roberta, xlm-roberta, camembert, distilbert, albert, electra, mpnet, deberta-v2 or modernbert
	Architectures []string `json:"architectures,omitempty"`

	VocabSize     int `json:"vocab_size"`
	HiddenSize    int `json:"hidden_size"`
	EmbeddingSize int `json:"embedding_size,omitempty"` // of ALBERT and ELECTRA; 0 means HiddenSize

	NumHiddenLayers int `json:"num_hidden_layers"`
	// NumHiddenGroups is the number of layers with weights of their own in ALBERT: NumHiddenLayers/NumHiddenGroups
	// layers in a row share each. 0 means that no weights are shared.
	NumHiddenGroups   int    `json:"num_hidden_groups,omitempty"`
	NumAttentionHeads int    `json:"num_attention_heads"`
	IntermediateSize  int    `json:"intermediate_size"`
	HiddenAct         string `json:"hidden_act"` // a name of autograd.ActivationByName

	HiddenDropoutProb         float32  `json:"hidden_dropout_prob"`
	AttentionProbsDropoutProb float32  `json:"attention_probs_dropout_prob"`
	ClassifierDropout         *float32 `json:"classifier_dropout,omitempty"` // nil means HiddenDropoutProb

	MaxPositionEmbeddings int     `json:"max_position_embeddings"` // RoBERTa takes PadTokenID+1 tokens fewer
	TypeVocabSize         int     `json:"type_vocab_size"`         // 0 in DistilBERT, which has no token types
	InitializerRange      float64 `json:"initializer_range"`
	LayerNormEps          float32 `json:"layer_norm_eps"`
	PadTokenID            *int    `json:"pad_token_id"`
	TieWordEmbeddings     bool    `json:"tie_word_embeddings"` // the head for masked words uses the word embeddings

	// RelativeBuckets is the number of ranges of distances in MPNet that have a bias of their own.
	RelativeBuckets int `json:"relative_attention_num_buckets,omitempty"`

	// ClassifierDropoutProb is ALBERT's dropout before a classifier.
	ClassifierDropoutProb float32 `json:"classifier_dropout_prob,omitempty"`
	// The fields of ELECTRA's head for multiple choice. SummaryActivation "" is none.
	SummaryActivation  string  `json:"summary_activation,omitempty"`
	SummaryLastDropout float32 `json:"summary_last_dropout,omitempty"`
	// The dropouts before DistilBERT's heads for questions, and for sequences and choices.
	QADropout       float32 `json:"qa_dropout,omitempty"`
	SequenceDropout float32 `json:"seq_classif_dropout,omitempty"`

	// CrossEncoder is what sentence-transformers adds for [Model.Rerank], and ScoreActivation what its versions before
	// 4 did.
	CrossEncoder    *CrossEncoder `json:"sentence_transformers,omitempty"`
	ScoreActivation string        `json:"sbert_ce_default_activation_function,omitempty"`

	Disentangled // of DeBERTa
	Modern       // of ModernBERT

	models.Classes
}

// CrossEncoder says how a cross-encoder makes a score of a logit.
type CrossEncoder struct {
	ActivationFn string `json:"activation_fn,omitempty"` // a class of PyTorch; "" means the sigmoid
	Version      string `json:"version,omitempty"`
}

// scoreActivation returns the function that makes a score of a logit.
func (c Config) scoreActivation() (autograd.Activation, error) {
	class := c.ScoreActivation
	if c.CrossEncoder != nil && c.CrossEncoder.ActivationFn != "" {
		class = c.CrossEncoder.ActivationFn
	}
	if class == "" {
		return autograd.ActSigmoid, nil
	}
	return activationOf(class)
}

// preset is BERT's configuration with the given sizes.
func preset(vocabulary, width, layers, heads int) Config {
	return Config{
		ModelType: "bert", VocabSize: vocabulary, HiddenSize: width, NumHiddenLayers: layers, NumAttentionHeads: heads,
		IntermediateSize: 4 * width, HiddenAct: "gelu", HiddenDropoutProb: 0.1, AttentionProbsDropoutProb: 0.1,
		MaxPositionEmbeddings: 512, TypeVocabSize: 2, InitializerRange: 0.02, LayerNormEps: 1e-12, PadTokenID: new(0),
		TieWordEmbeddings: true,
	}
}

// Base is BERT-base, uncased: 109 M parameters with the pooler.
func Base() Config { return preset(30522, 768, 12, 12) }

// BaseCased is BERT-base, cased: 108 M parameters.
func BaseCased() Config { return preset(28996, 768, 12, 12) }

// BaseMultilingual is BERT-base, multilingual and cased: 178 M parameters.
func BaseMultilingual() Config { return preset(119547, 768, 12, 12) }

// BaseChinese is BERT-base for Chinese: 102 M parameters.
func BaseChinese() Config { return preset(21128, 768, 12, 12) }

// Large is BERT-large, uncased: 335 M parameters.
func Large() Config { return preset(30522, 1024, 24, 16) }

// MiniLM is the encoder of all-MiniLM-L6-v2: 23 M parameters.
func MiniLM() Config { return preset(30522, 384, 6, 12) }

// RoBERTa is RoBERTa-base (arXiv 1907.11692): 125 M parameters.
func RoBERTa() Config {
	c := preset(50265, 768, 12, 12)
	c.ModelType, c.MaxPositionEmbeddings, c.TypeVocabSize, c.LayerNormEps, c.PadTokenID = "roberta", 514, 1, 1e-5, new(1)
	return c
}

// XLMR is XLM-R-base (arXiv 1911.02116), for a hundred languages: 278 M parameters.
func XLMR() Config {
	c := RoBERTa()
	c.ModelType, c.VocabSize = "xlm-roberta", 250002
	return c
}

// DistilBERT is DistilBERT-base, uncased (arXiv 1910.01108): 66 M parameters.
func DistilBERT() Config {
	c := preset(30522, 768, 6, 12)
	c.ModelType, c.TypeVocabSize, c.QADropout, c.SequenceDropout = "distilbert", 0, 0.1, 0.2
	return c
}

// ALBERT is ALBERT-base v2 (arXiv 1909.11942): 12 M parameters.
func ALBERT() Config {
	c := preset(30000, 768, 12, 12)
	c.ModelType, c.EmbeddingSize, c.NumHiddenGroups, c.HiddenAct = "albert", 128, 1, "gelu_new"
	c.HiddenDropoutProb, c.AttentionProbsDropoutProb, c.ClassifierDropoutProb = 0, 0, 0.1
	return c
}

// ELECTRA is ELECTRA-small's discriminator (arXiv 2003.10555): 14 M parameters.
func ELECTRA() Config {
	c := preset(30522, 256, 12, 4)
	c.ModelType, c.EmbeddingSize, c.SummaryActivation, c.SummaryLastDropout = "electra", 128, "gelu", 0.1
	return c
}

// defaults are those of transformers for a model_type, for fields that a config.json leaves out.
func defaults(modelType string) Config {
	switch modelType {
	case "roberta", "xlm-roberta", "camembert":
		c := preset(50265, 768, 12, 12)
		if modelType != "roberta" {
			c.VocabSize = 30522
		}
		c.ModelType, c.PadTokenID = modelType, new(1)
		return c
	case "distilbert":
		return DistilBERT()
	case "albert": // those of ALBERT-xxlarge
		c := ALBERT()
		c.HiddenSize, c.NumAttentionHeads, c.IntermediateSize = 4096, 64, 16384
		return c
	case "electra":
		return ELECTRA()
	case "deberta-v2":
		c := DeBERTa()
		c.HiddenSize, c.NumHiddenLayers, c.NumAttentionHeads, c.IntermediateSize = 1536, 24, 24, 6144
		c.Disentangled = Disentangled{}
		return c
	case "modernbert":
		return ModernBERT()
	case "mpnet":
		c := MPNet()
		c.MaxPositionEmbeddings, c.LayerNormEps = 512, 1e-12
		return c
	}
	return Base()
}

// embeddingSize returns the width of the embeddings.
func (c Config) embeddingSize() int {
	if c.EmbeddingSize != 0 {
		return c.EmbeddingSize
	}
	return c.HiddenSize
}

// groups returns the number of layers with weights of their own.
func (c Config) groups() int {
	if c.NumHiddenGroups != 0 {
		return c.NumHiddenGroups
	}
	return c.NumHiddenLayers
}

// firstPosition returns the row of the position embeddings that the first token has.
func (c Config) firstPosition() int {
	if c.ModelType == "mpnet" {
		return mpnetPadding + 1
	}
	if variants[c.ModelType].positionsAfterPadding && c.PadTokenID != nil {
		return *c.PadTokenID + 1
	}
	return 0
}

// MaxTokens returns the number of tokens that the model has positions for.
func (c Config) MaxTokens() int { return c.MaxPositionEmbeddings - c.firstPosition() }

// activation returns an activation of a valid configuration.
func activation(name string) autograd.Activation {
	if name == "" {
		return autograd.ActNone
	}
	return new(config.Checks).Activation("hidden_act", name)
}

// Validate returns an error that names the first field whose value no model can have.
func (c Config) Validate() error {
	var v config.Checks
	v.OneOf("model_type", c.ModelType, modelTypes...)
	v.Size(c.field("vocab_size"), c.VocabSize)
	v.Size(c.field("hidden_size"), c.HiddenSize)
	v.Size("embedding_size", c.embeddingSize())
	v.Size(c.field("num_hidden_layers"), c.NumHiddenLayers)
	v.Size("num_hidden_groups", c.groups())
	if c.groups() > c.NumHiddenLayers {
		v.Fail("num_hidden_groups", "expected at most num_hidden_layers %d, found %d", c.NumHiddenLayers, c.NumHiddenGroups)
	}
	v.Size(c.field("num_attention_heads"), c.NumAttentionHeads)
	v.Size(c.field("intermediate_size"), c.IntermediateSize)
	v.Divisor(c.field("num_attention_heads"), c.NumAttentionHeads, c.field("hidden_size"), c.HiddenSize)
	v.Size("max_position_embeddings", c.MaxPositionEmbeddings)
	if variants[c.ModelType].types && (!isDeberta(c) || c.TypeVocabSize != 0) {
		v.Size("type_vocab_size", c.TypeVocabSize)
	}
	switch {
	case isDeberta(c):
		c.checkDeberta(&v)
	case isModern(c):
		c.checkModern(&v)
	}
	if c.PadTokenID != nil && (*c.PadTokenID < 0 || *c.PadTokenID >= c.VocabSize) {
		v.Fail("pad_token_id", "expected 0 to %d, found %d", c.VocabSize-1, *c.PadTokenID)
	}
	if variants[c.ModelType].positionsAfterPadding {
		if c.PadTokenID == nil {
			v.Fail("pad_token_id", "expected a number, from which positions count, found null")
		}
		if c.MaxTokens() < 1 {
			v.Fail("max_position_embeddings", "expected more than pad_token_id+1 = %d, found %d", c.firstPosition(), c.MaxPositionEmbeddings)
		}
	}
	if c.ModelType == "mpnet" && c.RelativeBuckets < 32 {
		v.Fail("relative_attention_num_buckets", "expected at least the 32 ranges of distances, found %d", c.RelativeBuckets)
	}
	v.NotNegative("layer_norm_eps", c.LayerNormEps)
	v.Deviation("initializer_range", c.InitializerRange)
	v.Probability(c.field("hidden_dropout_prob"), c.HiddenDropoutProb)
	v.Probability(c.field("attention_probs_dropout_prob"), c.AttentionProbsDropoutProb)
	if c.ClassifierDropout != nil {
		v.Probability("classifier_dropout", *c.ClassifierDropout)
	}
	v.Probability("classifier_dropout_prob", c.ClassifierDropoutProb)
	v.Probability("summary_last_dropout", c.SummaryLastDropout)
	v.Probability("qa_dropout", c.QADropout)
	v.Probability("seq_classif_dropout", c.SequenceDropout)
	v.Activation(c.field("hidden_act"), c.HiddenAct)
	if c.SummaryActivation != "" {
		v.Activation("summary_activation", c.SummaryActivation)
	}
	v.OneOf("problem_type", string(c.Problem), "", string(models.SingleLabel), string(models.MultiLabel), string(models.Regression))
	return v.Err()
}

// distilNames are the names that DistilBERT has for BERT's fields.
var distilNames = map[string]string{
	"hidden_size": "dim", "num_hidden_layers": "n_layers", "num_attention_heads": "n_heads", "intermediate_size": "hidden_dim",
	"hidden_act": "activation", "hidden_dropout_prob": "dropout", "attention_probs_dropout_prob": "attention_dropout",
}

// ownNames are the names that variants have for BERT's fields.
var ownNames = map[string]map[string]string{"distilbert": distilNames, "modernbert": modernNames}

// field returns the name that the variant's config.json has for a field of BERT's.
func (c Config) field(name string) string {
	if own, ok := ownNames[c.ModelType][name]; ok {
		return own
	}
	return name
}

// distil holds the fields of a DistilBERT config.json that have names of their own.
type distil struct {
	Dim              int     `json:"dim"`
	Layers           int     `json:"n_layers"`
	Heads            int     `json:"n_heads"`
	Hidden           int     `json:"hidden_dim"`
	Activation       string  `json:"activation"`
	Dropout          float32 `json:"dropout"`
	AttentionDropout float32 `json:"attention_dropout"`
}

// UnmarshalJSON reads a config.json. Fields that it lacks stay as they are, and have transformers' defaults in a zero
// Config. The error names the field.
func (c *Config) UnmarshalJSON(data []byte) error {
	kind := struct {
		ModelType string `json:"model_type"`
	}{c.ModelType}
	if err := strictjson.Decode(data, &kind); err != nil {
		return err
	}
	if c.ModelType == "" {
		*c = defaults(kind.ModelType)
	}
	type plain Config
	switch kind.ModelType {
	case "deberta-v2":
		if err := strictjson.Decode(data, (*plain)(c)); err != nil {
			return err
		}
		return c.readLegacy(data)
	case "distilbert":
	case "modernbert":
		d := modern{c.HiddenAct, c.LayerNormEps, c.HiddenDropoutProb, c.AttentionProbsDropoutProb}
		if err := strictjson.Decode(data, &d); err != nil {
			return err
		}
		if err := strictjson.Decode(data, (*plain)(c)); err != nil {
			return err
		}
		c.HiddenAct, c.LayerNormEps, c.HiddenDropoutProb, c.AttentionProbsDropoutProb = d.Activation, d.Eps, d.Dropout, d.AttentionDropout
		c.TypeVocabSize = 0
		return nil
	default:
		return strictjson.Decode(data, (*plain)(c))
	}
	d := distil{c.HiddenSize, c.NumHiddenLayers, c.NumAttentionHeads, c.IntermediateSize, c.HiddenAct, c.HiddenDropoutProb, c.AttentionProbsDropoutProb}
	if err := strictjson.Decode(data, &d); err != nil {
		return err
	}
	kept := *c // BERT's fields are not DistilBERT's
	if err := strictjson.Decode(data, (*plain)(c)); err != nil {
		return err
	}
	c.HiddenSize, c.NumHiddenLayers, c.NumAttentionHeads, c.IntermediateSize = d.Dim, d.Layers, d.Heads, d.Hidden
	c.HiddenAct, c.HiddenDropoutProb, c.AttentionProbsDropoutProb = d.Activation, d.Dropout, d.AttentionDropout
	c.TypeVocabSize, c.LayerNormEps, c.EmbeddingSize, c.NumHiddenGroups = kept.TypeVocabSize, kept.LayerNormEps, kept.EmbeddingSize, kept.NumHiddenGroups
	return nil
}

// MarshalJSON writes a config.json.
func (c Config) MarshalJSON() ([]byte, error) {
	type plain Config
	out := struct {
		InitializerRange config.Float[float64]  `json:"initializer_range"`
		LayerNormEps     config.Float[float32]  `json:"layer_norm_eps"`
		Cutoff           *config.Float[float64] `json:"initializer_cutoff_factor,omitempty"`
		plain                                   // after the fields of the same names
	}{config.Float[float64]{Value: c.InitializerRange}, config.Float[float32]{Value: c.LayerNormEps}, nil, plain(c)}
	if f := c.InitializerCutoff; f != nil {
		out.Cutoff = &config.Float[float64]{Value: *f}
	}
	if ownNames[c.ModelType] == nil {
		return json.Marshal(out)
	}
	data, err := json.Marshal(out)
	if err != nil {
		return nil, err
	}
	fields := map[string]json.RawMessage{}
	if err := json.Unmarshal(data, &fields); err != nil {
		return nil, err
	}
	for name, own := range ownNames[c.ModelType] {
		fields[own] = fields[name]
		delete(fields, name)
	}
	delete(fields, "type_vocab_size")
	delete(fields, "layer_norm_eps")
	return json.Marshal(fields)
}

// ReadConfig reads and checks a config.json. Fields that it lacks have transformers' defaults. The error names the file
// and the field, what was expected and what was found; it matches fs.ErrNotExist when there is no such file.
func ReadConfig(fsys fs.FS, name string) (Config, error) {
	return modelfolder.ReadConfig(fsys, name, family, Config{})
}
