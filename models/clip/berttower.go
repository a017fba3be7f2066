package clip

import (
	"fmt"
	"math/rand/v2"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/models/bert"
	"github.com/fovea-ml/fovea/models/internal/config"
	"github.com/fovea-ml/fovea/models/internal/modelfolder"
	"github.com/fovea-ml/fovea/models/internal/tower"
	"github.com/fovea-ml/fovea/text"
)

// BERTConfig describes a text tower that is an encoder of package bert.
type BERTConfig struct {
	Encoder bert.Config
}

// validate returns an error that names the first field whose value no tower can have. c holds the rest of the configuration.
func (b BERTConfig) validate(c TextConfig) error {
	if err := b.Encoder.Validate(); err != nil {
		return err
	}
	var v config.Checks
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
	return modelfolder.Claim{Values: layers*(4*d*d+2*d*h) + d*(rows+float64(width)), Tensors: 8 * e.NumHiddenLayers}
}

// stack describes the encoder's layers.
func (b BERTConfig) stack() tower.Stack {
	e := b.Encoder
	return tower.Stack{Width: e.HiddenSize, Layers: e.NumHiddenLayers, Hidden: e.IntermediateSize, QKVBias: true}
}

// limit takes the limit of a tokenizer for tokens of a text, which nil does not have.
func (c *TextConfig) limit(t *text.Tokenizer) {
	if c.BERT == nil || t == nil {
		return
	}
	if cut := t.Defaults().Truncation; cut != nil {
		c.MaxPositionEmbeddings = min(c.MaxPositionEmbeddings, cut.Max)
	}
}

// BERT is a text tower with an encoder of package bert, such as Chinese-CLIP's. The features of a text are the last hidden
// state of its first token.
type BERT struct {
	Encoder *bert.Encoder
	most    int // tokens of a text
}

// NewBERT returns a tower of zeros. The configuration must be valid, and have a BERT.
func NewBERT(c TextConfig) *BERT {
	return &BERT{Encoder: bert.NewEncoder(c.BERT.Encoder), most: c.MaxPositionEmbeddings}
}

// Forward maps the tokens of texts, each of 1 to MaxPositionEmbeddings ids without padding, to features, [len(texts), width].
// The texts lie one after the other, and each has the bits that it has alone. It panics with an autograd.ShapeError for an
// empty text, one that is too long, and an id outside the vocabulary.
func (x *BERT) Forward(t *autograd.Tape, texts [][]int) *autograd.Tensor {
	for _, text := range texts {
		if n := len(text); n == 0 || n > x.most {
			panic(&autograd.ShapeError{Op: "clip text", Shapes: [][]int{{n}, {x.most}}, Reason: fmt.Sprintf("expected a text of 1 to %d tokens", x.most)})
		}
	}
	in := bert.Pack(texts...)
	return autograd.GatherRows(x.Encoder.Forward(t, in), in.Starts[:len(texts)])
}

// init draws initial weights as transformers does (ChineseCLIPPreTrainedModel._init_weights).
func (x *BERT) init(rng *rand.Rand, c bert.Config) {
	x.Encoder.Init(rng, c.InitializerRange, c.PadTokenID)
}
