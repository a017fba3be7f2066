package bert

import (
	"slices"
	"strings"
)

// Task is the task of a model's head. Each but Features is a class of transformers, such as BertForMaskedLM.
type Task string

// The tasks. Beside its task's head, a model may have others that its file holds: a pre-trained BERT has heads for
// masked words and for the next sentence.
const (
	Features               Task = ""                          // hidden states, and vectors made of them
	MaskedWords            Task = "ForMaskedLM"               // a word for each masked token
	PreTraining            Task = "ForPreTraining"            // masked words and sentences; in ELECTRA replaced words
	NextSentence           Task = "ForNextSentencePrediction" // whether a text follows another
	SequenceClassification Task = "ForSequenceClassification" // classes of a text or pair, or values (regression)
	TokenClassification    Task = "ForTokenClassification"    // a class for each token
	QuestionAnswering      Task = "ForQuestionAnswering"      // the span of a context that answers a question
	MultipleChoice         Task = "ForMultipleChoice"         // the best of several texts
)

var tasks = []Task{MaskedWords, PreTraining, NextSentence, SequenceClassification, TokenClassification, QuestionAnswering, MultipleChoice}

// taskOf returns the task of a class of transformers: Features where none is named.
func taskOf(architectures []string) Task {
	for _, name := range architectures {
		if strings.HasSuffix(name, "LMHeadModel") || strings.HasSuffix(name, "WithLMHead") {
			return MaskedWords
		}
		if i := slices.IndexFunc(tasks, func(t Task) bool { return strings.HasSuffix(name, string(t)) }); i >= 0 {
			return tasks[i]
		}
	}
	return Features
}

// architecture returns the name of transformers' class for a task.
func architecture(modelType string, t Task) string {
	if t == Features {
		return variants[modelType].class + "Model"
	}
	return variants[modelType].class + string(t)
}
