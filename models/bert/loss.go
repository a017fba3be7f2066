package bert

import (
	"fmt"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/models"
)

// Targets are what a model should answer for an input. The fields that a task needs are set:
//
//	SequenceClassification  Classes or Values, as Config.Problem says
//	TokenClassification     Classes of tokens
//	MaskedWords             Classes of tokens: words
//	NextSentence            Classes of sequences
//	PreTraining             Classes of tokens and Sentences; in ELECTRA Values of tokens
//	QuestionAnswering       Begins and Ends
//	MultipleChoice          Classes of questions and Choices
type Targets struct {
	// Classes are indices of classes or words. Tokens with autograd.IgnoreClass do not count.
	Classes []int
	// Values are numbers: [sequences, classes] of zeros and ones for classes that do not exclude each other, or what a
	// regression should give; or a one for each token that was replaced.
	Values []float32
	// Sentences are classes of the head for sentences in pre-training.
	Sentences []int
	// Begins and Ends are the first and the last token of an answer, counted from the first token of its sequence. A
	// place beyond the sequence does not count.
	Begins, Ends []int
	// Weights are those of the classes in the cross-entropy of sequences or tokens, which is then a weighted mean; nil
	// means 1 each.
	Weights []float32
	// Choices is the number of texts for a question, which lie one after the other.
	Choices int
}

// Loss returns the loss of the model's Task, as transformers computes it from labels: the mean cross-entropy of
// classes; the binary one of classes that do not exclude each other and of replaced words; the mean square of the
// difference of a regression. Without a Config.Problem, Values of one class are a regression, and those of several are
// probabilities in DeBERTa (cross-entropy). The loss of an answer is the mean for begin and end, among the tokens of
// the sequence. A negative begin or end counts as the first token, and one beyond the sequence does not count. The loss
// is 0 where nothing counts (PyTorch: NaN).
//
// The error says which targets were expected. Loss panics as [Encoder.Forward] does.
func (m *Model) Loss(t *autograd.Tape, in Input, want Targets) (*autograd.Tensor, error) {
	sequences, tokens := len(in.starts())-1, in.tokens()
	count := func(name string, found, expected int) error {
		if found != expected {
			return fmt.Errorf("bert: loss of the task %q: expected %d %s, found %d", m.Task, expected, name, found)
		}
		return nil
	}
	switch m.Task {
	case SequenceClassification:
		classes := m.Classifier.Out.Weight.Shape()[0]
		problem := m.Config.Problem
		switch {
		case problem != "":
		case want.Values == nil:
			problem = models.SingleLabel
		case classes == 1:
			problem = models.Regression
		default:
			problem = models.MultiLabel
		}
		if problem == models.SingleLabel {
			return m.classLoss(t, in, want, sequences)
		}
		if err := count("values", len(want.Values), sequences*classes); err != nil {
			return nil, err
		}
		values := t.Input(want.Values, sequences, classes)
		switch {
		case problem == models.Regression:
			return autograd.MSE(m.Forward(t, in), values), nil
		case m.Config.Problem == "" && isDeberta(m.Config): // the values are probabilities
			sum := autograd.Sum(autograd.Mul(autograd.LogSoftmax(m.Forward(t, in)), values), false)
			return autograd.Scale(sum, -1/float32(sequences)), nil
		}
		return autograd.BCEWithLogits(m.Forward(t, in), values, autograd.BCEOptions{}), nil
	case TokenClassification:
		return m.classLoss(t, in, want, tokens)
	case NextSentence:
		return m.classLoss(t, in, want, sequences)
	case MaskedWords:
		if err := count("classes of tokens", len(want.Classes), tokens); err != nil {
			return nil, err
		}
		return m.wordLoss(m.Hidden(t, in), want.Classes)
	case PreTraining:
		return m.preTrainingLoss(t, in, want, count)
	case QuestionAnswering:
		if err := count("begins", len(want.Begins), sequences); err != nil {
			return nil, err
		}
		if err := count("ends", len(want.Ends), sequences); err != nil {
			return nil, err
		}
		return m.answerLoss(t, in, want)
	case MultipleChoice:
		if want.Choices < 1 || sequences%want.Choices != 0 {
			return nil, fmt.Errorf("bert: loss of the task %q: expected a number of choices that divides %d sequences, found %d", m.Task, sequences, want.Choices)
		}
		if err := m.classes(want.Classes, sequences/want.Choices, want.Choices); err != nil {
			return nil, err
		}
		logits := autograd.Reshape(m.Forward(t, in), sequences/want.Choices, want.Choices)
		return autograd.CrossEntropy(logits, want.Classes, autograd.CrossEntropyOptions{}), nil
	}
	return nil, fmt.Errorf("bert: loss: expected a model with a task, found one of features: call NewHead")
}

