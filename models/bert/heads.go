package bert

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/nn"
)

// Heads are the heads of a model. A head that it lacks is nil.
type Heads struct {
	Pooler     *nn.Linear      // [hidden, hidden]: tanh of the first token
	Masked     *MaskedHead     // words of masked tokens
	Sentence   *nn.Linear      // [2, hidden]: whether the second text follows the first, or their order (ALBERT)
	Replaced   *ReplacedHead   // words that were replaced (ELECTRA)
	Classifier *Classifier     // of sequences, tokens or choices, as Model.Task says
	Prediction *PredictionHead // before Spans in ModernBERT; nil in others
	Spans      *nn.Linear      // [2, hidden]: where an answer begins and ends
}

// parts says which heads a model has.
type parts struct{ pooler, masked, sentence, replaced, classifier, spans bool }

// partsOf returns the heads that transformers' class for a task has.
func partsOf(c Config, task Task) parts {
	p := parts{pooler: takesPooled(c, task) || task == Features && variants[c.ModelType].pools}
	switch task {
	case MaskedWords:
		p.masked = true
	case PreTraining:
		p.replaced = c.ModelType == "electra"
		p.masked, p.sentence = !p.replaced, !p.replaced
	case NextSentence:
		p.sentence = true
	case SequenceClassification, TokenClassification, MultipleChoice:
		p.classifier = true
	case QuestionAnswering:
		p.spans = true
	}
	return p
}

// supports returns an error for a task that the variant does not have.
func (c Config) supports(task Task) error {
	switch t := c.ModelType; {
	case task != Features && !slices.Contains(tasks, task):
		return fmt.Errorf("expected one of the tasks %q, found %q", tasks, task)
	case task == NextSentence && t != "bert", task == PreTraining && t != "bert" && t != "albert" && t != "electra":
		return fmt.Errorf("the model_type %q has no task %q", t, task)
	}
	return nil
}

// newHeads returns heads of zeros.
func newHeads(c Config, task Task, p parts, classes int) Heads {
	var h Heads
	if p.pooler {
		h.Pooler = nn.NewLinear(c.HiddenSize, c.HiddenSize, true)
	}
	if p.masked {
		h.Masked = newMaskedHead(c)
	}
	if p.sentence {
		h.Sentence = nn.NewLinear(c.HiddenSize, 2, true)
	}
	if p.replaced {
		h.Replaced = newReplacedHead(c)
	}
	if p.classifier {
		if task == MultipleChoice {
			classes = 1
		}
		h.Classifier = newClassifier(c, task, classes)
	}
	if p.spans {
		h.Spans = nn.NewLinear(c.HiddenSize, 2, true)
		if isModern(c) {
			h.Prediction = newPrediction(c)
		}
	}
	return h
}

// draw draws the weights as transformers does: normal values of the configuration's standard deviation.
func (h *Heads) draw(rng *rand.Rand, c Config) {
	if isModern(c) {
		c.drawModernHeads(rng, h)
		return
	}
	std := c.InitializerRange
	for _, l := range nn.Layers[nn.Linear](h) {
		nn.Normal(rng, l.Weight, std)
	}
	for _, l := range nn.Layers[nn.Embedding](h) {
		nn.Normal(rng, l.Weight, std)
	}
}

// MaskedHead predicts the words of tokens.
type MaskedHead struct {
	Dense   *nn.Linear // [embedding width, hidden]
	Norm    *nn.LayerNorm
	Decoder *nn.Embedding       // [vocabulary, embedding width]; nil means the word embeddings of the encoder
	Bias    *autograd.Parameter // [vocabulary]
	act     autograd.Activation
}

func newMaskedHead(c Config) *MaskedHead {
	width := c.HiddenSize
	if c.ModelType == "albert" || c.ModelType == "electra" || isDeberta(c) {
		width = c.embeddingSize()
	}
	h := &MaskedHead{
		Dense: nn.NewLinear(c.HiddenSize, width, true),
		Norm:  nn.NewLayerNorm(width, c.LayerNormEps),
		Bias:  autograd.NewParameter(c.VocabSize),
		act:   activation(c.HiddenAct),
	}
	switch c.ModelType { // these have GELU, whatever hidden_act is
	case "roberta", "xlm-roberta", "camembert", "electra", "mpnet":
		h.act = autograd.ActGelu
	}
	if isModern(c) {
		h.Dense, h.Norm, h.act = nn.NewLinear(c.HiddenSize, width, c.ClassifierBias), newNorm(c, width), c.classifierAct()
		if c.DecoderBias != nil && !*c.DecoderBias {
			h.Bias = nil
		}
	}
	if !c.TieWordEmbeddings {
		h.Decoder = nn.NewEmbedding(c.VocabSize, width)
	}
	return h
}

