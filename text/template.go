package text

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/fovea-ml/fovea/internal/strictjson"
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

func parseTemplate(data []byte) (processor, error) {
	var c struct {
		Single  []json.RawMessage `json:"single"`
		Pair    []json.RawMessage `json:"pair"`
		Special json.RawMessage   `json:"special_tokens"`
	}
	if err := decode(data, &c, "type single pair special_tokens", ""); err != nil {
		return nil, err
	}
	tokens, err := parseTemplateTokens(c.Special)
	if err != nil {
		return nil, fmt.Errorf("special_tokens: %w", err)
	}
	t := new(template)
	if t.single, t.addedSingle, err = parseTemplatePieces(c.Single, tokens, 1); err != nil {
		return nil, fmt.Errorf("single%w", err)
	}
	if t.pair, t.addedPair, err = parseTemplatePieces(c.Pair, tokens, 2); err != nil {
		return nil, fmt.Errorf("pair%w", err)
	}
	return t, nil
}

// templateTokens are the tokens that one special token of a template stands for.
type templateTokens struct {
	Name   string   `json:"id"`
	IDs    []int    `json:"ids"`
	Tokens []string `json:"tokens"`
}

func parseTemplateTokens(data []byte) (map[string]templateTokens, error) {
	out := map[string]templateTokens{}
	var first error
	err := strictjson.Object(data, func(key string, value []byte) {
		var t templateTokens
		err := decode(value, &t, "id ids tokens", "")
		if err == nil && len(t.IDs) != len(t.Tokens) {
			err = fmt.Errorf("expected as many ids as tokens, found %d and %d", len(t.IDs), len(t.Tokens))
		}
		for _, id := range t.IDs {
			if err == nil {
				err = checkID("ids", id)
			}
		}
		if err != nil && first == nil {
			first = fmt.Errorf("%s: %w", key, err)
		}
		out[key] = t
	})
	if err == nil {
		err = first
	}
	return out, err
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
	var c struct {
		Sequence *json.RawMessage `json:"Sequence"`
		Special  *json.RawMessage `json:"SpecialToken"`
	}
	if err := decode(data, &c, "", "Sequence SpecialToken"); err != nil {
		return templatePiece{}, err
	}
	if (c.Sequence == nil) == (c.Special == nil) {
		return templatePiece{}, fmt.Errorf("expected one of Sequence and SpecialToken")
	}
	name, body := "Sequence", c.Sequence
	if c.Special != nil {
		name, body = "SpecialToken", c.Special
	}
	var v struct {
		ID   string `json:"id"`
		Type int    `json:"type_id"`
	}
	err := decode(*body, &v, "id type_id", "")
	if err == nil {
		err = checkID("type_id", v.Type)
	}
	t, known := tokens[v.ID]
	switch {
	case err != nil:
	case c.Special != nil && known:
		return templatePiece{-1, v.Type, addedTokens(t, v.Type)}, nil
	case c.Special != nil:
		err = fmt.Errorf("id: expected a name from special_tokens, found %q", v.ID)
	case v.ID == "A":
		return templatePiece{0, v.Type, nil}, nil
	case v.ID == "B":
		return templatePiece{1, v.Type, nil}, nil
	default:
		err = fmt.Errorf("id: expected A or B, found %q", v.ID)
	}
	return templatePiece{}, fmt.Errorf("%s: %w", name, err)
}

func addedTokens(t templateTokens, typeID int) *part { return added(t.IDs, t.Tokens, typeID) }

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
			if piece.typeID != piece.text { // windows keep their types, as in the reference
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
