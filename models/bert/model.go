package bert

import (
	"fmt"
	"math/rand/v2"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/checkpoint"
	"github.com/fovea-ml/fovea/models"
	"github.com/fovea-ml/fovea/models/internal/modelfolder"
	"github.com/fovea-ml/fovea/models/internal/run"
	"github.com/fovea-ml/fovea/models/internal/tower"
	"github.com/fovea-ml/fovea/nn"
	"github.com/fovea-ml/fovea/simd"
	"github.com/fovea-ml/fovea/text"
)

// Model is BERT or a variant, with the heads that it was made or loaded with. It may be used by any number of
// goroutines at once, as long as none changes its parameters.
type Model struct {
	Config  Config
	Task    Task // of [Model.Forward]
	Encoder *Encoder

	Heads

	// Tokenizer turns texts into tokens; nil after New, and after Load of a folder without one.
	Tokenizer *text.Tokenizer
	// Sentences says how a text becomes one vector; see [Model.Embed]. Where the folder does not say, it is the mean of
	// the hidden states, as in sentence-transformers.
	Sentences *Sentences
	// Reranking says how [Model.Rerank] reads pairs. It is the zero value unless the folder is that of a CrossEncoder.
	Reranking Preprocess
	// MaxTokens is the number of tokens that a text may have, special tokens included: the smaller of the tokenizer's
	// limit and the number of positions.
	MaxTokens int
	// Truncate cuts longer texts. Without it they are an error. Embed and Rerank cut in any case.
	Truncate bool
	// Workers runs the tasks in parallel: all cores after New and Load; nil is serial.
	Workers *simd.Workers
	// Math is the arithmetic of matrix products, as autograd.Options describes it: [simd.Strict] after New and Load, or
	// [simd.Int8] after Load of a quantized folder.
	Math simd.Math

	runner         *run.Runner
	tokenizerFiles []modelfolder.Part // of the folder, beside tokenizer.json
	textErr        error              // why there is no Tokenizer
	sentencesErr   error              // why there are no Sentences
	rerankErr      error              // why pairs cannot be ranked
}

// New returns a model with the heads of a task, and initial weights drawn from rng, or of zeros, to be loaded, when rng
// is nil. classes is the number of classes of sequences or tokens; other tasks do not use it. New panics when the
// configuration is not valid, and when the variant has no such task.
func New(c Config, task Task, classes int, rng *rand.Rand) *Model {
	if err := c.Validate(); err != nil {
		panic("bert: " + err.Error())
	}
	if err := c.supports(task); err != nil {
		panic("bert: " + err.Error())
	}
	m := newModel(c, task, newHeads(c, task, partsOf(c, task), classes))
	if rng != nil {
		if isModern(c) {
			c.drawModern(rng, m.Encoder)
		} else {
			m.Encoder.Init(rng, c.InitializerRange, c.PadTokenID)
		}
		m.draw(rng, c)
	}
	return m
}

// tape returns the options of the model's tapes.
func (m *Model) tape() autograd.Options { return autograd.Options{Workers: m.Workers, Math: m.Math} }

// newModel returns a model with an encoder of zeros.
func newModel(c Config, task Task, heads Heads) *Model {
	return &Model{
		Config: c, Task: task, Encoder: NewEncoder(c), Heads: heads,
		Sentences: &Sentences{Pooling: []Pooling{PoolMean}}, MaxTokens: c.MaxTokens(), Workers: simd.NewWorkers(0), runner: run.New(),
	}
}

// NewHead gives the model a new head for a task: SequenceClassification or TokenClassification with the labels, or
// QuestionAnswering, MultipleChoice or MaskedWords without. It is drawn as transformers draws a missing head, and takes
// the place of the classifier and the head for spans. The head for masked words and a pooler stay where they are; in
// ModernBERT, whose heads all have one name, the new head is the only one.
//
// Config then has these classes and no Problem: set that afterwards for classes that do not exclude each other, or for
// regression. Make optimizers afterwards: they would still hold the old parameters. It panics for another task, and
// without labels where the task has classes.
func (m *Model) NewHead(task Task, labels []string, rng *rand.Rand) {
	classes := task == SequenceClassification || task == TokenClassification
	if rng == nil || classes != (len(labels) > 0) {
		panic(fmt.Sprintf("bert: a new head for %q needs a random number generator, and labels where it has classes, found %d labels", task, len(labels)))
	}
	fresh := newHeads(m.Config, task, partsOf(m.Config, task), len(labels))
	if fresh.Classifier == nil && fresh.Spans == nil && fresh.Masked == nil {
		panic(fmt.Sprintf("bert: NewHead makes no head for %q", task))
	}
	fresh.draw(rng, m.Config)
	m.Task = task
	m.Classifier, m.Spans, m.Prediction = fresh.Classifier, fresh.Spans, fresh.Prediction
	if isModern(m.Config) {
		m.Masked = nil // its tensors have the names of the new ones
	}
	if m.Pooler == nil {
		m.Pooler = fresh.Pooler
	}
	if fresh.Masked != nil {
		m.Masked = fresh.Masked
	}
	m.Config.Classes = models.Classes{}
	if classes {
		m.Config.SetLabels(labels)
	}
	nn.LimitAdded(m)
}