// classes checks the targets of n rows of logits.
func (m *Model) classes(targets []int, n, classes int) error {
	if len(targets) != n {
		return fmt.Errorf("bert: loss of the task %q: expected %d classes, found %d", m.Task, n, len(targets))
	}
	for i, c := range targets {
		if c != autograd.IgnoreClass && (c < 0 || c >= classes) {
			return fmt.Errorf("bert: loss of the task %q: class %d: expected 0 to %d, found %d", m.Task, i, classes-1, c)
		}
	}
	return nil
}

// classLoss is the cross-entropy of n rows of the task's logits.
func (m *Model) classLoss(t *autograd.Tape, in Input, want Targets, n int) (*autograd.Tensor, error) {
	classes := 2
	if m.Task != NextSentence {
		classes = m.Classifier.Out.Weight.Shape()[0]
	}
	if err := m.classes(want.Classes, n, classes); err != nil {
		return nil, err
	}
	if want.Weights != nil && len(want.Weights) != classes {
		return nil, fmt.Errorf("bert: loss of the task %q: expected %d weights of classes, found %d", m.Task, classes, len(want.Weights))
	}
	return autograd.CrossEntropy(m.Forward(t, in), want.Classes, autograd.CrossEntropyOptions{Weight: want.Weights}), nil
}

// wordLoss is the cross-entropy of words. Only tokens that count have logits.
func (m *Model) wordLoss(hidden *autograd.Tensor, words []int) (*autograd.Tensor, error) {
	if err := m.classes(words, hidden.Dim(0), m.Config.VocabSize); err != nil {
		return nil, err
	}
	var rows, targets []int
	for i, word := range words {
		if word != autograd.IgnoreClass {
			rows, targets = append(rows, i), append(targets, word)
		}
	}
	return autograd.CrossEntropy(m.WordLogits(autograd.GatherRows(hidden, rows)), targets, autograd.CrossEntropyOptions{}), nil
}

func (m *Model) preTrainingLoss(t *autograd.Tape, in Input, want Targets, count func(name string, found, expected int) error) (*autograd.Tensor, error) {
	starts := in.starts()
	if m.Replaced != nil {
		if err := count("values of tokens", len(want.Values), in.tokens()); err != nil {
			return nil, err
		}
		logits := m.Replaced.Forward(m.Hidden(t, in))
		return autograd.BCEWithLogits(logits, t.Input(want.Values, in.tokens(), 1), autograd.BCEOptions{}), nil
	}
	if err := count("classes of tokens", len(want.Classes), in.tokens()); err != nil {
		return nil, err
	}
	if err := m.classes(want.Sentences, len(starts)-1, 2); err != nil {
		return nil, err
	}
	hidden := m.Hidden(t, in)
	words, err := m.wordLoss(hidden, want.Classes)
	if err != nil {
		return nil, err
	}
	return autograd.Add(words, autograd.CrossEntropy(m.NextLogits(hidden, starts), want.Sentences, autograd.CrossEntropyOptions{})), nil
}

// answerLoss is the mean of the cross-entropies of begins and of ends, each the mean over the sequences that count.
func (m *Model) answerLoss(t *autograd.Tape, in Input, want Targets) (*autograd.Tensor, error) {
	starts := in.starts()
	if len(want.Begins) == 0 {
		return nil, fmt.Errorf("bert: loss of the task %q: expected at least one sequence", m.Task)
	}
	logits := m.Forward(t, in)
	var loss *autograd.Tensor
	for side, targets := range [][]int{want.Begins, want.Ends} {
		var sum *autograd.Tensor
		counted := 0
		for i, at := range targets {
			n := starts[i+1] - starts[i]
			if at = max(0, at); at < n {
				counted++
			} else {
				at = autograd.IgnoreClass
			}
			row := autograd.Transpose(autograd.Slice(autograd.Slice(logits, 1, side, side+1), 0, starts[i], starts[i+1]), 0, 1)
			sum = plus(sum, autograd.CrossEntropy(row, []int{at}, autograd.CrossEntropyOptions{}))
		}
		loss = plus(loss, autograd.Scale(sum, 0.5/float32(max(1, counted))))
	}
	return loss, nil
}

// plus returns x + y, or y for a nil x.
func plus(x, y *autograd.Tensor) *autograd.Tensor {
	if x == nil {
		return y
	}
	return autograd.Add(x, y)
}
