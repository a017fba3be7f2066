package bert

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/simd"
	"github.com/fovea-ml/fovea/text"
)

// AnswerOptions say how [Model.Answer] finds answers.
type AnswerOptions struct {
	Top       int // answers; 0 means 1
	MaxTokens int // of an answer; 0 means 15
	// Stride is how many tokens the windows of a long passage share; 0 means 128, or half of the model's tokens where
	// that is less.
	Stride int
	// NoAnswer, if not nil, lets the answer be that there is none: an empty one. It comes before the best answer where the
	// logarithm of its score is more than *NoAnswer above that answer's. 0 suits models trained on SQuAD 2.0.
	NoAnswer *float64
}

// Answer is a part of a passage that answers a question, or an empty text.
type Answer struct {
	Text       string
	Start, End int     // bytes in the passage
	Score      float32 // probability of the begin times that of the end, within the window
}

// Answer returns the parts of a passage that answer a question, the best first (extractive question answering). Answers
// are whole words. A passage that is longer than the model takes is read in windows, and the best answers of all count.
// The scores of answers with the same words, in upper or lower case, are added. Scores and order are those of
// transformers' question-answering pipeline (4.57; version 5 has none) with max_seq_len = Model.MaxTokens.
//
// It returns an error for a model without a head for spans, and for a question that leaves no room for the passage.
func (m *Model) Answer(ctx context.Context, question, passage string, o AnswerOptions) ([]Answer, error) {
	if m.Spans == nil {
		return nil, errors.New("bert: the model has no head for the spans of answers")
	}
	out, err := m.answer(ctx, question, passage, o)
	if err != nil {
		return nil, fmt.Errorf("bert: %w", err)
	}
	return out, nil
}

func (m *Model) answer(ctx context.Context, question, passage string, o AnswerOptions) ([]Answer, error) {
	if o.Top < 0 || o.MaxTokens < 0 || o.Stride < 0 {
		return nil, fmt.Errorf("options Top, MaxTokens and Stride: expected 0 or more, found %d, %d and %d", o.Top, o.MaxTokens, o.Stride)
	}
	pair := []text.Input{{Text: question, Pair: &text.Input{Text: passage}}}
	o.Top, o.MaxTokens = cmp.Or(o.Top, 1), cmp.Or(o.MaxTokens, 15)
	windows, _, err := m.windows(ctx, pair, text.OnlySecond, m.stride(question, o.Stride))
	if err != nil {
		return nil, err
	}
	var all []Answer
	none := math.Inf(1) // the smallest score of no answer
	err = m.over(ctx, windows, func(hidden *autograd.Tensor, in Input, first int) error {
		logits := m.SpanLogits(hidden).Floats(nil)
		for i := range len(in.Starts) - 1 {
			found, null := spans(windows[first+i], logits[2*in.Starts[i]:2*in.Starts[i+1]], o)
			all, none = append(all, found...), min(none, null)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for i := range all {
		all[i].Text = passage[all[i].Start:all[i].End]
	}
	all = add(all)
	slices.SortStableFunc(all, func(a, b Answer) int { return cmp.Compare(b.Score, a.Score) })
	if o.NoAnswer != nil {
		at := 0
		if len(all) > 0 && math.Log(none)-math.Log(float64(all[0].Score)) <= *o.NoAnswer {
			for at = 1; at < len(all) && float64(all[at].Score) >= none; {
				at++
			}
		}
		all = slices.Insert(all, at, Answer{Score: float32(none)})
	}
	return all[:min(len(all), o.Top)], nil
}

// spans returns the best answers of a window, and the score of none. logits has begin and end of each token.
func spans(e *text.Encoding, logits []float32, o AnswerOptions) (found []Answer, none float64) {
	n := e.Len()
	starts, ends := make([]float32, n), make([]float32, n)
	for i := range n {
		starts[i], ends[i] = logits[2*i], logits[2*i+1]
		if e.Sequences[i] != 1 && i > 0 { // the first token stands for no answer
			starts[i], ends[i] = -10000, -10000
		}
	}
	simd.Softmax(starts, starts, 1)
	simd.Softmax(ends, ends, 1)
	none = float64(starts[0]) * float64(ends[0])
	type span struct {
		from, to int
		score    float32
	}
	most := 2*o.Top + 10 // some become the same answer when they are extended to whole words
	var top []span       // of the pairs of a begin and an end
	for from := range n {
		if e.Sequences[from] != 1 {
			continue
		}
		for to := from; to < min(n, from+o.MaxTokens) && e.Sequences[to] == 1; to++ {
			s := span{from, to, starts[from] * ends[to]}
			if len(top) == most && s.score <= top[len(top)-1].score {
				continue
			}
			at, _ := slices.BinarySearchFunc(top, s, func(a, b span) int {
				if a.score >= b.score { // of equals the first stays first
					return -1
				}
				return 1
			})
			if top = slices.Insert(top, at, s); len(top) > most {
				top = top[:most]
			}
		}
	}
	for _, s := range top {
		for s.from > 0 && e.Sequences[s.from-1] == 1 && e.Words[s.from-1] == e.Words[s.from] {
			s.from--
		}
		for s.to+1 < n && e.Sequences[s.to+1] == 1 && e.Words[s.to+1] == e.Words[s.to] {
			s.to++
		}
		found = append(found, Answer{Start: e.Offsets[s.from][0], End: e.Offsets[s.to][1], Score: s.score})
	}
	return found, none
}

// add joins answers with the same words and adds their scores. The place of the first counts.
func add(list []Answer) []Answer {
	var kept []Answer
	at := map[string]int{}
	for _, a := range list {
		words := strings.ToLower(a.Text)
		if i, ok := at[words]; ok {
			kept[i].Score += a.Score
			continue
		}
		at[words] = len(kept)
		kept = append(kept, a)
	}
	return kept
}