// Hidden returns the hidden states of the tokens, [tokens, hidden]. It panics as [Encoder.Forward] does.
func (m *Model) Hidden(t *autograd.Tape, in Input) *autograd.Tensor { return m.Encoder.Forward(t, in) }

// Forward returns the logits of the model's Task: of sequences, [sequences, classes]; of tokens, [tokens, classes]; of
// words, [tokens, vocabulary]; of the next sentence, [sequences, 2]; of begin and end of an answer, [tokens, 2]; of
// choices, [sequences, 1]. It panics as [Encoder.Forward] does, and with an autograd.UseError for a task without logits
// of its own: Features and PreTraining, whose heads are called on the result of [Model.Hidden].
func (m *Model) Forward(t *autograd.Tape, in Input) *autograd.Tensor {
	x := m.Hidden(t, in)
	switch m.Task {
	case MaskedWords:
		return m.WordLogits(x)
	case NextSentence:
		return m.NextLogits(x, in.starts())
	case SequenceClassification, MultipleChoice:
		return m.ClassLogits(x, in.starts())
	case TokenClassification:
		return m.Classifier.Forward(x)
	case QuestionAnswering:
		return m.SpanLogits(x)
	}
	panic(&autograd.UseError{Op: "bert", Reason: fmt.Sprintf("the task %q has no logits of its own: call Hidden, and the heads", m.Task)})
}

// WordLogits returns the logits of all words, [n, vocabulary], for hidden states, [n, hidden].
func (m *Model) WordLogits(hidden *autograd.Tensor) *autograd.Tensor {
	return m.Masked.Forward(hidden, m.Encoder.Embeddings.Words)
}

// Pool returns the vectors of the pooler, [sequences, hidden].
func (m *Model) Pool(hidden *autograd.Tensor, starts []int) *autograd.Tensor {
	x := first(hidden, starts)
	if !isDeberta(m.Config) {
		return m.Pooler.ForwardAct(x, autograd.ActTanh)
	}
	act := autograd.ActGelu
	if m.Config.PoolerHiddenAct != "" {
		act = activation(m.Config.PoolerHiddenAct)
	}
	return m.Pooler.ForwardAct(autograd.Dropout(x, m.Config.PoolerDropout), act)
}

// NextLogits returns two logits for each sequence of two texts, [sequences, 2], for hidden states, [tokens, hidden]. In
// BERT the first is that the second text follows the first one; in ALBERT it is that the order of the texts is right.
func (m *Model) NextLogits(hidden *autograd.Tensor, starts []int) *autograd.Tensor {
	x := m.Pool(hidden, starts)
	if m.Config.ModelType == "albert" {
		x = autograd.Dropout(x, m.Config.ClassifierDropoutProb)
	}
	return m.Sentence.Forward(x)
}

// ClassLogits returns the logits of sequences, [sequences, classes], for hidden states, [tokens, hidden].
func (m *Model) ClassLogits(hidden *autograd.Tensor, starts []int) *autograd.Tensor {
	if takesPooled(m.Config, m.Task) {
		return m.Classifier.Forward(m.Pool(hidden, starts))
	}
	if m.Config.ClassifierPooling == "mean" {
		return m.Classifier.Forward(means(hidden, starts))
	}
	return m.Classifier.Forward(first(hidden, starts))
}

// SpanLogits returns the logits of begin and end of an answer, [n, 2], for hidden states, [n, hidden].
func (m *Model) SpanLogits(hidden *autograd.Tensor) *autograd.Tensor {
	if m.Prediction != nil {
		hidden = m.Prediction.Forward(hidden)
	}
	return m.Spans.Forward(autograd.Dropout(hidden, m.Config.QADropout))
}

// means returns the mean of the hidden states of each sequence. It panics for an empty sequence.
func means(hidden *autograd.Tensor, starts []int) *autograd.Tensor {
	first(hidden, starts) // checks
	var rows []autograd.Operand
	for i := 1; i < len(starts); i++ {
		rows = append(rows, autograd.Mean(autograd.Slice(hidden, 0, starts[i-1], starts[i]), true, 0))
	}
	if len(rows) == 0 {
		return autograd.Slice(hidden, 0, 0, 0)
	}
	return autograd.Concat(0, rows...)
}

// first returns the hidden states of the first tokens. It panics for an empty sequence.
func first(hidden *autograd.Tensor, starts []int) *autograd.Tensor {
	for i := 1; i < len(starts); i++ {
		if starts[i] == starts[i-1] {
			panic(&autograd.ShapeError{Op: "bert", Shapes: [][]int{starts}, Reason: "expected sequences of at least one token"})
		}
	}
	return autograd.GatherRows(hidden, starts[:max(0, len(starts)-1)])
}

// Layer returns the number of the layer that a parameter belongs to, for layer-wise learning-rate decay: 0 for the
// embeddings, i+1 for layer i, and the number of layers plus one for the heads. path is one that nn.Parameters yields.
// The method serves as train.GroupOptions.Layer.
func (m *Model) Layer(path string) int {
	return tower.Layer(path, "Encoder.Layers", len(m.Encoder.Layers), "Encoder.Embeddings", "Encoder.Relative", "Encoder.RelativeNorm")
}

// AdapterNames returns the table of names for package nn/lora. The adapters that lora.Save writes with it load in PEFT.
func (m *Model) AdapterNames() *checkpoint.Names {
	return namesOf(m.Config.ModelType, m.Task, m.Config.TieWordEmbeddings)
}