// Forward maps hidden states, [n, hidden], to the logits of all words, [n, vocabulary].
func (h *MaskedHead) Forward(x *autograd.Tensor, words *nn.Embedding) *autograd.Tensor {
	if h.Decoder != nil {
		words = h.Decoder
	}
	x = h.Norm.Forward(h.Dense.ForwardAct(x, h.act))
	if h.Bias == nil {
		return autograd.Linear(x, words.Weight, nil)
	}
	return autograd.Linear(x, words.Weight, h.Bias)
}

// ReplacedHead is the discriminator of ELECTRA, which finds words that were replaced.
type ReplacedHead struct {
	Dense *nn.Linear // [hidden, hidden]
	Out   *nn.Linear // [1, hidden]
	act   autograd.Activation
}

func newReplacedHead(c Config) *ReplacedHead {
	return &ReplacedHead{
		Dense: nn.NewLinear(c.HiddenSize, c.HiddenSize, true),
		Out:   nn.NewLinear(c.HiddenSize, 1, true),
		act:   activation(c.HiddenAct),
	}
}

// Forward maps hidden states, [n, hidden], to a logit each, [n, 1]: positive for a word that was replaced.
func (h *ReplacedHead) Forward(x *autograd.Tensor) *autograd.Tensor {
	return h.Out.Forward(h.Dense.ForwardAct(x, h.act))
}

// Classifier maps vectors to logits: of sequences, of tokens, or of choices.
type Classifier struct {
	Dense *nn.Linear    // [hidden, hidden]; nil where the pooler comes before, and for tokens
	Norm  *nn.LayerNorm // after Dense in ModernBERT; nil in others
	Out   *nn.Linear    // [classes, hidden]

	act            autograd.Activation
	before, within float32 // dropout before and after Dense
}

func newClassifier(c Config, task Task, classes int) *Classifier {
	dropout := c.HiddenDropoutProb
	if c.ClassifierDropout != nil {
		dropout = *c.ClassifierDropout
	}
	h := &Classifier{Out: nn.NewLinear(c.HiddenSize, classes, true), within: dropout}
	dense := func(act autograd.Activation) {
		h.Dense, h.act = nn.NewLinear(c.HiddenSize, c.HiddenSize, true), act
	}
	switch {
	case isModern(c):
		p := newPrediction(c)
		h.Dense, h.Norm, h.act, h.within = p.Dense, p.Norm, p.act, p.dropout
	case c.ModelType == "albert":
		h.within = c.ClassifierDropoutProb
	case task == TokenClassification:
	case isDeberta(c):
		if c.ClsDropout != nil {
			h.within = *c.ClsDropout
		}
	case c.ModelType == "distilbert":
		dense(autograd.ActRelu)
		h.within = c.SequenceDropout
	case task == MultipleChoice && c.ModelType == "electra":
		dense(activation(c.SummaryActivation))
		h.within = c.SummaryLastDropout
	case task == MultipleChoice && variants[c.ModelType].positionsAfterPadding:
		h.within = c.HiddenDropoutProb
	case task == SequenceClassification && c.ModelType == "electra":
		dense(autograd.ActGelu)
		h.before = dropout
	case task == SequenceClassification && variants[c.ModelType].positionsAfterPadding:
		dense(autograd.ActTanh)
		h.before = dropout
	}
	return h
}

// Forward maps vectors, [n, hidden], to logits, [n, classes].
func (h *Classifier) Forward(x *autograd.Tensor) *autograd.Tensor {
	if h.Dense != nil {
		x = h.Dense.ForwardAct(autograd.Dropout(x, h.before), h.act)
		if h.Norm != nil {
			x = h.Norm.Forward(x)
		}
	}
	return h.Out.Forward(autograd.Dropout(x, h.within))
}

// takesPooled reports whether the classifier of a task takes the vectors of the pooler.
func takesPooled(c Config, task Task) bool {
	switch {
	case task == NextSentence || task == PreTraining && variants[c.ModelType].pools:
		return true
	case task == SequenceClassification:
		return c.ModelType == "bert" || c.ModelType == "albert" || isDeberta(c)
	case task == MultipleChoice:
		return isDeberta(c) || variants[c.ModelType].pools
	}
	return false
}
