package text

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/fovea-ml/fovea/text/internal/component"
)

// template puts texts and special tokens in an order that the file states.
type template struct {
	single, pair           []templatePiece
	addedSingle, addedPair int
}

// templatePiece is text A or B, or special tokens.
type templatePiece struct {
	text   int // -1 for special tokens
	typeID int
	run    *part // special tokens
}

func parseTemplate(f *component.Fields, _ int) processor {
	tokens := component.Object(f.Raw("special_tokens"))
	single, pair := component.Required[[]json.RawMessage](f, "single"), component.Required[[]json.RawMessage](f, "pair")
	if f.Err != nil {
		return nil
	}
	runs := map[string]templateTokens{}
	tokens.Each(func(name string, value []byte) {
		var err error
		if runs[name], err = readTemplateTokens(value); err != nil {
			tokens.Fail("%s: %w", name, err)
		}
	})
	if err := tokens.End(); err != nil {
		f.Fail("special_tokens: %w", err)
		return nil
	}
	t := new(template)
	var err error
	if t.single, t.addedSingle, err = parseTemplatePieces(single, runs, 1); err != nil {
		f.Fail("single%w", err)
	} else if t.pair, t.addedPair, err = parseTemplatePieces(pair, runs, 2); err != nil {
		f.Fail("pair%w", err)
	}
	return t
}

// templateTokens are the tokens that one special token of a template stands for.
type templateTokens struct {
	ids    []int
	tokens []string
}

func readTemplateTokens(data []byte) (templateTokens, error) {
	f := component.Object(data)
	component.Required[string](f, "id")
	t := templateTokens{component.Required[[]int](f, "ids"), component.Required[[]string](f, "tokens")}
	if len(t.ids) != len(t.tokens) {
		f.Fail("expected as many ids as tokens, found %d and %d", len(t.ids), len(t.tokens))
	}
	for _, id := range t.ids {
		if err := checkID("ids", id); err != nil {
			f.Fail("%w", err)
		}
	}
	return t, f.End()
}

// Limits of a template, which multiplies the length of texts.
const (
	maxCopies = 16      // places of texts
	maxAdded  = 1 << 16 // special tokens
)

// parseTemplatePieces reads the template for so many texts, and counts the tokens that it adds.
func parseTemplatePieces(list []json.RawMessage, tokens map[string]templateTokens, texts int) ([]templatePiece, int, error) {
	var out []templatePiece
	added, copies := 0, 0
	for i, data := range list {
		p, err := parseTemplatePiece(data, tokens)
		if err == nil && p.text >= texts {
			err = fmt.Errorf("id: expected A in a template for one text, found B")
		}
		if err != nil {
			return nil, 0, fmt.Errorf("[%d]: %w", i, err)
		}
		if p.run != nil {
			added += p.run.len()
		} else if copies++; copies > maxCopies {
			return nil, 0, fmt.Errorf(": expected texts in at most %d places, found more", maxCopies)
		}
		if added > maxAdded {
			return nil, 0, fmt.Errorf(": expected at most %d special tokens, found more", maxAdded)
		}
		out = append(out, p)
	}
	return out, added, nil
}

func parseTemplatePiece(data []byte, tokens map[string]templateTokens) (templatePiece, error) {
	f := component.Object(data)
	if f.Err == nil && f.Has("Sequence") == f.Has("SpecialToken") {
		f.Fail("expected one of Sequence and SpecialToken")
	}
	name := "Sequence"
	if f.Has("SpecialToken") {
		name = "SpecialToken"
	}
	body := f.Raw(name)
	if err := f.End(); err != nil {
		return templatePiece{}, err
	}
	g := component.Object(body)
	id, typeID := component.Required[string](g, "id"), requiredID(g, "type_id")
	err := g.End()
	t, known := tokens[id]
	switch {
	case err != nil:
	case name == "SpecialToken" && known:
		return templatePiece{-1, typeID, added(t.ids, t.tokens, typeID)}, nil
	case name == "SpecialToken":
		err = fmt.Errorf("id: expected a name from special_tokens, found %q", id)
	case id == "A":
		return templatePiece{0, typeID, nil}, nil
	case id == "B":
		return templatePiece{1, typeID, nil}, nil
	default:
		err = fmt.Errorf("id: expected A or B, found %q", id)
	}
	return templatePiece{}, fmt.Errorf("%s: %w", name, err)
}

func (t *template) added(texts int) int {
	if texts == 1 {
		return t.addedSingle
	}
	return t.addedPair
}

func (t *template) process(parts []*part, special bool) ([]*part, error) {
	pieces := t.single
	switch len(parts) {
	case 1:
	case 2:
		pieces = t.pair
	default:
		return nil, fmt.Errorf("post_processor: expected one or two texts for a template, found %d", len(parts))
	}
	out := make([]*part, 0, len(pieces))
	for _, piece := range pieces {
		switch {
		case piece.text >= 0:
			p := *parts[piece.text]
			p.over = slices.Clone(p.over)
			p.owned = p.owned && len(pieces) == 1 && len(p.over) == 0
			if piece.typeID != piece.text { // windows keep their types, as in the reference
				p.owned = false // another piece can be the same text
				p.setType(piece.typeID)
			}
			p.setSequence(piece.text)
			out = append(out, &p)
		case special:
			out = append(out, piece.run)
		}
	}
	return out, nil
}
