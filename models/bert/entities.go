package bert

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/text"
)

// Aggregation is how the classes of tokens become entities.
type Aggregation string

// The aggregations of transformers. Those by words give each word one class.
const (
	NoAggregation  Aggregation = "none"    // each token is an entity; its label keeps B- or I-
	Simple         Aggregation = "simple"  // tokens of one class in a row
	ByFirstToken   Aggregation = "first"   // words of one class in a row; a word has the class of its first token
	BySurestToken  Aggregation = "max"     // as ByFirstToken, by the most certain token of a word
	ByMeanOfTokens Aggregation = "average" // as ByFirstToken, by the mean of the probabilities of a word's tokens
)

// EntityOptions say how [Model.Entities] finds entities.
type EntityOptions struct {
	Aggregation Aggregation // "" means ByFirstToken, which never cuts a word
	Ignore      []string    // labels that are no entities; nil means "O"
	// Stride is how many tokens the windows of a long text share; 0 means 32, or a quarter of the model's tokens where
	// that is less. Of entities that overlap there, the longer one counts, then the one with the higher score.
	Stride int
}

// Entity is a part of a text that has a class, such as a name.
type Entity struct {
	Label      string // without B- or I-, but with NoAggregation
	Score      float32
	Text       string
	Start, End int // bytes in the text
}

// Entities finds the entities in each text (named entity recognition, and other classes of tokens). They are those of
// transformers' token-classification pipeline, and Text is the text between Start and End. Words are those of the
// pipeline too: tokens that WordPiece marks, and what lies between spaces for other tokenizers. A text that is longer
// than the model takes is read in windows.
//
// It returns an error for a model without a classifier of tokens, and for an unknown Aggregation.
func (m *Model) Entities(ctx context.Context, o EntityOptions, list ...string) ([][]Entity, error) {
	if err := m.wants(TokenClassification); err != nil {
		return nil, err
	}
	out, err := m.entities(ctx, o, list)
	if err != nil {
		return nil, fmt.Errorf("bert: %w", err)
	}
	return out, nil
}

