package clip

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/models/bert"
	"github.com/fovea-ml/fovea/models/internal/config"
	"github.com/fovea-ml/fovea/models/internal/modelfolder"
	"github.com/fovea-ml/fovea/models/internal/tower"
	"github.com/fovea-ml/fovea/nn"
	"github.com/fovea-ml/fovea/text"
)

// BERTConfig describes a text tower that is an encoder of package bert: that of Chinese-CLIP, or of a model of
// open_clip's with the arguments of HFTextEncoder (hf_model.py).
type BERTConfig struct {
	Encoder bert.Config
	// Name is the name that open_clip has for the encoder (hf_model_name), such as xlm-roberta-base; "" in
	// Chinese-CLIP.
	Name string
	// Pooling selects the hidden states that become the features of a text (hf_pooler_type).
	Pooling BERTPooling
	// Hidden, when it is not 0, is the width inside of a projection of two layers with a GELU (hf_proj_type).
	Hidden int
}

// BERTPooling says how the hidden states of a text become its features.
type BERTPooling string

// The poolings. The zero value is FirstToken.
const (
	FirstToken  BERTPooling = ""
	MeanPooler  BERTPooling = "mean_pooler" // the mean of all tokens
	FirstPooler BERTPooling = "cls_pooler"  // the first token, through a layer with tanh
)

// features returns the width of what the projection takes.
func (b BERTConfig) features() int {
	if b.Hidden != 0 {
		return b.Hidden
	}
	return b.Encoder.HiddenSize
}

// validate returns an error that names the first field whose value no tower can have. c holds the rest of the
// configuration.
func (b BERTConfig) validate(c TextConfig) error {
	if err := b.Encoder.Validate(); err != nil {
		return err
	}
	var v config.Checks
	v.OneOf("hf_pooler_type", string(b.Pooling), string(FirstToken), string(MeanPooler), string(FirstPooler))
	if b.Hidden != 0 {
		v.Size("hf_proj_type", b.Hidden)
	}
	v.Size("max_position_embeddings", c.MaxPositionEmbeddings)
	if most := b.Encoder.MaxTokens(); c.MaxPositionEmbeddings > most {
		v.Fail("max_position_embeddings", "expected at most the positions of the encoder, %d, found %d", most, c.MaxPositionEmbeddings)
	}
	return v.Err()
}

// claim returns the least that the weights of a tower are, with embeddings of the given width.
func (b BERTConfig) claim(width int) modelfolder.Claim {
	e := b.Encoder
	rows := float64(e.VocabSize) + float64(e.MaxPositionEmbeddings) + float64(e.TypeVocabSize)
	d, h, layers := float64(e.HiddenSize), float64(e.IntermediateSize), float64(e.NumHiddenLayers)
	return modelfolder.Claim{Values: layers*(4*d*d+2*d*h) + d*rows + float64(b.features())*float64(width), Tensors: 8 * e.NumHiddenLayers}
}

// stack describes the encoder's layers.
func (b BERTConfig) stack() tower.Stack {
	e := b.Encoder
	return tower.Stack{Width: e.HiddenSize, Layers: e.NumHiddenLayers, Hidden: e.IntermediateSize, QKVBias: true}
}

// limit takes the limit of a tokenizer for tokens of a text, as transformers does. open_clip has its own. t may be nil.
func (c *TextConfig) limit(t *text.Tokenizer) {
	if c.BERT == nil || c.BERT.Name != "" || t == nil {
		return
	}
	if cut := t.Defaults().Truncation; cut != nil {
		c.MaxPositionEmbeddings = max(1, min(c.MaxPositionEmbeddings, cut.Max))
	}
}

// BERT is a text tower with an encoder of package bert, such as Chinese-CLIP's. Its features are the last hidden state
// of the first token, or as BERTConfig.Pooling says.
type BERT struct {
	Encoder *bert.Encoder
	Pooler  *nn.Linear // [hidden, hidden], of FirstPooler; nil in others
	Dense   *nn.Linear // [BERTConfig.Hidden, hidden], without a bias; nil where the projection has one layer

	most    int // tokens of a text
	mean    bool
	padding int // the token that counts for nothing, or -1
}

// NewBERT returns a tower of zeros. The configuration must be valid, and have a BERT.
func NewBERT(c TextConfig) *BERT {
	b, width := c.BERT, c.BERT.Encoder.HiddenSize
	x := &BERT{Encoder: bert.NewEncoder(b.Encoder), most: c.MaxPositionEmbeddings, mean: b.Pooling == MeanPooler, padding: -1}
	if b.Pooling == FirstPooler {
		x.Pooler = nn.NewLinear(width, width, true)
	}
	if b.Hidden != 0 {
		x.Dense = nn.NewLinear(width, b.Hidden, false)
	}
	if b.Name != "" { // open_clip masks the token where a text has it
		x.padding = *b.Encoder.PadTokenID
	}
	return x
}

// Forward maps the tokens of texts, each of 1 to MaxPositionEmbeddings ids, to features, [len(texts), width]. The texts
// lie one after the other, and each has the bits that it has alone. It panics with an autograd.ShapeError for an empty
// text, one that is too long, and an id outside the vocabulary.
func (x *BERT) Forward(t *autograd.Tape, texts [][]int) *autograd.Tensor {
	packed := make([][]int, len(texts))
	for i, text := range texts {
		if packed[i] = text; x.padding >= 0 { // positions of RoBERTa count the other tokens alone
			packed[i] = slices.DeleteFunc(slices.Clone(text), func(id int) bool { return id == x.padding })
		}
		if n := len(packed[i]); n == 0 || len(text) > x.most {
			panic(&autograd.ShapeError{Op: "clip text", Shapes: [][]int{{n}, {x.most}}, Reason: fmt.Sprintf("expected a text of 1 to %d tokens", x.most)})
		}
	}
	in := bert.Pack(packed...)
	h := x.Encoder.Forward(t, in)
	var features *autograd.Tensor
	switch {
	case x.mean && len(texts) > 0:
		means := make([]autograd.Operand, len(texts))
		for i := range means {
			means[i] = autograd.Mean(autograd.Slice(h, 0, in.Starts[i], in.Starts[i+1]), true, 0)
		}
		features = autograd.Concat(0, means...)
	default:
		features = autograd.GatherRows(h, in.Starts[:len(texts)])
	}
	if x.Pooler != nil {
		features = x.Pooler.ForwardAct(features, autograd.ActTanh)
	}
	if x.Dense != nil {
		features = x.Dense.ForwardAct(features, autograd.ActGelu)
	}
	return features
}

// init draws initial weights as transformers does (BertPreTrainedModel._init_weights), and PyTorch's for the first
// layer of a projection.
func (x *BERT) init(rng *rand.Rand, c bert.Config) {
	x.Encoder.Init(rng, c.InitializerRange, c.PadTokenID)
	if x.Pooler != nil {
		nn.Normal(rng, x.Pooler.Weight, c.InitializerRange)
	}
	if x.Dense != nil {
		nn.KaimingUniform(rng, x.Dense.Weight, math.Sqrt(5))
	}
}