func (m *Model) entities(ctx context.Context, o EntityOptions, list []string) ([][]Entity, error) {
	o.Aggregation = cmp.Or(o.Aggregation, ByFirstToken)
	known := []Aggregation{NoAggregation, Simple, ByFirstToken, BySurestToken, ByMeanOfTokens}
	if !slices.Contains(known, o.Aggregation) {
		return nil, fmt.Errorf("option Aggregation: expected one of %q, found %q", known, o.Aggregation)
	}
	if o.Ignore == nil {
		o.Ignore = []string{"O"}
	}
	windows, owner, err := m.windows(ctx, texts(list), text.LongestFirst, cmp.Or(o.Stride, min(32, m.MaxTokens/4)))
	if err != nil {
		return nil, err
	}
	labels := m.labels()
	out := make([][]Entity, len(list))
	err = m.over(ctx, windows, func(hidden *autograd.Tensor, in Input, first int) error {
		p := autograd.Softmax(m.Classifier.Forward(hidden)).Floats(nil)
		for i := range len(in.Starts) - 1 {
			n := owner[first+i]
			rows := p[in.Starts[i]*len(labels) : in.Starts[i+1]*len(labels)]
			out[n] = append(out[n], o.read(m, list[n], windows[first+i], rows, labels)...)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for i, n := range owner {
		if i > 0 && owner[i-1] == n && (i+1 == len(owner) || owner[i+1] != n) { // the last of several windows
			out[n] = merge(out[n])
		}
	}
	return out, nil
}

// unit is a token or a word, with the probabilities of the classes.
type unit struct {
	p          []float32
	start, end int
	inside     bool // the token goes on with the word of the one before
}

// inside reports whether a token goes on with the word of the one before it, as transformers' pipeline decides: by the
// lengths of the token and its text where the tokenizer marks such tokens, and by the space before it otherwise.
func (m *Model) inside(s string, id int, at [2]int) bool {
	if name, unknown, ok := m.Tokenizer.Special("unk_token"); ok && name != "" && id == unknown {
		return false
	}
	if m.Tokenizer.SubwordPrefix() != "" {
		token, _ := m.Tokenizer.Token(id)
		return utf8.RuneCountInString(token) != utf8.RuneCountInString(s[at[0]:at[1]])
	}
	before, _ := utf8.DecodeLastRuneInString(s[:at[0]])
	here, _ := utf8.DecodeRuneInString(s[at[0]:])
	return at[0] > 0 && before != ' ' && here != ' '
}

// read returns the entities of a window, of which p holds the probabilities of the classes of each token.
func (o EntityOptions) read(m *Model, s string, e *text.Encoding, p []float32, labels []string) []Entity {
	var units []unit
	for i := range e.IDs {
		if e.Special[i] {
			continue
		}
		at := e.Offsets[i]
		u := unit{p[i*len(labels) : (i+1)*len(labels)], at[0], at[1], m.inside(s, e.IDs[i], at)}
		units = append(units, u)
	}
	if o.Aggregation != NoAggregation && o.Aggregation != Simple {
		units = o.words(units)
	}
	var found []Entity
	for _, u := range units {
		c := best(u.p)
		found = append(found, Entity{Label: labels[c], Score: u.p[c], Start: u.start, End: u.end})
	}
	if o.Aggregation != NoAggregation {
		found = group(found)
	}
	found = slices.DeleteFunc(found, func(e Entity) bool { return slices.Contains(o.Ignore, e.Label) })
	for i := range found {
		found[i].Text = s[found[i].Start:found[i].End]
	}
	return found
}

// words joins the tokens of each word.
func (o EntityOptions) words(tokens []unit) []unit {
	var words []unit
	for len(tokens) > 0 {
		n := 1
		for n < len(tokens) && tokens[n].inside {
			n++
		}
		word := tokens[0]
		word.end = tokens[n-1].end
		switch o.Aggregation {
		case BySurestToken:
			for _, t := range tokens[1:n] {
				if t.p[best(t.p)] > word.p[best(word.p)] {
					word.p = t.p
				}
			}
		case ByMeanOfTokens:
			mean := make([]float32, len(word.p))
			for c := range mean {
				for _, t := range tokens[:n] {
					mean[c] += t.p[c]
				}
				mean[c] /= float32(n)
			}
			word.p = mean
		}
		words, tokens = append(words, word), tokens[n:]
	}
	return words
}

// best returns the index of the largest value, the first of equals.
func best(p []float32) int {
	at := 0
	for i, v := range p {
		if v > p[at] {
			at = i
		}
	}
	return at
}

// group joins neighbors of one class, unless the later one begins with B-.
func group(list []Entity) []Entity {
	var groups []Entity
	tag := ""
	n := float32(0) // members of the last group
	for _, e := range list {
		begins := strings.HasPrefix(e.Label, "B-")
		name := e.Label
		if begins || strings.HasPrefix(name, "I-") {
			name = name[2:]
		}
		if len(groups) > 0 && name == tag && !begins {
			g := &groups[len(groups)-1]
			g.Score = (g.Score*n + e.Score) / (n + 1)
			g.End = e.End
			n++
			continue
		}
		tag, n = name, 1
		if _, rest, ok := strings.Cut(e.Label, "-"); ok { // as transformers names a group
			e.Label = rest
		}
		groups = append(groups, e)
	}
	return groups
}

// merge keeps one of the entities of several windows that overlap: the one with the most characters, then the one with
// the highest score.
func merge(list []Entity) []Entity {
	slices.SortStableFunc(list, func(a, b Entity) int { return cmp.Compare(a.Start, b.Start) })
	var kept []Entity
	for _, e := range list {
		if len(kept) > 0 {
			last := &kept[len(kept)-1]
			if e.Start < last.End {
				length := utf8.RuneCountInString(e.Text) - utf8.RuneCountInString(last.Text) // as transformers counts
				if length > 0 || length == 0 && e.Score > last.Score {
					*last = e
				}
				continue
			}
		}
		kept = append(kept, e)
	}
	return kept
}
